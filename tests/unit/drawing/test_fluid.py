"""Charts that fill any width: the same marks, labels chosen by the style sheet, text as it is."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import dashboards
from analytics_core.charts import tabs
from analytics_core.charts.values import Chart, Kind, Member, Role, Series, Unit
from analytics_core.drawing import layout
from analytics_core.drawing.fluid import WIDTHS, fluid
from tests.support.samples import NOW, empty_comparison, sample_comparison

HOSTILE = '<script>alert("1")</script>&\x00\ud800\'"]]>'
SHEET = Path(dashboards.__file__).parent / "template/voila/templates/usage/page.css"


class Reader(HTMLParser):
    """The elements of a fragment with what they are in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def marks(self, kind: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for _, attributes in self.elements
            if (attributes.get("class") or "").startswith(f"mark {kind}")
        ]


def parts(kind: Kind, *members: Member, values: tuple[float, ...]) -> Chart:
    series = (Series("a", "Things", Role.API, values),)
    return Chart("key", kind, "Title", "Said.", "type", Unit.COUNT, members, series)


def charts() -> list[Chart]:
    return [chart for tab in tabs(sample_comparison(), NOW) for chart in tab.charts]


@pytest.mark.parametrize("chart", charts(), ids=lambda chart: chart.key)
def test_every_chart_has_its_marks_and_says_what_it_shows(chart: Chart) -> None:
    drawn = Reader(fluid(chart))
    if chart.empty is not None:
        assert drawn.elements == []
        return
    kind = {Kind.LINES: "line", Kind.BARS: "bar", Kind.PIE: "slice"}[chart.kind]
    assert drawn.marks(kind) or drawn.marks("dot")
    assert f"{chart.title}. {chart.summary}" in [a.get("aria-label") for _, a in drawn.elements]


def test_what_is_empty_is_not_drawn() -> None:
    for tab in tabs(empty_comparison(), NOW):
        assert {fluid(chart) for chart in tab.charts if chart.empty} <= {""}


def test_names_from_outside_are_text() -> None:
    chart = parts(Kind.BARS, Member(HOSTILE, HOSTILE), Member("b", "B", HOSTILE), values=(1.0, 2.0))
    drawn = Reader(fluid(chart))
    assert "script" not in {tag for tag, _ in drawn.elements}
    assert "\x00" not in fluid(chart)
    assert "\ud800" not in fluid(chart)


def test_a_width_at_which_labels_differ_has_labels_of_its_own() -> None:
    long = "a platform with a name that hardly fits anywhere at all, on no phone"
    chart = parts(Kind.BARS, Member("a", long), Member("b", "B"), values=(1.0, 2.0))
    shown = re.findall(r'class="drawing bars ([^"]*)"', fluid(chart))
    assert shown[0].startswith("to-")
    assert shown[-1].startswith("from-")
    # One follows the other without a gap.
    ends = [re.search(r"to-(\d+)", name) for name in shown[:-1]]
    starts = [re.search(r"from-(\d+)", name) for name in shown[1:]]
    assert [e and e[1] for e in ends] == [s and s[1] for s in starts]


def test_dates_are_those_of_the_live_layout_at_each_width() -> None:
    chart = next(chart for chart in charts() if chart.kind is Kind.LINES)
    groups = re.findall(r'<g class="([^"]*)">(.*?)</g>', fluid(chart), re.DOTALL)
    for width in (300, *WIDTHS):
        fitting = [
            body
            for name, body in groups
            if all(width >= int(w) for w in re.findall(r"from-(\d+)", name))
            and all(width < int(w) for w in re.findall(r"to-(\d+)", name))
        ]
        assert len(fitting) == 1
        labels = re.findall(r">([^<]+)</text>", fitting[0])
        assert labels == [tick.label for tick in layout(chart, width).x_ticks]


def test_the_style_sheet_knows_every_width() -> None:
    rules = SHEET.read_text(encoding="utf-8")
    for width in WIDTHS:
        assert re.search(rf"@container \(min-width: {width}px\) \{{ \.from-{width} ", rules)
    hidden = re.search(r"((?:\.from-\d+,? ?)+)\{ display: none; \}", rules)
    assert hidden is not None
    assert re.findall(r"\d+", hidden[1]) == [str(width) for width in WIDTHS]
    assert [int(w) for w in re.findall(r"\.to-(\d+) \{ display: none", rules)] == list(WIDTHS[:-1])


def test_a_line_breaks_where_there_is_no_value_and_a_lone_value_is_a_dot() -> None:
    members = tuple(Member(f"2026-10-{n + 1:02}", f"Oct {n + 1}") for n in range(5))
    series = (Series("a", "A", Role.RENDERS, (1, 2, None, 4, None)),)
    chart = Chart("k", Kind.LINES, "T", "S.", "date", Unit.COUNT, members, series)
    drawn = Reader(fluid(chart))
    (line,) = drawn.marks("line")
    assert (line["d"] or "").count("M") == 1
    (dot,) = drawn.marks("dot")
    assert dot["cx"] == "75.000%"
