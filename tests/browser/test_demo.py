"""What `make demo` does: invented data in a file beside the caller, and a dashboard of it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.dashboard import MARKS, TABS, visit
from tests.support.serving import analytics, start

# Relative, as in the Makefile: kernels run in another folder and must find the same file.
URL = "sqlite:///demo.db"


def test_every_tab_of_the_demo_shows_charts(browser: Browser, tmp_path: Path) -> None:
    assert analytics("init", url=URL).returncode == 0
    filled = analytics("demo-data", "--users", "3", "--renders", "600", url=URL)
    assert filled.returncode == 0, filled.stderr
    with start(URL, "mara@example.com", tmp_path) as server, visit(browser, server) as seen:
        for tab in TABS:
            seen.open_tab(tab)
            assert seen.panel.locator(MARKS).count(), tab
