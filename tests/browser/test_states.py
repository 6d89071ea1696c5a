"""Loading, empty, failing and recovering: what a visitor sees when there is no chart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.dashboard import LONG_MS, visit
from tests.support import studio
from tests.support.kernels import kernels
from tests.support.postgres import PostgresServer
from tests.support.serving import Server, analytics, start


def sqlite_away(url: str) -> Iterator[None]:
    path = Path(url.removeprefix("sqlite:///"))
    hidden = path.with_suffix(".away")
    path.rename(hidden)
    yield
    hidden.rename(path)
    yield


def postgres_away(url: str) -> Iterator[None]:
    name = PostgresServer.name_of(url)
    admin = url.replace("+psycopg", "").replace(f"/{name}?", "/postgres?")

    def allow(yes: bool) -> None:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {yes}')
            if not yes:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    [name],
                )

    allow(False)
    yield
    allow(True)
    yield


def eventually(counted: Callable[[], list[int]], many: int) -> list[int]:
    """What is counted, once there are so many that stay for a second."""
    deadline, since = time.monotonic() + 30, time.monotonic()
    while time.monotonic() < deadline:
        if len(found := counted()) != many:
            since = time.monotonic()
        elif time.monotonic() - since > 1:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{counted()} are never {many}")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_database_that_goes_away_is_told_and_retry_recovers(
    kind: str,
    browser: Browser,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    pictures: Path,
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    assert analytics("init", url=url).returncode == 0
    studio.fill(url)
    if kind == "postgres":
        # Dashboards do not read as a superuser.
        reader = request.getfixturevalue("postgres_server").reader_url(url)
        monkeypatch.setenv("ANALYTICS_READER_URL", reader)
    with start(url, studio.MARA, tmp_path) as server, visit(browser, server) as seen:
        shown = seen.card("renders").get_attribute("data-value")
        away = {"sqlite": sqlite_away, "postgres": postgres_away}[kind](url)
        next(away)
        seen.page.locator('[data-period="7d"]').click()
        banner = seen.page.locator(".banner")
        expect(banner).to_contain_text("does not answer", timeout=LONG_MS)
        expect(banner).to_contain_text("What you see is from")
        assert seen.card("renders").get_attribute("data-value") == shown
        seen.page.screenshot(path=pictures / f"error-{kind}.png")
        # The same failure again is an answer too.
        banner.get_by_role("button", name="Retry").click()
        page = seen.page.locator(".usage-page")
        expect(page).to_have_attribute("aria-busy", "false", timeout=LONG_MS)
        expect(banner).to_be_visible()
        next(away)
        banner.get_by_role("button", name="Retry").click()
        expect(banner).to_be_hidden(timeout=LONG_MS)
        expect(seen.card("renders")).not_to_have_attribute("data-value", shown or "")
        seen.settle()


def test_without_any_numbers_the_error_takes_their_place(
    browser: Browser, sqlite_url: str, tmp_path: Path, pictures: Path
) -> None:
    assert analytics("init", url=sqlite_url).returncode == 0
    studio.fill(sqlite_url)
    with start(sqlite_url, studio.MARA, tmp_path) as server:
        away = sqlite_away(sqlite_url)
        next(away)
        with visit(browser, server, width=390, scheme="dark", wait=False) as seen:
            problem = seen.page.locator(".problem:visible")
            expect(problem).to_contain_text("could not be loaded", timeout=LONG_MS)
            # Painted first, with a link; then live, which asked once more by itself.
            expect(seen.page.locator(".usage-painted")).to_have_count(0, timeout=LONG_MS)
            expect(problem).to_contain_text("does not answer")
            seen.page.screenshot(path=pictures / "error-390-dark.png", full_page=True)
            next(away)
            problem.get_by_role("button", name="Retry").click()
            expect(problem).to_be_hidden(timeout=LONG_MS)
            seen.settle()
            seen.page.screenshot(path=pictures / "overview-390-dark.png", full_page=True)


def test_who_has_nothing_yet_is_told_what_would_be_there(
    browser: Browser, studio_url: str, tmp_path: Path, pictures: Path
) -> None:
    with (
        start(studio_url, studio.NOBODY_YET, tmp_path) as server,
        visit(browser, server, "&compare=1&range=all") as seen,
    ):
        expect(seen.panel.locator(".panel-empty").first).to_contain_text("would appear here")
        assert seen.card("renders").get_attribute("data-value") == "0"
        seen.page.screenshot(path=pictures / "empty-1440.png", full_page=True)


def test_the_page_is_painted_while_its_kernel_starts_and_does_not_jump(
    browser: Browser, server: Server, pictures: Path
) -> None:
    with visit(browser, server, scheme="dark", wait=False) as seen:
        # A ready kernel makes the page live sooner than it could be measured.
        held: list[Route] = []
        seen.page.route("**/usage/kernel/*", lambda route: held.append(route))
        seen.page.goto(server.link)
        painted = seen.page.locator(".usage-painted .card").first
        expect(painted).to_be_visible()
        before = painted.bounding_box()
        seen.page.screenshot(path=pictures / "painted-1440-dark.png")
        assert held
        for opening in held:
            opening.continue_()
        seen.settle()
        assert seen.page.locator(".usage-painted, .usage-skeleton").count() == 0
        after = seen.card("renders").bounding_box()
        seen.page.screenshot(path=pictures / "overview-1440-dark.png", full_page=True)
        background = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        line = seen.panel.locator(".bqplot .line").last
        assert background == "rgb(15, 20, 27)"
        assert line.evaluate("(line) => getComputedStyle(line).stroke") == "rgb(110, 160, 255)"
        assert before is not None
        assert after is not None
        assert abs(before["x"] - after["x"]) < 2
        assert abs(before["y"] - after["y"]) < 2
        assert abs(before["width"] - after["width"]) < 2


def test_a_page_that_is_left_takes_its_kernel_with_it(
    browser: Browser, studio_url: str, tmp_path: Path
) -> None:
    with start(studio_url, studio.MARA, tmp_path) as server, visit(browser, server) as seen:
        # One is the page's, two wait for the next visitor.
        first = eventually(lambda: kernels(server.process.pid), 3)
        seen.page.reload()
        seen.page.locator(".card[data-value]").first.wait_for(timeout=LONG_MS)
        seen.settle()
        second = eventually(lambda: kernels(server.process.pid), 3)
        # The one that was left is gone, and one that waited has become the page's.
        assert len(set(first) & set(second)) == 2


def test_whose_usage_it_is_can_be_read_at_every_width(browser: Browser, server: Server) -> None:
    with visit(browser, server) as seen:
        name = seen.page.locator(".brand .who")
        for width in (1920, 1440, 1366, 1280, 1241, 1240, 1100, 1024):
            seen.page.set_viewport_size({"width": width, "height": 900})
            # Room for some twelve letters, of whatever name.
            assert name.evaluate("name => name.clientWidth") >= 96, width


def test_a_number_too_long_for_its_card_is_not_cut_off(browser: Browser, server: Server) -> None:
    with visit(browser, server, width=360) as seen:
        value = seen.page.locator("#rendered_cells .card .value").first
        cut = value.evaluate(
            "value => (value.textContent = '34,359,738,604,118',"
            " value.getBoundingClientRect().right"
            " > value.closest('.card').getBoundingClientRect().right)"
        )
        assert not cut
