"""What the benchmarks take for a chart on screen: the one that was asked for, and nothing less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page

from analytics_core.charts.values import Chart, Kind, Member, Role, Series, Unit
from analytics_core.drawing.fluid import fluid
from analytics_core.drawing.svg import draw
from dashboards.first_paint import TEMPLATES
from tests.benchmarks.browsing import script
from tests.benchmarks.rivals.sites import OURS, PANEL, Data, Site
from tests.benchmarks.visitors import CHART

STYLES = (TEMPLATES / "voila/templates/usage/page.css").read_text()
ADDRESS = "http://127.0.0.1:9/"
MONTH = (3, 9, 4, 12, 8, 8, 15, 2, 0, 7, 11, 5)
WEEK = (9, 1, 8, 2, 6, 6, 1)
COLOR = [47, 111, 237]
DATA = Data(
    url="",
    grant="",
    series={
        "30d": [{"color": COLOR, "values": MONTH}],
        "7d": [{"color": COLOR, "values": WEEK}],
    },
)
MONTHS_CHART = Chart(
    key="renders",
    kind=Kind.LINES,
    title="Renders",
    summary="",
    dimension="date",
    unit=Unit.COUNT,
    members=tuple(Member(f"2026-11-{n:02}", str(n)) for n in range(1, len(MONTH) + 1)),
    series=(Series("renders", "Renders", Role.RENDERS, MONTH),),
)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def shows(page: Page, body: str, period: str, site: Site = OURS) -> bool:
    """Whether a page of this body counts as showing the charts of a period."""
    page.add_init_script(script(site, DATA))
    html = {"content_type": "text/html", "body": f"<!DOCTYPE html><body>{body}"}
    page.route("**/*", lambda route: route.fulfill(**html))
    page.goto(ADDRESS)
    shown: bool = page.evaluate("(period) => bench.shows(period)", period)
    return shown


def test_a_drawing_of_the_period_is_a_chart(page: Page) -> None:
    assert shows(page, draw(MONTHS_CHART, width=600), "30d")


def test_a_painted_page_shows_its_chart(page: Page) -> None:
    plot = f'<div class="panel-plot">{fluid(MONTHS_CHART)}</div>'
    painted = f'<div class="usage-page usage-painted"><div class="panel">{plot}</div></div>'
    assert shows(page, f"<style>{STYLES}</style>{painted}", "30d")


def test_a_painted_page_is_recognised_without_a_browser_too() -> None:
    assert fluid(MONTHS_CHART).encode().count(CHART) == 1


def test_a_drawing_of_another_period_is_not(page: Page) -> None:
    assert not shows(page, draw(MONTHS_CHART, width=600), "7d")


def test_other_numbers_in_the_same_place_are_not(page: Page) -> None:
    upside_down = Series("renders", "Renders", Role.RENDERS, MONTH[::-1])
    assert not shows(page, draw(replace(MONTHS_CHART, series=(upside_down,)), width=600), "30d")


@pytest.mark.parametrize("hidden", ["display:none", "opacity:0", "visibility:hidden"])
def test_what_nobody_sees_is_not(page: Page, hidden: str) -> None:
    drawing = draw(MONTHS_CHART, width=600)
    assert not shows(page, f'<div style="{hidden}">{drawing}</div>', "30d")


def test_what_is_below_the_window_is_not(page: Page) -> None:
    drawing = draw(MONTHS_CHART, width=600)
    assert not shows(page, f'<div style="padding-top:3000px">{drawing}</div>', "30d")


def test_a_line_on_a_canvas_in_a_shadow_root_is_a_chart(page: Page) -> None:
    points = [[20 + 40 * n, 180 - 10 * value] for n, value in enumerate(MONTH)]
    body = f"""<div id="host"></div><script>
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [600, 200];
      document.getElementById("host").attachShadow({{mode: "open"}}).append(canvas);
      const context = canvas.getContext("2d");
      context.strokeStyle = "rgb({", ".join(map(str, COLOR))})";
      context.lineWidth = 2;
      {points}.forEach(([x, y]) => context.lineTo(x, y));
      context.stroke();
    </script>"""
    assert shows(page, body, "30d", PANEL)
    assert not page.evaluate("bench.shows('7d')")


def test_the_first_chart_is_told_once_it_is_there(page: Page) -> None:
    drawing = draw(MONTHS_CHART, width=600)
    body = f"""<main></main><script>
      setTimeout(() => (document.querySelector("main").innerHTML = `{drawing}`), 300);
    </script>"""
    shows(page, body, "30d")
    assert 300 < page.evaluate("bench.opened") < 20_000


def test_a_control_is_clicked_until_it_answers(page: Page) -> None:
    week = replace(
        MONTHS_CHART,
        members=MONTHS_CHART.members[: len(WEEK)],
        series=(Series("renders", "Renders", Role.RENDERS, WEEK),),
    )
    body = f"""<button>7 d</button><main>{draw(MONTHS_CHART, width=600)}</main><script>
      setTimeout(() => (document.querySelector("button").onclick = () => {{
        document.querySelector("main").innerHTML = `{draw(week, width=600)}`;
      }}), 400);
    </script>"""
    shows(page, body, "30d")
    assert page.evaluate("bench.answers('7 d', '7d')") > 400
