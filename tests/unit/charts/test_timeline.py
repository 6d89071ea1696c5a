"""Long ranges are drawn by week or month, and nothing is lost or counted twice on the way."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts.timeline import Bins, Step, Timeline, laid_over
from tests.support.samples import NOW, sample_comparison, sample_range

LENGTHS = st.integers(1, 1200)


@pytest.mark.parametrize(
    ("days", "step"),
    [(1, Step.DAY), (120, Step.DAY), (121, Step.WEEK), (730, Step.WEEK), (731, Step.MONTH)],
)
def test_a_longer_range_is_drawn_in_longer_steps(days, step):
    assert Step.of(days) is step


@given(LENGTHS, st.sampled_from(Step))
def test_the_sums_of_steps_add_up_to_the_total(days, step):
    daily = [(7 * n) % 11 for n in range(days)]
    assert sum(Bins.of(sample_range(days), step).sums(daily)) == sum(daily)


@given(LENGTHS, st.sampled_from(Step))
def test_every_step_has_one_sum_one_level_and_one_member(days, step):
    bins, daily = Bins.of(sample_range(days), step), list(range(days))
    assert len(bins.sums(daily)) == len(bins.ends(daily)) == len(bins.members)
    assert bins.ends(daily)[-1] == daily[-1]


@given(LENGTHS, st.sampled_from(Step))
def test_members_are_dates_in_order(days, step):
    members = Bins.of(sample_range(days), step).members
    dates = [date.fromisoformat(member.key) for member in members]
    assert dates == sorted(set(dates))
    assert dates[0] == sample_range(days).first


def test_weeks_end_with_the_range_so_that_only_the_first_may_be_short():
    bins = Bins.of(sample_range(16), Step.WEEK)
    assert [member.full for member in bins.members] == [
        "Oct 16 – Oct 17, 2026",
        "Oct 18 – Oct 24, 2026",
        "Oct 25 – Oct 31, 2026",
    ]
    assert bins.caveat == "the first week has only 2 days"
    assert bins.whole([1] * 16) == (7, 7)


def test_months_are_those_of_the_calendar_and_short_ones_name_their_dates():
    bins = Bins.of(sample_range(45, last=date(2026, 10, 14)), Step.MONTH)
    assert [member.full for member in bins.members] == [
        "Aug 31, 2026",
        "September 2026",
        "Oct 1 – Oct 14, 2026",
    ]
    assert bins.caveat == "the first month has only 1 day and the last month has only 14 days"


def test_days_need_no_caveat():
    assert Bins.of(sample_range(30), Step.DAY).caveat == ""


def test_without_any_record_there_are_no_positions():
    assert Bins.of(None, Step.DAY).members == ()
    assert Bins.of(None, Step.DAY).sums(()) == ()


def test_a_day_that_is_not_over_says_nothing_about_habits():
    morning = datetime(2026, 10, 31, 9, tzinfo=UTC)
    assert Timeline.of(sample_comparison(7), morning).complete_days[-1] == date(2026, 10, 30)
    assert Timeline.of(sample_comparison(7), NOW).complete_days[-1] == date(2026, 10, 31)


@pytest.mark.parametrize(
    ("before", "laid"), [((1, 2, 3, 4), (1, 2, 3)), ((1,), (1, None, None)), ((), (None,) * 3)]
)
def test_the_period_before_is_cut_or_filled_up_to_the_positions_there_are(before, laid):
    assert laid_over(before, 3) == laid
