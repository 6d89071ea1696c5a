"""Charts drawn as SVG: the right marks, real text, and nothing that data could smuggle in."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts import tabs
from analytics_core.charts.values import Chart, Kind, Member, Role, Series, Unit
from analytics_core.drawing import draw, legend, responsive, sparkline
from tests.support.samples import NOW, empty_comparison, sample_comparison

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert("1")</script>&\x00\ud800\'"]]>'


def lines(*values: float | None, before: tuple[float | None, ...] | None = None) -> Chart:
    members = tuple(Member(f"2026-10-{n + 1:02}", f"Oct {n + 1}") for n in range(len(values)))
    return Chart(
        "key",
        Kind.LINES,
        "Title",
        "Said.",
        "date",
        Unit.COUNT,
        members,
        (Series("a", "A", Role.RENDERS, values),),
        None if before is None else Series("before", "A before", Role.BEFORE, before),
    )


def parts(kind: Kind, **values: float) -> Chart:
    members = tuple(Member(key, key.capitalize()) for key in values)
    series = (Series("a", "Things", Role.API, tuple(values.values())),)
    return Chart("key", kind, "Title", "Said.", "type", Unit.COUNT, members, series)


def drawn(chart: Chart, width: float = 600) -> ElementTree.Element:
    return ElementTree.fromstring(draw(chart, width=width))


def marks(svg: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [node for node in svg.iter() if node.get("class", "").startswith(f"mark {name}")]


def words(svg: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in svg.iter(f"{SVG}text")]


def all_charts() -> list[Chart]:
    samples = [
        sample_comparison(),
        sample_comparison(1),
        sample_comparison(1000, scale=10**6),
        empty_comparison(),
    ]
    return [chart for sample in samples for tab in tabs(sample, NOW) for chart in tab.charts]


@pytest.mark.parametrize("width", [300, 340, 760, 1600])
def test_every_chart_of_every_tab_is_well_formed_svg(width):
    for chart in all_charts():
        svg = drawn(chart, width)
        assert svg.tag == f"{SVG}svg"
        assert "nan" not in draw(chart, width=width)


def test_a_drawing_is_an_image_named_by_its_title_and_told_by_its_summary():
    svg = drawn(lines(1, 2))
    named = {node.get("id"): node.text for node in svg if node.get("id")}
    assert svg.get("role") == "img"
    assert [named[key] for key in svg.get("aria-labelledby", "").split()] == ["Title", "Said."]


def test_a_line_breaks_where_there_is_no_value():
    (path,) = marks(drawn(lines(1, 2, None, 3, 4)), "line")
    assert path.get("d", "").count("M") == 2


def test_a_value_between_gaps_is_a_dot():
    svg = drawn(lines(1, 2, None, 3, None))
    assert len(marks(svg, "dot")) == 1


def test_a_single_day_is_a_dot_in_the_middle():
    (dot,) = marks(drawn(lines(5)), "dot")
    assert marks(drawn(lines(5)), "line") == []
    assert float(dot.get("cx", 0)) == pytest.approx(300, abs=20)


def test_the_period_before_is_dashed():
    before, line = marks(drawn(lines(1, 2, before=(3, None))), "dot") + marks(
        drawn(lines(1, 2, before=(3, 4))), "line before"
    )
    assert before.get("class") == "mark dot before"
    assert line.get("stroke-dasharray") == "3 4"


def test_higher_values_are_drawn_higher():
    (path,) = marks(drawn(lines(1, 9)), "line")
    low, high = (float(point.split(",")[1]) for point in path.get("d", "")[1:].split())
    assert high < low


def test_the_largest_bar_fills_its_track_and_the_others_are_in_proportion():
    svg = drawn(parts(Kind.BARS, web=80, tools=20, canvas=0))
    track = next(node for node in svg.iter() if node.get("class") == "track")
    widths = [float(bar.get("width", 0)) for bar in marks(svg, "bar")]
    assert widths[0] == float(track.get("width", 0))
    assert widths[1] == pytest.approx(widths[0] / 4, abs=0.1)
    assert len(widths) == 2


def test_bars_have_their_names_and_values_as_text():
    svg = drawn(parts(Kind.BARS, web=1598, tools=20))
    assert words(svg) == ["Web", "1,598", "Tools", "20"]


def test_a_name_that_is_shortened_is_there_in_full_on_hover():
    route = "POST /v1/projects/{project_id}/renders/{render_id}/downloads"
    chart = replace(parts(Kind.BARS, a=3), members=(Member(route, route),))
    svg = drawn(chart, 300)
    assert words(svg)[0] != route
    assert f"{route}: 3" in [node.text for node in svg.iter(f"{SVG}title")]


def test_a_pie_has_a_slice_for_each_part_with_its_percentage():
    svg = drawn(parts(Kind.PIE, image=3, video=1))
    assert len(marks(svg, "slice")) == 2
    assert {"Image", "75%", "3", "Video", "25%", "1"} <= set(words(svg))


def test_only_the_slice_of_more_than_half_takes_the_long_way_round():
    slices = marks(drawn(parts(Kind.PIE, image=3, video=1)), "slice")
    flags = [re.findall(r" 0 ([01]) [01] ", node.get("d", "")) for node in slices]
    assert flags == [["1", "1"], ["0", "0"]]


def test_a_pie_of_one_part_is_a_whole_ring():
    (ring,) = marks(drawn(parts(Kind.PIE, image=3)), "slice")
    assert ring.get("d", "").count("Z") == 2


def test_where_there_is_nothing_the_drawing_says_what_would_be_here():
    chart = replace(lines(0, 0), empty="Renders would appear here. Make one.")
    svg = drawn(chart, 300)
    assert " ".join(words(svg)) == "Renders would appear here. Make one."
    assert marks(svg, "line") == []


@pytest.mark.parametrize("kind", Kind)
def test_names_from_outside_are_text_and_nothing_else(kind):
    chart = Chart(
        HOSTILE,
        kind,
        HOSTILE,
        HOSTILE,
        "date" if kind is Kind.LINES else "route",
        Unit.COUNT,
        (Member("2026-10-01", HOSTILE), Member("2026-10-02", HOSTILE)),
        (Series(HOSTILE, HOSTILE, Role.API, (3, 1)),),
    )
    markup = draw(chart, width=600)
    assert "<script" not in markup
    ElementTree.fromstring(markup)


@given(st.text())
def test_any_text_at_all_is_well_formed(name):
    chart = replace(parts(Kind.BARS, a=3), members=(Member(name, name),), title=name, summary=name)
    drawn(chart)


def test_a_legend_escapes_its_names():
    chart = lines(1, 2, before=(1, 2))
    hostile = replace(chart, series=(replace(chart.series[0], label=HOSTILE),))
    assert "<script" not in legend(hostile)


def test_a_legend_names_each_line_and_the_period_before():
    assert re.findall(r">([^<>]+)</span>", legend(lines(1, 2, before=(1, 2)))) == ["A", "A before"]


def test_one_line_alone_needs_no_legend():
    assert legend(lines(1, 2)) == ""


def test_within_a_page_a_drawing_follows_its_theme():
    assert "var(--renders, #2f6fed)" in draw(lines(1, 2), width=600)


@pytest.mark.parametrize(("theme", "color"), [("light", "#2f6fed"), ("dark", "#6ea0ff")])
def test_on_its_own_a_drawing_has_the_theme_that_was_asked_for(theme, color):
    markup = draw(lines(1, 2), width=600, theme=theme)
    assert color in markup
    assert "var(" not in markup


def test_an_unknown_theme_is_refused():
    with pytest.raises(ValueError, match="sepia"):
        draw(lines(1, 2), width=600, theme="sepia")


def test_a_drawing_asks_for_nothing_from_elsewhere():
    for chart in all_charts():
        markup = draw(chart, width=340).replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|url\(|href|@import", markup)


def test_a_page_gets_a_drawing_for_each_width_of_which_one_is_shown():
    markup = responsive(lines(1, 2), widths=(340, 760))
    assert markup.count("<svg") == 2
    assert ".drawing-760{display:none}" in markup
    assert "@container (min-width:760px)" in markup


def test_drawings_of_one_chart_have_ids_of_their_own():
    ids = re.findall(r' id="([^"]+)"', responsive(lines(1, 2)))
    assert len(ids) == len(set(ids)) == 6


@pytest.mark.parametrize("values", [(), (5,), (0, 0, 0), (1, None, 3, 4), (None,), (1e18, 1)])
def test_a_small_line_can_be_drawn_of_anything(values):
    svg = ElementTree.fromstring(sparkline(values, Role.CREDITS))
    assert svg.get("aria-hidden") == "true"
    assert "nan" not in sparkline(values, Role.CREDITS)


def test_a_small_line_rises_with_its_values_within_its_height():
    line = marks(ElementTree.fromstring(sparkline((1, 5), Role.CREDITS, height=36)), "line")[0]
    heights = [float(point.split(",")[1]) for point in line.get("d", "")[1:].split("L")]
    assert 36 > heights[0] > heights[1] > 0
