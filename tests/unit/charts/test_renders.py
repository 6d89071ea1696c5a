"""The Renders tab."""

from __future__ import annotations

from dataclasses import replace

from analytics_core.charts.renders import renders
from analytics_core.charts.values import Card, Chart, Kind, Tone
from analytics_core.model.results import Comparison
from tests.support.samples import NOW, sample_comparison


def chart(key: str, comparison: Comparison) -> Chart:
    return next(c for c in renders(comparison, NOW).charts if c.key == key)


def card(key: str, comparison: Comparison) -> Card:
    return next(c for c in renders(comparison, NOW).cards if c.key == key)


def sample(**results) -> Comparison:
    comparison = sample_comparison(compare=False)
    stats = replace(comparison.current.renders, **results)
    return Comparison(replace(comparison.current, renders=stats))


def test_types_are_a_pie():
    assert chart("renders-by-type", sample_comparison()).kind is Kind.PIE


def test_statuses_and_qualities_keep_the_order_that_means_something():
    by_status = {"completed": 1, "failed": 5, "pending": 0, "processing": 9}
    by_quality = {"standard": 1, "high": 5, "ultra": 3}
    comparison = sample(by_status=by_status, by_quality=by_quality)
    for key, order in (("status", by_status), ("quality", by_quality)):
        drawn = chart(f"renders-by-{key}", comparison)
        assert [member.key for member in drawn.members] == list(order)


def test_the_sentence_about_statuses_counts_each_that_happened():
    by_status = {"completed": 1, "failed": 0, "pending": 2, "processing": 1}
    summary = chart("renders-by-status", sample(by_status=by_status)).summary
    assert summary == "1 completed, 3 in progress."


def test_daily_means_stay_daily_in_a_long_range():
    drawn = chart("renders-processing-time-by-day", sample_comparison(400))
    assert (drawn.dimension, len(drawn.members)) == ("date", 400)


def test_a_day_without_finished_renders_has_no_rate_rather_than_zero():
    drawn = chart(
        "renders-success-rate-by-day", sample(success_rate_by_day=(None, 0.0, *[50.0] * 28))
    )
    assert drawn.series[0].values[:2] == (None, 0.0)


def test_the_rate_is_told_from_the_numbers_behind_it():
    by_status = {"completed": 3, "failed": 1, "pending": 7, "processing": 0}
    comparison = sample(by_status=by_status, success_rate=75.0)
    summary = chart("renders-success-rate-by-day", comparison).summary
    assert summary == "3 of 4 finished renders (75%) completed."


def test_a_rate_of_zero_is_told_as_none():
    by_status = {"completed": 0, "failed": 2, "pending": 0, "processing": 0}
    comparison = sample(by_status=by_status, success_rate=0.0)
    summary = chart("renders-success-rate-by-day", comparison).summary
    assert summary == "None of 2 finished renders completed."


def test_slower_is_bad_and_a_higher_rate_is_good():
    comparison = sample_comparison()
    assert comparison.previous is not None
    stats = replace(comparison.previous.renders, average_processing_time=1.0, success_rate=1.0)
    comparison = replace(comparison, previous=replace(comparison.previous, renders=stats))
    time, rate = renders(comparison, NOW).cards
    assert time.change is not None
    assert rate.change is not None
    assert (time.change.tone, rate.change.tone) == (Tone.BAD, Tone.GOOD)


def test_without_a_finished_render_the_cards_have_a_dash():
    comparison = sample(average_processing_time=None, success_rate=None)
    assert card("renders-processing-time", comparison).value == "–"
    assert card("renders-success-rate", comparison).value == "–"
