"""Renders, credits and API calls, together where one scale serves them all."""

from __future__ import annotations

from dataclasses import replace

from analytics_core.charts.overview import overview
from analytics_core.charts.values import Kind, Role
from analytics_core.model.results import Comparison
from tests.support.samples import NOW, sample_comparison


def with_calls(*by_day: int, compare: bool = False) -> Comparison:
    sample = sample_comparison(len(by_day), compare=compare)
    api = replace(sample.current.api, by_day=by_day, total_calls=sum(by_day))
    return replace(sample, current=replace(sample.current, api=api))


def test_lines_of_a_size_share_one_panel():
    content = overview(sample_comparison(), NOW)
    assert [chart.key for chart in content.charts] == ["daily-usage", "overview-by-platform"]
    assert [line.role for line in content.charts[0].series] == [
        Role.RENDERS,
        Role.CREDITS,
        Role.API,
    ]


def test_lines_up_to_ten_times_apart_still_share_one():
    most_spent = max(sample_comparison().current.credits.spent_by_day)
    little = with_calls(*[-(-most_spent // 10)] * 30)
    less = with_calls(*[most_spent // 11] * 30)
    assert overview(little, NOW).charts[0].key == "daily-usage"
    assert overview(less, NOW).charts[0].key == "daily-renders"


def test_lines_more_than_ten_times_apart_get_panels_of_their_own():
    content = overview(with_calls(*[90_000] * 30), NOW)
    assert [chart.key for chart in content.charts] == [
        "daily-renders",
        "daily-spent",
        "daily-api",
        "overview-by-platform",
    ]


def test_a_line_of_zeros_needs_no_panel_of_its_own():
    assert overview(with_calls(*[0] * 30), NOW).charts[0].key == "daily-usage"


def test_only_the_main_line_shows_the_period_before():
    comparison = sample_comparison()
    assert comparison.previous is not None
    before = overview(comparison, NOW).charts[0].comparison
    assert before is not None
    assert before.role is Role.BEFORE
    assert before.values == comparison.previous.renders.by_day


def test_the_sentence_tells_the_change_where_there_is_a_period_before():
    summary = overview(sample_comparison(), NOW).charts[0].summary
    assert summary == "Renders fell 1.3% to 1,462; Fridays are busiest."


def test_the_sentence_tells_the_totals_where_there_is_none():
    summary = overview(sample_comparison(7, compare=False), NOW).charts[0].summary
    assert summary == (
        "388 renders, 769 credits spent and 199 API calls; for renders, most on Oct 30 (77)."
    )


def test_a_long_range_is_drawn_by_week_and_says_so():
    chart = overview(sample_comparison(400), NOW).charts[0]
    assert (chart.title, chart.dimension) == ("Weekly usage", "week")
    assert "the first week has only 1 day" in chart.summary


def test_platforms_are_bars_longest_first():
    chart = overview(sample_comparison(), NOW).charts[-1]
    values = [value or 0 for value in chart.series[0].values]
    assert chart.kind is Kind.BARS
    assert values == sorted(values, reverse=True)
