"""One database and one server for all browser tests, and a browser for each file of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support import studio
from tests.support.chromium import ARGUMENTS
from tests.support.requirements import missing
from tests.support.serving import Server, start, studio_in


# Playwright keeps an event loop running in the main thread, where other tests want their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a word to anybody outside."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing("Chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def studio_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a studio's history, to be read only."""
    return studio_in(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="session")
def server(studio_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The studio's dashboard."""
    with start(studio_url, studio.MARA, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: SCREENSHOTS, or pytest's temporary folder."""
    chosen = os.environ.get("SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.getbasetemp() / "out"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
