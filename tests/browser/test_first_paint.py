"""The first moments of a page: painted at once, live without a jump, and usable in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.dashboard import LONG_MS, MARKS, visit
from tests.support import studio
from tests.support.serving import Server, start

OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shifts.push([entry.startTime, entry.value]);
}).observe({ type: 'layout-shift', buffered: true });
"""
# What is seen of the page, and where.
PLACES = """() => [...document.querySelectorAll(
    '.top, .which, .card, .tabs, .segments > *, .panel, .panel-head, .panel svg text'
  )]
  .filter((element) => element.getClientRects().length
    && getComputedStyle(element).visibility !== 'hidden' && element.textContent.trim())
  .map((element) => {
    const box = element.getBoundingClientRect();
    // Templates have spaces between elements, widgets none.
    const text = element.textContent.replace(/\\s/g, '').slice(0, 40);
    return [text, box.x, box.y, box.width, box.height];
  })"""


@pytest.fixture
def plain(browser: Browser) -> Iterator[Any]:
    """Pages in which no script runs."""
    contexts = []

    def opened(link: str, width: int = 1440) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=False
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(link)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [1440, 768, 390])
@pytest.mark.parametrize("tab", ["overview", "renders", "api"])
def test_live_widgets_stand_exactly_where_they_were_painted(
    browser: Browser, server: Server, plain: Any, pictures: Path, width: int, tab: str
) -> None:
    query = f"&tab={tab}&compare=1"
    page = plain(f"{server.link}{query}", width)
    page.screenshot(path=pictures / f"painted-{tab}-{width}.png", full_page=True)
    painted = {json.dumps(place[0]): place[1:] for place in page.evaluate(PLACES)}
    with visit(browser, server, query, width=width) as seen:
        live = {json.dumps(place[0]): place[1:] for place in seen.page.evaluate(PLACES)}
        seen.page.screenshot(path=pictures / f"live-{tab}-{width}.png", full_page=True)
    both = painted.keys() & live.keys()
    assert len(both) >= 0.8 * len(painted)
    moved = {
        text: (painted[text], live[text])
        for text in both
        if any(abs(a - b) > 1.5 for a, b in zip(painted[text], live[text], strict=True))
    }
    assert moved == {}


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_jumps_while_the_page_becomes_live(
    browser: Browser, server: Server, width: int
) -> None:
    with visit(browser, server, wait=False, width=width) as seen:
        seen.page.add_init_script(OBSERVE)
        seen.page.goto(server.link)
        expect(seen.page.locator(".usage-painted")).to_have_count(0, timeout=LONG_MS)
        seen.settle()
        assert sum(value for _, value in seen.page.evaluate("window.shifts")) < 0.005
        assert seen.page.locator(".usage-skeleton, .usage-notice:visible").count() == 0


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_jumps_where_the_numbers_take_long(
    browser: Browser, studio_url: str, tmp_path: Path, width: int
) -> None:
    slow = "from analytics_core.serving import visits; visits._AT_ONCE_SECONDS = 0"
    with (
        start(studio_url, studio.MARA, tmp_path, prelude=slow) as server,
        visit(browser, server, wait=False, width=width) as seen,
    ):
        seen.page.add_init_script(OBSERVE)
        seen.page.goto(server.link)
        expect(seen.page.locator(".usage-painted")).to_have_count(0, timeout=LONG_MS)
        seen.settle()
        assert sum(value for _, value in seen.page.evaluate("window.shifts")) < 0.005


def test_the_painting_is_there_before_anything_is_asked_of_the_kernel(
    browser: Browser, server: Server
) -> None:
    with visit(browser, server, wait=False) as seen:
        seen.page.route("**/usage/kernel/*", lambda route: None)
        seen.page.goto(server.link)
        expect(seen.page.locator(".usage-painted .mark.line").first).to_be_visible()
        assert seen.page.locator(".usage-painted .card[data-value]").count() == 6
        seen.page.unroute_all(behavior="ignoreErrors")


def test_until_it_is_live_its_controls_are_links(server: Server, plain: Any) -> None:
    page = plain(server.link)
    page.get_by_role("link", name="7 d").click()
    page.get_by_role("tab", name="Credits").click()
    page.locator("a.switch").click()
    assert page.locator('[aria-selected="true"]').inner_text() == "Credits"
    assert page.locator('[aria-current="true"]').inner_text() == "7 d"
    assert "against" in page.locator(".usage-painted .which").inner_text()
    assert page.locator(".mark").count() > 0


def test_few_files_are_asked_for_and_none_of_them_twice(browser: Browser, server: Server) -> None:
    with visit(browser, server, wait=False) as seen:
        asked: list[str] = []
        seen.page.goto("about:blank")
        seen.page.on("request", lambda request: asked.append(request.url))
        seen.page.goto(server.link)
        expect(seen.page.locator(".usage-painted")).to_have_count(0, timeout=LONG_MS)
        seen.settle()
        ours = [address for address in asked if address.startswith("http")]
        assert len(ours) <= 12, ours
        assert len(ours) == len(set(ours))
        for tab in ("Renders", "API usage"):
            seen.open_tab(tab)
        assert [address for address in asked if address.startswith("http")] == ours
        # The next visit of the same browser fetches what is new alone.
        asked.clear()
        transferred = """() => performance.getEntriesByType('resource')
          .filter((entry) => entry.transferSize > 0).map((entry) => entry.name)"""
        seen.page.goto(server.link)
        expect(seen.page.locator(".usage-painted")).to_have_count(0, timeout=LONG_MS)
        seen.settle()
        fetched = seen.page.evaluate(transferred)
        assert {address.split("/")[4] for address in fetched} <= {"kernel", "live"}, fetched


def test_where_the_machine_is_busy_pages_are_painted_at_once_and_live_in_turn(
    browser: Browser, studio_url: str, tmp_path: Path
) -> None:
    always = "from analytics_core.serving import turns\nturns._BUSY_PERCENT = 0.0"
    with (
        start(studio_url, studio.MARA, tmp_path, prelude=always) as busy,
        visit(browser, busy, wait=False) as first,
        visit(browser, busy, wait=False) as second,
    ):
        saying: list[Route] = []
        first.page.route("**/usage/live/*", lambda route: saying.append(route))
        with first.page.expect_request("**/usage/live/*", timeout=LONG_MS):
            first.page.goto(busy.link)
        assert first.page.locator(MARKS).count() > 3
        second.page.goto(busy.link)
        # What it would not run yet it does not fetch either.
        assert second.page.locator("link[rel$=preload]").count() == 0
        # It can be used meanwhile, by its links.
        second.page.get_by_role("link", name="7 d").click()
        expect(second.page.locator(".usage-painted [aria-current=true]")).to_have_text("7 d")
        second.page.wait_for_timeout(2_500)
        assert second.page.locator(".usage-painted").count() == 1
        saying[0].continue_()
        expect(second.page.locator(".usage-painted")).to_have_count(0, timeout=LONG_MS)
        assert second.page.locator(MARKS).count() > 3


def test_a_tab_is_built_when_it_is_first_opened(browser: Browser, server: Server) -> None:
    with visit(browser, server) as seen:
        others = seen.page.locator(".tabpanel:not(.is-selected) .panel")
        assert others.count() == 0
        seen.open_tab("Renders")
        built = others.count()
        assert built > 0
        assert seen.panel.locator(MARKS).count() > 3
        seen.open_tab("Overview")
        seen.open_tab("Renders")
        assert others.count() == built


def test_a_choice_moves_the_same_marks(browser: Browser, server: Server) -> None:
    with visit(browser, server) as seen:
        line = seen.panel.locator(".bqplot .line").first
        line.evaluate("(line) => { window.kept = line; window.before = line.getAttribute('d'); }")
        seen.page.locator('[data-period="7d"]').click()
        seen.page.wait_for_function("() => window.kept.getAttribute('d') !== window.before")
        assert seen.page.evaluate("window.kept.isConnected")


def test_a_page_that_cannot_become_live_says_so_and_keeps_its_numbers(
    browser: Browser, server: Server, pictures: Path
) -> None:
    with visit(browser, server, wait=False) as seen:
        answer = json.dumps({"problem": "failed"})
        seen.page.route("**/usage/kernel/*", lambda route: route.fulfill(body=answer))
        seen.page.goto(server.link)
        notice = seen.page.locator(".usage-notice")
        expect(notice).to_contain_text("could not be made live")
        expect(notice).to_be_visible()
        expect(seen.page.locator(".usage-painted .mark.line").first).to_be_visible()
        seen.page.screenshot(path=pictures / "not-live-1440.png")


@pytest.mark.parametrize("script", ["bundle.js", "remoteEntry.*.js"])
def test_a_page_whose_libraries_do_not_come_says_so_and_keeps_its_numbers(
    browser: Browser, server: Server, script: str
) -> None:
    with visit(browser, server, wait=False) as seen:
        seen.page.route(f"**/{script}", lambda route: route.abort())
        seen.page.goto(server.link)
        notice = seen.page.locator(".usage-notice")
        expect(notice).to_contain_text("could not be made live", timeout=LONG_MS)
        # Its kernel's socket may have been on its way, which hides other notices when it opens.
        seen.page.wait_for_timeout(1_000)
        expect(notice).to_be_visible()
        expect(seen.page.locator(".usage-painted .mark.line").first).to_be_visible()
        # What the browser itself and the page have to say of it.
        assert seen.errors
        seen.errors.clear()
