"""Ticks stand at round values and at dates as people write them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts.values import Unit
from analytics_core.drawing import ticks

SIZES = st.one_of(
    st.integers(0, 10**18),
    st.floats(0, 1e9, allow_nan=False),
    st.floats(1e-9, 1, allow_nan=False),
)


def labels(high: float, unit: Unit = Unit.COUNT, low: float = 0) -> list[str]:
    return [tick.label for tick in ticks.values(low, high, unit)]


def named(days: int, room: float, last: date = date(2026, 10, 31)) -> list[str]:
    keys = [(last - timedelta(days=n)).isoformat() for n in reversed(range(days))]
    return [tick.label for tick in ticks.dates(keys, room, lambda label: 7.0 * len(label))]


@pytest.mark.parametrize(
    ("high", "unit", "expected"),
    [
        (135, Unit.COUNT, ["0", "40", "80", "120", "160"]),
        (3, Unit.COUNT, ["0", "1", "2", "3"]),
        (1, Unit.COUNT, ["0", "1"]),
        (0, Unit.COUNT, ["0", "1"]),
        (5_000_000, Unit.COUNT, ["0", "2M", "4M", "6M"]),
        (45_000, Unit.COUNT, ["0", "20k", "40k", "60k"]),
        (4_200_000_000, Unit.BYTES, ["0", "2 GB", "4 GB", "6 GB"]),
        (1_000_000_000, Unit.BYTES, ["0", "0.25 GB", "0.5 GB", "0.75 GB", "1 GB"]),
        (2, Unit.BYTES, ["0", "1 B", "2 B"]),
        (46.7, Unit.SECONDS, ["0", "20 s", "40 s", "60 s"]),
        (600, Unit.SECONDS, ["0", "4 min", "8 min", "12 min"]),
        (1240, Unit.MILLISECONDS, ["0", "0.4 s", "0.8 s", "1.2 s", "1.6 s"]),
        (0.5, Unit.CREDITS, ["0", "0.2", "0.4", "0.6"]),
        (100, Unit.PERCENT, ["0", "25%", "50%", "75%", "100%"]),
    ],
)
def test_values_are_round_and_written_in_one_unit(high, unit, expected):
    shown = labels(high, unit)
    assert [label.replace("0%", "0", 1) if label == "0%" else label for label in shown] == expected


def test_a_rate_that_is_always_high_is_not_drawn_from_zero():
    assert labels(100, Unit.PERCENT, low=96) == ["90%", "92%", "94%", "96%", "98%", "100%"]


@given(SIZES, st.sampled_from(Unit))
def test_ticks_reach_over_all_values_and_are_few_and_told_apart(high, unit):
    made = ticks.values(0, high, unit)
    assert made[0].at <= 0
    assert made[-1].at >= high * (1 - 1e-9)
    assert 2 <= len(made) <= 6
    assert len({tick.label for tick in made}) == len(made)


@given(st.integers(0, 10**12), st.sampled_from([Unit.COUNT, Unit.BYTES]))
def test_what_is_counted_in_wholes_has_no_tick_at_a_fraction(high, unit):
    assert all(float(tick.at).is_integer() for tick in ticks.values(0, high, unit))


@given(st.integers(-(10**9), 0), st.integers(0, 10**9))
def test_values_below_zero_are_within_the_ticks(low, high):
    made = ticks.values(low, high, Unit.CREDITS)
    assert made[0].at <= low
    assert made[-1].at >= high


def test_a_month_has_its_first_and_its_last_date():
    assert named(31, 900) == ["Oct 1", "Oct 6", "Oct 11", "Oct 16", "Oct 21", "Oct 26", "Oct 31"]


def test_with_less_room_there_are_fewer_dates_and_still_both_ends():
    assert named(31, 260) == ["Oct 1", "Oct 11", "Oct 21", "Oct 31"]


def test_a_long_range_is_told_by_month_with_the_year_where_it_begins():
    assert named(366, 900) == ["Nov 2025", "Jan 2026", "Mar", "May", "Jul", "Sep"]


def test_many_years_are_told_by_year():
    assert named(3650, 500) == ["2018", "2020", "2022", "2024", "2026"]


def test_one_date_is_one_tick():
    assert named(1, 300) == ["Oct 31"]


@given(st.integers(1, 4000), st.integers(230, 1600), st.integers(0, 400))
def test_dates_never_overlap_and_are_always_there(days, room, shift):
    last = date(2026, 10, 31) - timedelta(days=shift)
    keys = [(last - timedelta(days=n)).isoformat() for n in reversed(range(days))]
    made = ticks.dates(keys, room, lambda label: 7.0 * len(label))
    apart = room / max(days - 1, 1)
    assert made
    assert days < 3 or len(made) >= 2
    for left, right in pairwise(made):
        assert (right.at - left.at) * apart > 3.5 * (len(left.label) + len(right.label))
