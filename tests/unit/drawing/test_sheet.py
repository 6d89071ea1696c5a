"""A sheet shows cards and charts as HTML that needs nothing else and trusts no text."""

from __future__ import annotations

import re
from dataclasses import replace

from analytics_core.charts import table
from analytics_core.charts.page import page
from analytics_core.charts.values import Card, Chart, Kind, Member, Role, Series, Unit
from analytics_core.drawing.sheet import Sheet, style
from tests.support.samples import NOW, empty_comparison, sample_comparison

PAGE = page("Mara", sample_comparison(), NOW)
HOSTILE = "<script>alert('x')</script>\"&\x00"


def html(*parts: object) -> str:
    """What a notebook shows, without the style."""
    return Sheet(*parts)._repr_html_().removeprefix(style())  # type: ignore[arg-type]


def bars(label: str = "Web", title: str = "By platform") -> Chart:
    series = Series("renders", label, Role.RENDERS, (3,))
    member = Member("web", label)
    return Chart("bars", Kind.BARS, title, title, title, Unit.COUNT, (member,), (series,))


def lines(key: str) -> Chart:
    members = (Member("2026-10-01", "Oct 1"), Member("2026-10-02", "Oct 2"))
    series = Series("renders", "Renders", Role.RENDERS, (1, 2))
    return Chart(key, Kind.LINES, key, key, "date", Unit.COUNT, members, (series,))


def test_a_card_shows_its_value_and_the_period_before() -> None:
    renders = PAGE.cards[0]
    shown = html(renders)
    assert renders.change is not None
    for text in (renders.label, renders.value, renders.context, renders.change.before):
        assert f">{text}<" in shown
    assert f'data-value="{renders.exact}"' in shown
    assert f'class="chip {renders.change.tone}"' in shown


def test_a_chart_has_its_title_its_sentence_and_the_table_behind_it() -> None:
    chart = PAGE.chart("daily-usage")
    shown = html(chart)
    assert f"<h3>{chart.title}</h3>" in shown
    assert f'<p class="summary">{chart.summary}</p>' in shown
    header, rows = table(chart)
    assert re.findall(r'<th scope="col">(.*?)</th>', shown) == list(header)
    assert re.findall(r'<th scope="row">(.*?)</th>', shown) == [name for name, *_ in rows]


def test_a_chart_without_data_says_what_would_be_there_and_has_no_table() -> None:
    empty = replace(bars(), empty="Renders would appear here.")
    assert "<details" not in html(empty)
    assert "Renders would appear here." in html(empty)


def test_a_page_shows_everything_in_reading_order() -> None:
    shown = html(PAGE)
    found = re.findall(r"<h[123]>(.*?)</h[123]>", shown)
    expected = ["Usage", *(card.label for card in PAGE.cards)]
    for tab in PAGE.tabs:
        expected += [tab.label, *(card.label for card in tab.cards)]
        expected += [chart.title for chart in tab.charts]
    assert found == expected


def test_neighbours_share_a_grid() -> None:
    shown = html(PAGE.cards[0], PAGE.cards[1], bars(), bars())
    assert shown.count('<section class="cards">') == 1
    assert shown.count('<section class="panels">') == 1


def test_of_an_odd_number_of_neighbours_one_has_a_row_of_its_own() -> None:
    shown = html(lines("a"), lines("b"), lines("c"), bars())
    assert re.findall(r'class="panel( wide)?"', shown) == [" wide", "", "", " wide"]


def test_every_text_is_escaped() -> None:
    card = Card("k", HOSTILE, Role.RENDERS, HOSTILE, 1, HOSTILE)
    heading = replace(PAGE.heading, who=HOSTILE)
    shown = html(heading, card, bars(HOSTILE, HOSTILE))
    assert "<script" not in shown
    assert "\x00" not in shown
    assert shown.count("&lt;script&gt;") >= 6


def test_a_sheet_asks_nothing_of_any_host() -> None:
    shown = Sheet(PAGE)._repr_html_().replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|<script|<link|@import|url\(|src=", shown)


def test_a_user_without_any_record_can_be_shown() -> None:
    assert "No usage recorded yet" in html(page("Nils", empty_comparison(), NOW))


def test_elsewhere_a_sheet_says_what_it_would_show() -> None:
    assert repr(Sheet(bars(), PAGE.tabs[1])) == "<By platform, Renders>"
