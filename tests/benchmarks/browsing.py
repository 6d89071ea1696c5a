"""Visits in real Chromium, each page watched from within: see watch.js."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, TimeoutError, async_playwright

from tests.benchmarks.rivals.sites import FIRST, Data, Running, Site
from tests.support.chromium import ARGUMENTS

LONGEST_MS = 120_000
# What is waited for is looked for so often, not at each frame: forty pages that were looked at so
# would have no time for anything else. What is measured is told by the page itself.
_LOOK_MS = 250
_WATCH = (Path(__file__).parent / "watch.js").read_text()
# Nobody waits for what only the outside could answer.
_ARGUMENTS = (*ARGUMENTS, "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
# Of our page only, whoever serves it.
_TAB_SHOWN = """(name) => {
  const tab = bench.control(name)?.closest("[role=tab]");
  const panels = [...document.querySelectorAll(".tabpanel.is-selected .panel")];
  return tab?.getAttribute("aria-selected") === "true" && panels.length > 0
    && panels.every((panel) => panel.matches(".is-empty")
      || panel.querySelector(".bqplot .line, .bqplot .bar, .bqplot .slice, svg .mark"));
}"""


def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        raise AssertionError("Chromium is missing (Debian: apt-get install chromium)")
    return found


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser with a new profile: no cache, no compiled scripts, no cookies."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
        try:
            yield opened
        finally:
            await opened.close()


class Visit:
    """One page of one visitor, with everything that went wrong on it."""

    def __init__(self, page: Page, running: Running) -> None:
        self.page, self.running = page, running
        self.errors: list[str] = []
        page.set_default_timeout(LONGEST_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)

    async def open(self) -> float:
        """Milliseconds from the navigation to the first chart; again, of a fresh page."""
        await self.page.goto(self.running.link, wait_until="commit", timeout=LONGEST_MS)
        return await self.ask("bench.opened")

    async def answers(self, label: str, period: str) -> float:
        """Milliseconds from the navigation to the charts of another period, clicking for it."""
        return await self.ask(f"bench.answers({json.dumps(label)}, {json.dumps(period)})")

    async def change(self, label: str, period: str) -> float:
        """Milliseconds from a click on a preset to the first frame with its charts."""
        place = await self._place(label)
        # A promise may not come back from here: it would be waited for before the click.
        await self.ask(f"void bench.change({json.dumps(period)})")
        await self.page.mouse.click(*place)
        return await self.ask("bench.changed")

    async def open_tab(self, name: str) -> None:
        """Click on a tab and wait until each of its panels has a chart."""
        try:
            await self.page.mouse.click(*await self._place(name))
            await self.page.wait_for_function(_TAB_SHOWN, arg=name, polling=_LOOK_MS)
        except TimeoutError as late:
            said = await self.ask("document.querySelector('.usage-notice')?.innerText")
            raise TimeoutError(f"no tab {name}; {said!r} {self.errors}") from late

    async def _place(self, label: str) -> list[float]:
        """Where a control is, once it is there."""
        found = await self.page.wait_for_function(
            "(label) => bench.place(label)", arg=label, polling=_LOOK_MS
        )
        place: list[float] = await found.json_value()
        return place

    async def ask(self, expression: str) -> Any:
        return await self.page.evaluate(expression)

    async def leave(self) -> None:
        """Go, as people do: the page hears of it and tells its server."""
        await self.page.goto("about:blank")
        await self.page.context.close()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)


@asynccontextmanager
async def visit(opened: Browser, running: Running, data: Data) -> AsyncIterator[Visit]:
    """A visitor of their own, who has opened nothing yet."""
    context = await opened.new_context(viewport={"width": 1440, "height": 900})
    await context.add_init_script(script(running.site, data))
    seen = Visit(await context.new_page(), running)
    try:
        yield seen
    finally:
        await seen.leave()


def script(site: Site, data: Data) -> str:
    """What watches a page of this site; to be there before its own scripts."""
    told = {
        "series": data.series,
        "selector": site.marks,
        "canvas": site.canvas,
        "shadows": site.shadows,
        "first": FIRST,
    }
    return f"const BENCH = {json.dumps(told)};\n{_WATCH}"
