"""Every tab at every width: marks have a size, texts keep apart, nothing overflows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.dashboard import MARKS, TABS, Visit, visit
from tests.support.serving import Server


@pytest.fixture(scope="module", params=[1440, 768, 390])
def shown(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Visit]:
    with visit(browser, server, "&compare=1", width=request.param) as seen:
        yield seen


@pytest.fixture
def width(shown: Visit) -> int:
    size = shown.page.viewport_size
    assert size is not None
    return size["width"]


def scrolls_sideways(seen: Visit) -> bool:
    return bool(
        seen.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
    )


# Texts and marks of every panel of the selected tab, each with its box and its panel's.
_BOXES = """([marks]) => {
  const box = (node) => {
    const { left, top, right, bottom, width, height } = node.getBoundingClientRect();
    return { left, top, right, bottom, width, height, text: node.textContent };
  };
  return [...document.querySelectorAll('.tabpanel.is-selected .panel:not(.is-empty)')].map(
    (panel) => ({
      title: panel.querySelector('h3').textContent,
      panel: box(panel),
      figure: box(panel.querySelector('.bqplot')),
      marks: [...panel.querySelectorAll(marks)].map(box),
      texts: [...panel.querySelectorAll('.bqplot text')]
        .map(box).filter((text) => text.text && text.width),
    }));
}"""


@pytest.mark.parametrize("tab", TABS)
def test_every_chart_is_drawn_inside_its_panel_with_texts_apart(
    shown: Visit, width: int, tab: str, pictures: Path
) -> None:
    shown.open_tab(tab)
    panels = shown.page.evaluate(_BOXES, [MARKS])
    shown.page.screenshot(path=pictures / f"{tab.split()[0].lower()}-{width}.png", full_page=True)

    assert panels
    assert not scrolls_sideways(shown)
    for panel in panels:
        title, outer = panel["title"], panel["panel"]
        assert any(mark["width"] > 0 and mark["height"] >= 0 for mark in panel["marks"]), title
        assert panel["figure"]["width"] > 0.85 * (outer["width"] - 42), title
        for part in (*panel["marks"], *panel["texts"]):
            assert part["left"] >= outer["left"] - 1, (title, part)
            assert part["right"] <= outer["right"] + 1, (title, part)
            assert part["bottom"] <= outer["bottom"] + 1, (title, part)
        texts = panel["texts"]
        for number, one in enumerate(texts):
            for other in texts[number + 1 :]:
                apart = (
                    one["right"] <= other["left"] + 1
                    or other["right"] <= one["left"] + 1
                    or one["bottom"] <= other["top"] + 3
                    or other["bottom"] <= one["top"] + 3
                )
                assert apart, (title, one["text"], other["text"])


def test_cards_show_the_numbers_of_analytics_stats(shown: Visit) -> None:
    first, last = (
        shown.page.locator(f'input[name="{name}"]').input_value() for name in ("first", "last")
    )
    stats = shown.stats("--from", first, "--to", last, "--compare")
    expected = {
        "renders": stats["renders"]["total"],
        "credits": stats["credits"]["spent"],
        "api": stats["api"]["total_calls"],
        "storage": stats["storage"]["stored_bytes"],
        "projects": stats["projects"]["total"],
        "account": stats["activity"]["logins"],
    }
    cards = {key: shown.card(key).get_attribute("data-value") for key in expected}
    assert {key: float(value or "nan") for key, value in cards.items()} == expected
    assert shown.card("renders").locator(".value").inner_text() == f"{expected['renders']:,}"
    assert f"{stats['previous']['renders']['total']:,} before" in shown.card("renders").inner_text()


@pytest.mark.parametrize("to_width", [360, 1920, 700])
def test_charts_follow_the_window(browser: Browser, server: Server, to_width: int) -> None:
    with visit(browser, server, width=1024) as seen:
        seen.page.set_viewport_size({"width": to_width, "height": 900})
        seen.page.wait_for_timeout(1200)
        panel = seen.page.evaluate(_BOXES, [MARKS])[0]
        assert not scrolls_sideways(seen)
        assert panel["figure"]["right"] <= panel["panel"]["right"]
        assert panel["figure"]["width"] > panel["panel"]["width"] - 46
        line = panel["marks"][-1]
        assert line["width"] > 0.7 * panel["figure"]["width"]
        assert line["right"] <= panel["panel"]["right"]


def test_charts_that_were_moved_look_like_those_of_a_page_opened_so(
    browser: Browser, server: Server
) -> None:
    shown = """() => [...document.querySelectorAll('.tabpanel.is-selected .bqplot text,'
        + '.tabpanel.is-selected .bqplot .line, .tabpanel.is-selected .bqplot .bar rect')]
      .filter((part) => part.getClientRects().length && !part.matches('.curve_label'))
      .map((part) => {
        const box = part.getBoundingClientRect();
        return [part.textContent, part.getAttribute('d'),
          ...[box.x, box.y, box.width, box.height].map(Math.round)];
      }).sort()"""
    for tab in ("overview", "renders", "credits"):
        with visit(browser, server, f"&tab={tab}&range=90d") as seen:
            opened = seen.page.evaluate(shown)
        with visit(browser, server, f"&tab={tab}&range=all") as seen:
            for period in ("7d", "this-year", "90d"):
                seen.page.locator(f'[data-period="{period}"]').click()
                seen.settle()
            moved = seen.page.evaluate(shown)
        assert len(opened) > 5
        assert moved == opened, tab
