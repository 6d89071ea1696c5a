"""A dashboard as its visitors meet it: one page in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.support.serving import Server, analytics

TABS = ("Overview", "Renders", "Credits", "API usage", "Storage", "Projects")
# Machines that run other tests meanwhile take their time.
LONG_MS = 120_000
# The card of renders, once the page is live.
LIVE = "#rendered_cells:not(.is-coming) .card[data-key=renders]"
# What bqplot draws data with.
MARKS = ".bqplot .line, .bqplot .bar, .bqplot .slice"


@dataclass
class Visit:
    """One page in the browser, with everything it complained about or asked for."""

    page: Page
    server: Server
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def tab(self, name: str) -> Locator:
        return self.page.get_by_role("tab", name=name, exact=True)

    @property
    def panel(self) -> Locator:
        """What the selected tab shows."""
        return self.page.get_by_role("tabpanel")

    def card(self, key: str) -> Locator:
        return self.page.locator(f'.usage-width > .usage-part .card[data-key="{key}"]')

    def open_tab(self, name: str) -> None:
        self.tab(name).click()
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is loading and every figure in view is drawn."""
        expect(self.page.locator(".usage-painted")).to_have_count(0, timeout=LONG_MS)
        self.page.locator('.usage-page[aria-busy="false"]').wait_for(timeout=LONG_MS)
        self.page.wait_for_function(
            """() => {
              const panels = [...document.querySelectorAll('.tabpanel.is-selected .panel')];
              return panels.length && panels.every((panel) => panel.matches('.is-empty')
                || panel.querySelector('.bqplot .line, .bqplot .bar, .bqplot .slice'));
            }""",
            timeout=LONG_MS,
        )
        # bqplot lays out anew 0.3 s after the last change of size.
        self.page.wait_for_timeout(450)

    def stats(self, *arguments: str, user: str = "mara@example.com") -> dict[str, Any]:
        """What the command line says about the same user."""
        done = analytics(
            "stats", "--user", user, *arguments, "--format", "json", url=self.server.url
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@contextmanager
def visit(
    browser: Browser,
    server: Server,
    query: str = "",
    *,
    width: int = 1440,
    height: int = 900,
    scheme: str = "light",
    wait: bool = True,
) -> Iterator[Visit]:
    """Open the link; at the end insist that nothing was complained about or fetched elsewhere."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        has_touch=width < 500,
        accept_downloads=True,
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    seen = Visit(page, server)

    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            seen.errors.append(message.text)

    def request(asked: Request) -> None:
        address = urlsplit(asked.url)
        if address.scheme not in ("data", "blob") and address.netloc != server.host:
            seen.foreign.append(asked.url)

    page.on("console", console)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", request)
    page.goto(f"{server.link}{query}", wait_until="commit")
    if wait:
        page.locator(".card[data-value]").first.wait_for(timeout=LONG_MS)
        seen.settle()
    yield seen
    context.close()
    assert seen.errors == []
    assert seen.foreign == []
