"""Several people at once, the page within another site's, and pages whose kernel went away."""

from __future__ import annotations

import http.server
import json
import os
import random
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, WebSocketRoute, expect

from analytics_core.identity.tokens import LEEWAY_SECONDS
from analytics_core.model.scope import Scope
from tests.browser.dashboard import LIVE, LONG_MS, MARKS
from tests.support import visitors
from tests.support.guarded import guarded
from tests.support.kernels import kernels
from tests.support.postgres import PostgresServer
from tests.support.serving import Server, analytics, start, start_for_many
from tests.support.visitors import THEOS_RENDERS, token

THEO = Scope.user("u3")
# How many pages two people open; with PAGE_LOADS=100, a minute and a half.
LOADS = int(os.environ.get("PAGE_LOADS", "30"))


@pytest.fixture(scope="module")
def many(people_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for many visitors."""
    with start_for_many(people_url, tmp_path_factory.mktemp("many")) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1440, "height": 900})
    yield made
    made.close()


def live(page: Page | Frame) -> str | None:
    """The renders that a page shows once it is live."""
    card = page.locator(LIVE)
    card.wait_for(timeout=LONG_MS)
    return card.get_attribute("data-value")


def kill_kernels(server: Server) -> None:
    for process in kernels(server.process.pid):
        os.kill(process, signal.SIGKILL)


def test_two_people_at_once_each_see_their_own_numbers_on_every_page(
    browser: Browser, many: Server
) -> None:
    contexts = {"u1": browser.new_context(), "u3": browser.new_context()}
    pages = {sub: context.new_page() for sub, context in contexts.items()}
    for sub, page in pages.items():
        page.goto(f"{many.link}?token={token(sub, zone='UTC')}")
    told = analytics(
        "stats", "--user", "u1", "--from", day(29), "--to", day(0), "--tz", "UTC",
        "--format", "json", url=many.url,
    )  # fmt: skip
    [renders] = re.findall(r'"renders": \{[^{}]*?"total": (\d+)', told.stdout, re.DOTALL)[:1]
    expected = {"u1": renders, "u3": str(THEOS_RENDERS)}
    chance, wrong = random.Random(5), []
    for number in range(LOADS // 2):
        # Both are under way at once; whose kernel was made ready first is nobody's to say.
        order = chance.sample(["u1", "u3"], 2)
        tab = chance.choice(["overview", "renders", "credits", "api"])
        for sub in order:
            pages[sub].goto(f"{many.link}?tab={tab}", wait_until="commit")
        for sub in chance.sample(order, 2):
            shown = live(pages[sub])
            if shown != expected[sub]:
                wrong.append((number, sub, shown))
    for context in contexts.values():
        context.close()
    assert wrong == []


def day(ago: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - ago * 86_400))


def test_the_link_leaves_the_address_and_the_history(context: BrowserContext, many: Server) -> None:
    page = context.new_page()
    page.goto(f"{many.link}?tab=renders&token={token('u3')}")
    assert live(page) == str(THEOS_RENDERS)
    assert page.url == f"{many.link}?tab=renders"
    page.reload()
    assert live(page) == str(THEOS_RENDERS)


@contextmanager
def product() -> Iterator[str]:
    """The origin of another site, whose page embeds the address that its query holds."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            frame = unquote(self.path.partition("?")[2])
            html = f'<!DOCTYPE html><h1>Product</h1><iframe src="{frame}" width="1400">'
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Silently."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def embedded(people_url: str, folder: Path, frames: str) -> Server:
    """A server that is reached as localhost, which is another site than 127.0.0.1."""
    running = start_for_many(people_url, folder, environment={"ANALYTICS_FRAME_ANCESTORS": frames})
    running.link = running.link.replace("127.0.0.1", "localhost")
    return running


def framed(page: Page) -> Frame:
    [frame] = [frame for frame in page.frames if frame != page.main_frame]
    return frame


def test_within_another_site_it_is_live_and_leaves_no_kernel_behind(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    with product() as other, embedded(people_url, tmp_path, other) as running:
        page = context.new_page()
        link = f"{running.link}?token={token('u3')}"
        page.goto(f"{other}/?{quote(link)}")
        frame = framed(page)
        assert live(frame) == str(THEOS_RENDERS)
        # Its socket works: a choice goes to the kernel and comes back.
        frame.locator('[data-period="7d"]').click()
        expect(frame.locator(".which")).not_to_contain_text("30", timeout=LONG_MS)
        frame.get_by_role("tab", name="Renders", exact=True).click()
        frame.locator(f".tabpanel.is-selected :is({MARKS})").first.wait_for(timeout=LONG_MS)
        cookies = context.cookies(running.link)
        assert {c["name"].partition("-")[0] for c in cookies} >= {"usage", "_xsrf"}
        assert all(c["secure"] and c["sameSite"] == "None" for c in cookies)
        assert all(c.get("partitionKey") for c in cookies), cookies
        # And so does what ends its kernel, which needs the cookie that scripts read.
        before = set(kernels(running.process.pid))
        page.goto("about:blank")
        assert eventually(lambda: len(before - set(kernels(running.process.pid))) == 1)


def test_a_site_that_may_not_embed_it_shows_nothing(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    running = embedded(people_url, tmp_path, "https://app.example.com")
    with running, product() as other:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        link = f"{running.link}?token={token('u3')}"
        page.goto(f"{other}/?{quote(link)}")
        assert eventually(lambda: any("frame-ancestors" in text for text in said))
        assert framed(page).locator(".card").count() == 0


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return held


def marked(page: Page) -> None:
    page.evaluate("window.before = true")


def goes_on(page: Page) -> None:
    """Wait for the page that follows the marked one, by itself."""
    page.wait_for_function("() => !window.before", timeout=LONG_MS)
    page.locator(LIVE).wait_for(timeout=LONG_MS)


def test_a_page_whose_kernel_dies_goes_on_in_the_same_view(
    context: BrowserContext, studio_url: str, tmp_path: Path
) -> None:
    with start(studio_url, "u1", tmp_path) as server:
        page = context.new_page()
        page.goto(server.link)
        live(page)
        page.locator('[data-period="7d"]').click()
        page.get_by_role("tab", name="Credits", exact=True).click()
        expect(page).to_have_url(re.compile("tab=credits.*range=7d|range=7d.*tab=credits"))
        marked(page)
        kill_kernels(server)
        goes_on(page)
        assert page.locator('.tabs [aria-selected="true"]').inner_text() == "Credits"
        assert "range=7d" in page.url


def test_a_kernel_that_is_gone_before_its_socket_connects_is_followed_by_another(
    context: BrowserContext, studio_url: str, tmp_path: Path
) -> None:
    with start(studio_url, "u1", tmp_path) as server:
        page = context.new_page()
        killed: list[bool] = []

        def connecting(socket: object) -> None:
            # Before the first handshake goes out.
            if not killed:
                killed.append(True)
                kill_kernels(server)
            socket.connect_to_server()  # type: ignore[attr-defined]

        page.route_web_socket(re.compile("/channels"), connecting)
        page.goto(server.link)
        page.wait_for_function("() => sessionStorage.getItem('usage-resumed')", timeout=LONG_MS)
        page.locator(LIVE).wait_for(timeout=LONG_MS)
        assert killed


def deafened(page: Page) -> tuple[list[bool], list[WebSocketRoute]]:
    """While the first list holds something, what the page says gets lost; then its first socket."""
    is_deaf: list[bool] = []
    sockets: list[WebSocketRoute] = []

    def connecting(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        if not sockets:
            sockets.append(socket)
            socket.on_message(lambda message: None if is_deaf else server.send(message))

    page.route_web_socket(re.compile("/channels"), connecting)
    return is_deaf, sockets


def chosen_in_vain(page: Page) -> None:
    page.locator('#rendered_cells [data-period="7d"]').click()
    expect(page.locator("#rendered_cells .usage-page")).to_have_attribute("aria-busy", "true")


def is_as_before(page: Page) -> None:
    expect(page.locator("#rendered_cells .usage-page")).to_have_attribute(
        "aria-busy", "false", timeout=LONG_MS
    )
    expect(page.locator('#rendered_cells [data-period="30d"]')).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_choice_that_was_lost_with_its_connection_is_taken_back(
    context: BrowserContext, many: Server
) -> None:
    page = context.new_page()
    is_deaf, sockets = deafened(page)
    page.goto(f"{many.link}?token={token('u3')}")
    live(page)
    is_deaf.append(True)
    chosen_in_vain(page)
    # A question for the same numbers, too, which changes nothing that could be compared.
    page.get_by_role("button", name="Refresh now").click()
    sockets[0].close()
    is_as_before(page)


def test_a_choice_that_no_kernel_hears_is_taken_back_after_a_while(
    context: BrowserContext, many: Server
) -> None:
    page = context.new_page()
    page.clock.install()
    is_deaf, _ = deafened(page)
    page.goto(f"{many.link}?token={token('u3')}")
    live(page)
    is_deaf.append(True)
    chosen_in_vain(page)
    is_deaf.clear()
    page.clock.fast_forward("00:26")
    is_as_before(page)


def test_a_server_that_was_started_anew_is_found_again(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    with start_for_many(people_url, tmp_path) as first:
        page = context.new_page()
        page.goto(f"{first.link}?tab=renders&token={token('u3')}")
        live(page)
        marked(page)
    port = first.host.partition(":")[2]
    with start_for_many(people_url, tmp_path, environment={"ANALYTICS_PORT": port}):
        goes_on(page)
        assert page.locator(LIVE).get_attribute("data-value") == str(THEOS_RENDERS)
        assert page.url == f"{first.link}?tab=renders"


def test_a_page_that_tries_again_waits_for_a_server_that_is_down(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    with start_for_many(people_url, tmp_path) as first:
        page = context.new_page()
        page.clock.install()
        answer = json.dumps({"problem": "unavailable"})
        page.route("**/usage/kernel/*", lambda route: route.fulfill(body=answer))
        page.goto(f"{first.link}?tab=renders&token={token('u3')}")
        notice = page.locator(".usage-notice")
        expect(notice).to_contain_text("cannot be shown right now", timeout=LONG_MS)
        page.unroute("**/usage/kernel/*")
        marked(page)
    page.clock.fast_forward("00:31")
    expect(notice).to_contain_text("does not answer any more", timeout=LONG_MS)
    assert page.evaluate("window.before")
    port = first.host.partition(":")[2]
    with start_for_many(people_url, tmp_path, environment={"ANALYTICS_PORT": port}):
        page.clock.fast_forward("00:06")
        goes_on(page)
        assert page.url == f"{first.link}?tab=renders"


def test_a_visit_that_has_ended_says_so_and_does_not_try_for_ever(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    with start_for_many(people_url, tmp_path) as server:
        page = context.new_page()
        page.goto(f"{server.link}?token={token('u3')}")
        live(page)
        marked(page)
        context.clear_cookies()
        kill_kernels(server)
        expect(page.locator(".usage-notice")).to_contain_text(
            "Your visit has ended", timeout=LONG_MS
        )
        assert page.evaluate("window.before")


def test_a_page_that_is_looked_at_keeps_a_short_session(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    environment = {"ANALYTICS_SESSION_MINUTES": "5"}
    with start_for_many(people_url, tmp_path, environment=environment) as server:
        page = context.new_page()
        page.clock.install()
        page.goto(f"{server.link}?token={token('u3')}")
        live(page)
        # Nobody touches it; half of its session goes by.
        with page.expect_request("**/usage/here/*"):
            page.clock.fast_forward("02:30")


def test_a_page_says_when_its_visitor_is_not_known_any_more(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    environment = {"ANALYTICS_TOKEN_COOKIE": "usage-token"}
    with start_for_many(people_url, tmp_path, environment=environment) as server:

        def known_until(end: int) -> None:
            value = token("u3", jti=None, iat=end - 900, exp=end)
            context.add_cookies([{"name": "usage-token", "value": value, "url": server.link}])

        known_until(int(time.time()) + 600)
        page = context.new_page()
        _, sockets = deafened(page)
        page.goto(server.link)
        assert live(page) == str(THEOS_RENDERS)
        # However long that took, the socket that follows this one has a few seconds.
        known_until(int(time.time()) - LEEWAY_SECONDS + 5)
        sockets[0].close()
        # By itself: it is closed.
        notice = page.locator(".usage-notice")
        expect(notice).to_contain_text("Your visit has ended", timeout=LONG_MS)


def test_a_page_says_when_its_grant_has_ended(
    context: BrowserContext, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    made = guarded(postgres_server)
    visitors.fill(made.url)
    page = context.new_page()

    @contextmanager
    def granted(seconds: int) -> Iterator[float]:
        """The page of a server with a grant, live; and when it was made.

        As somebody's own server has one, which cannot sign another.
        """
        began = time.monotonic()
        environment = {"ANALYTICS_GRANT": made.grant(THEO, seconds=seconds)}
        with start_for_many(made.reader, tmp_path, environment=environment) as server:
            page.goto(f"{server.link}?token={token('u3')}")
            assert live(page) == str(THEOS_RENDERS)
            yield began

    # How long this takes here: it has to be over while the grant is good.
    with granted(3_600) as began:
        lasts = max(12, int(4 * (time.monotonic() - began)))
    with granted(lasts) as began:
        time.sleep(max(0, began + lasts + 1 - time.monotonic()))
        page.locator('[data-period="7d"]').click()
        expect(page.locator(".banner")).to_contain_text("Access has ended", timeout=LONG_MS)
        page.reload()
        expect(page.locator(".problem:visible")).to_contain_text("Access has ended")


def test_where_nothing_can_be_granted_the_page_says_so_and_tries_again(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    shutil.copy(people_url.removeprefix("sqlite:///"), copy)
    with start_for_many(f"sqlite:///{copy}", tmp_path) as server:
        away = copy.rename(tmp_path / "away.db")
        page = context.new_page()
        page.clock.install()
        # What an operator reads is noted first.
        page.goto(f"{server.link}?tab=renders&token={token('ops', role='operator')}")
        expect(page.locator(".problem")).to_contain_text("does not answer right now")
        notice = page.locator(".usage-notice")
        expect(notice).to_contain_text("cannot be shown right now", timeout=LONG_MS)
        assert "These numbers are right" not in page.content()
        marked(page)
        away.rename(copy)
        page.clock.fast_forward("00:31")
        goes_on(page)
        assert page.url == f"{server.link}?tab=renders"


def test_where_nothing_may_be_granted_the_page_says_so_and_does_not_try_again(
    context: BrowserContext, people_url: str, tmp_path: Path
) -> None:
    environment = {"ANALYTICS_GRANT": THEO.to_text()}
    with start_for_many(people_url, tmp_path, environment=environment) as server:
        page = context.new_page()
        page.clock.install()
        page.goto(f"{server.link}?token={token('ops', role='operator')}")
        expect(page.locator(".problem")).to_contain_text("may not show you these numbers")
        notice = page.locator(".usage-notice")
        expect(notice).to_contain_text("Trying again will not help", timeout=LONG_MS)
        marked(page)
        page.clock.fast_forward("05:00")
        page.wait_for_timeout(1_000)
        assert page.evaluate("window.before")


def test_where_kernels_go_on_dying_the_page_stops_asking(
    context: BrowserContext, studio_url: str, tmp_path: Path
) -> None:
    with start(studio_url, "u1", tmp_path) as server:
        page = context.new_page()
        page.goto(server.link)
        for _ in range(3):
            live(page)
            marked(page)
            kill_kernels(server)
            goes_on(page)
        kill_kernels(server)
        expect(page.locator(".usage-notice")).to_contain_text("Reload the page", timeout=LONG_MS)
