"""What all six tabs have in common, whatever the numbers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts import tabs
from analytics_core.charts.values import Chart, Kind
from analytics_core.model.results import Comparison
from tests.support.samples import NOW, empty_comparison, sample_comparison

SAMPLES = st.builds(
    sample_comparison,
    days=st.sampled_from([1, 2, 7, 30, 31, 90, 121, 366, 800]),
    compare=st.booleans(),
    scale=st.sampled_from([0, 1, 1000]),
)


def charts(comparison: Comparison) -> list[Chart]:
    return [chart for tab in tabs(comparison, NOW) for chart in tab.charts]


def test_the_tabs_come_in_the_order_people_read_them():
    assert [(tab.key, tab.label) for tab in tabs(sample_comparison(), NOW)] == [
        ("overview", "Overview"),
        ("renders", "Renders"),
        ("credits", "Credits"),
        ("api", "API usage"),
        ("storage", "Storage"),
        ("projects", "Projects"),
    ]


@given(SAMPLES)
def test_no_two_charts_or_cards_share_a_key(comparison):
    keys = [chart.key for chart in charts(comparison)]
    keys += [card.key for tab in tabs(comparison, NOW) for card in tab.cards]
    assert len(keys) == len(set(keys))


@given(SAMPLES)
def test_every_series_has_a_value_for_each_member(comparison):
    for chart in charts(comparison):
        lines = [*chart.series, *([chart.comparison] if chart.comparison else [])]
        assert {len(line.values) for line in lines} == {len(chart.members)}


@given(SAMPLES)
def test_every_summary_is_one_sentence(comparison):
    for chart in charts(comparison):
        assert re.fullmatch(r"[A-Z0-9][^\n]*[^. ]\.", chart.summary), chart.summary
        assert "  " not in chart.summary
        assert "; ." not in chart.summary
        assert not re.search(r"\b1 (renders|days|files|projects|credits|calls)\b", chart.summary)


@given(SAMPLES)
def test_a_chart_is_empty_exactly_where_no_line_bar_or_slice_has_anything(comparison):
    for chart in charts(comparison):
        lines = [*chart.series, *([chart.comparison] if chart.comparison else [])]
        values = [value for line in lines for value in line.values]
        if chart.key in ("renders-processing-time-by-day", "renders-success-rate-by-day"):
            assert (chart.empty is None) == any(value is not None for value in values)
        else:
            assert (chart.empty is None) == any(values)


@pytest.mark.parametrize("days", [None, 30])
def test_where_there_is_nothing_every_chart_says_what_would_be_here(days):
    for chart in charts(empty_comparison(days)):
        assert chart.empty is not None
        assert "would appear here" in chart.empty


@given(SAMPLES)
def test_the_period_before_is_laid_over_lines_alone(comparison):
    for chart in charts(comparison):
        expected = chart.kind is Kind.LINES and comparison.previous is not None
        assert (chart.comparison is not None) == expected


def test_the_same_charts_are_there_with_any_range_so_that_figures_can_be_kept():
    def keys(days: int, scale: int) -> list[str]:
        drawn = charts(sample_comparison(days=days, scale=scale))
        return [chart.key for chart in drawn]

    assert keys(7, 1) == keys(30, 1) == keys(400, 3)
