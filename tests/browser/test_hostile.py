"""Whatever people are called, and wherever the page is put: nothing of theirs ever runs."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route

from tests.browser.dashboard import TABS, visit
from tests.support import rows, studio
from tests.support.serving import Server, analytics, start, start_for_many
from tests.support.visitors import token

# Would open a dialog if any of it were taken for HTML, as an element, an attribute or an SVG.
HOSTILE = "<img src=x onerror=alert(1)>"
HOSTILE_SVG = "</text></svg><script>alert(2)</script>"
HOSTILE_ATTRIBUTE = '" autofocus onfocus="alert(3)" x="'
FORMULA = '=HYPERLINK("http://evil.example")'
EMAIL = "<b>mara</b>@example.com"
# Told before the page's own scripts run.
LISTEN = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => window.violations.push(
  `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


@pytest.fixture(scope="module")
def hostile_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Somebody all of whose texts are hostile."""
    url = f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'analytics.db'}"
    assert analytics("init", url=url).returncode == 0
    now = datetime.now(UTC)
    at = [now - timedelta(days=n, minutes=5) for n in range(20)]
    texts = (HOSTILE, HOSTILE_SVG, HOSTILE_ATTRIBUTE, FORMULA)
    written = [rows.user("u1", email=EMAIL, name=f"{HOSTILE}{HOSTILE_ATTRIBUTE}")]
    for n, when in enumerate(at):
        text = texts[n % len(texts)]
        written += [
            rows.project("u1", when, name=text),
            rows.render("u1", when, source_platform=text, plugin_version=text),
            rows.call("u1", when, route=text, platform=text, plugin_version=text),
            rows.file("u1", when, name=text, media_type=text),
            rows.key("u1", when, name=text),
        ]
    rows.insert(url, written)
    return url


@pytest.fixture(scope="module")
def hostile(hostile_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start(hostile_url, EMAIL, tmp_path_factory.mktemp("hostile-server")) as running:
        yield running


def watched(page: Page) -> list[str]:
    dialogs: list[str] = []

    def heard(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", heard)
    return dialogs


def test_hostile_names_are_words_on_every_tab(browser: Browser, hostile: Server) -> None:
    with visit(browser, hostile, wait=False) as seen:
        dialogs = watched(seen.page)
        seen.page.add_init_script(LISTEN)
        seen.page.reload()
        seen.settle()
        for tab in TABS:
            seen.open_tab(tab)
            for table in seen.panel.get_by_role("button", name="as a table").all():
                table.click()
            for layer in seen.panel.locator(".layer:visible").all():
                layer.hover()
                layer.focus()
        shown = seen.page.locator("body").inner_text()
        assert seen.page.locator(".who").inner_text().startswith(HOSTILE)
        assert seen.page.locator("body img, body [onfocus], body [onerror]").count() == 0
        assert seen.page.evaluate("window.violations") == []
        assert dialogs == []
        assert HOSTILE in shown


@pytest.mark.parametrize("tab", ["overview", "renders", "credits", "api", "storage", "projects"])
def test_hostile_names_are_words_where_the_server_paints(
    browser: Browser, hostile: Server, tab: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    dialogs = watched(page)
    # The policy is taken away: what is painted has to be harmless without it.
    page.route("**/*", without_policy)
    page.goto(f"{hostile.link}&tab={tab}")
    assert page.locator(".usage-painted .who").inner_text().startswith(HOSTILE)
    assert page.locator("img, [onfocus], [onerror]").count() == 0
    assert page.locator("script:not([defer]):not([type])").count() == 0
    page.wait_for_timeout(100)
    assert dialogs == []
    context.close()


def without_policy(route: Route) -> None:
    """The page itself, and nothing else that it asks for."""
    if route.request.resource_type != "document":
        route.abort()
        return
    answer = route.fetch()
    headers = {
        name: value for name, value in answer.headers.items() if name != "content-security-policy"
    }
    route.fulfill(response=answer, headers=headers)


def test_a_report_of_hostile_names_is_words(
    browser: Browser, hostile_url: str, tmp_path: Path
) -> None:
    asked = ("report", "--user", EMAIL, "--period", "30d", "--output", str(tmp_path))
    made = analytics(*asked, url=hostile_url)
    assert made.returncode == 0, made.stderr
    file = Path(made.stdout.strip())
    # Without its policy too.
    bare = file.with_name("bare.html")
    bare.write_text(file.read_text().replace("Content-Security-Policy", "X-Nothing"))
    context = browser.new_context()
    page = context.new_page()
    dialogs = watched(page)
    page.goto(bare.as_uri())
    page.wait_for_timeout(100)
    assert HOSTILE in page.locator("body").inner_text()
    assert page.locator("img, script, [onfocus], [onerror]").count() == 0
    assert dialogs == []
    context.close()


def test_what_a_spreadsheet_would_run_is_text_in_downloads(
    browser: Browser, hostile: Server
) -> None:
    with visit(browser, hostile, "&tab=api") as seen:
        seen.page.get_by_role("button", name="Export").click()
        with seen.page.expect_download() as coming:
            seen.page.locator('[data-download="tab"]').click()
        text = Path(coming.value.path()).read_text()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert f"'{FORMULA}" in cells
    assert [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))] == []


@contextmanager
def another_site(within: str) -> Iterator[str]:
    """A site that shows an address within its page."""

    class Frame(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="{within}" width=900 height=600></iframe>'.encode())

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    site = ThreadingHTTPServer(("127.0.0.1", 0), Frame)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://localhost:{site.server_port}"
    site.shutdown()
    site.server_close()


def test_another_site_cannot_show_the_page_within_its_own(browser: Browser, server: Server) -> None:
    with another_site(server.link) as site:
        page = browser.new_page()
        page.goto(site)
        page.wait_for_timeout(1_000)
        assert "chrome-error" in page.frames[1].url
        page.close()


def test_a_site_that_is_named_can(browser: Browser, studio_url: str, tmp_path: Path) -> None:
    # Ports of sites are not known beforehand; the setting names one.
    with (
        another_site("about:blank") as site,
        start_for_many(
            studio_url, tmp_path, environment={"ANALYTICS_FRAME_ANCESTORS": site}
        ) as running,
    ):
        page = browser.new_page()
        page.goto(site)
        link = f"{running.link}?token={token(studio.MARA)}"
        page.evaluate("(link) => document.querySelector('iframe').src = link", link)
        page.frame_locator("iframe").locator(".usage-painted .who").wait_for()
        page.close()
