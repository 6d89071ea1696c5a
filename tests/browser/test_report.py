"""A report opened from disk, without a network, shows all it has at every width, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support import studio
from tests.support.serving import analytics

WIDTHS = (1440, 768, 390)
# Every drawing that is shown, with the box of its marks.
SHOWN = """() => [...document.querySelectorAll('.panel')].map((panel) => {
  const drawn = [...panel.querySelectorAll('svg.chart')].filter((svg) => svg.checkVisibility());
  const boxes = drawn.flatMap((svg) => [...svg.querySelectorAll('.mark')])
    .map((mark) => mark.getBoundingClientRect());
  return {
    key: panel.dataset.key,
    drawings: drawn.length,
    width: drawn[0]?.getBoundingClientRect().width ?? 0,
    room: panel.clientWidth,
    marks: boxes.filter((box) => box.width > 0 || box.height > 0).length,
    text: Math.min(...drawn.flatMap((svg) => [...svg.querySelectorAll('text')])
      .map((text) => text.getBoundingClientRect().height)),
  };
})"""


@pytest.fixture(scope="module")
def report(studio_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The studio's report of its last 30 days, made from the command line."""
    folder = tmp_path_factory.mktemp("report")
    made = analytics(
        "report", "--user", studio.MARA, "--period", "30d", "--output", str(folder), url=studio_url
    )
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


class Opened:
    """The report in a browser that can reach nothing, and what it asked for and said."""

    def __init__(self, page: Page, report: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        self.address = report.as_uri()
        page.goto(self.address)


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=WIDTHS)
def opened(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    with browser.new_context(
        offline=True, viewport={"width": request.param, "height": 900}
    ) as context:
        yield Opened(context.new_page(), report)


def test_nothing_is_asked_for_but_the_file_itself(opened: Opened) -> None:
    opened.page.wait_for_load_state("networkidle")
    # Browsers ask their own host for an icon; a file has none.
    assert opened.asked == [opened.address]
    assert opened.said == []


def test_every_chart_is_drawn_once_in_a_size_that_can_be_read(opened: Opened) -> None:
    shown: list[dict[str, Any]] = opened.page.evaluate(SHOWN)
    assert len(shown) > 15
    for chart in shown:
        assert chart["drawings"] == 1, chart
        assert chart["marks"] >= 1, chart
        assert chart["width"] > 0.8 * chart["room"], chart
        assert chart["text"] > 10, chart


def test_nothing_scrolls_sideways(opened: Opened) -> None:
    assert opened.page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def test_a_table_unfolds_without_a_script(opened: Opened) -> None:
    table = opened.page.locator(".panel .behind table").first
    assert not table.is_visible()
    opened.page.locator(".panel .behind summary").first.click()
    assert table.is_visible()
    assert table.locator("tbody tr").count() == 30


def test_hostile_names_are_words(opened: Opened) -> None:
    assert studio.HOSTILE_NAME in opened.page.locator(".who").inner_text()
    assert opened.page.title() != "owned"
    assert opened.page.locator("img, script").count() == 0


def test_it_is_kept_as_a_picture(
    browser: Browser, report: Path, scheme: Any, pictures: Path
) -> None:
    for width in WIDTHS:
        with browser.new_context(
            offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme
        ) as context:
            page = Opened(context.new_page(), report).page
            page.screenshot(path=pictures / f"report-{scheme}-{width}.png", full_page=True)
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(246, 247, 249)", "dark": "rgb(15, 20, 27)"}[scheme]


def test_it_prints_dark_on_white(browser: Browser, report: Path, pictures: Path) -> None:
    with browser.new_context(offline=True, color_scheme="dark") as context:
        page = Opened(context.new_page(), report).page
        page.emulate_media(media="print")
        colours = page.evaluate(
            "['body', '.panel', '.value'].map((name) =>"
            " { const style = getComputedStyle(document.querySelector(name));"
            "   return name == '.value' ? style.color : style.backgroundColor; })"
        )
        paper = page.pdf(path=pictures / "report.pdf", format="A4", print_background=True)
    assert colours == ["rgb(255, 255, 255)", "rgb(255, 255, 255)", "rgb(22, 32, 46)"]
    pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert 3 <= pages <= 15
