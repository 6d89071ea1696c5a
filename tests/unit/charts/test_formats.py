"""Numbers, sizes, times and dates as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts import formats
from analytics_core.charts.values import Unit

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1598, "1,598"),
        (-3, "−3"),
        (69.5, "69.5"),
        (69.04, "69"),
        (1234.6, "1,235"),
        (0.04, "0.04"),
        (0.004, "<0.01"),
        (-0.0, "0"),
    ],
)
def test_counts_have_thousands_separated_and_no_needless_decimals(value, text):
    assert formats.count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9_999, "9,999"),
        (12_345, "12.3k"),
        (999_499, "999k"),
        (999_999, "1M"),
        (1_234_567, "1.2M"),
        (-45_000, "−45k"),
        (3e9, "3B"),
        (2e18, "2e+18"),
    ],
)
def test_compact_numbers_carry_into_the_next_unit(value, text):
    assert formats.compact(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999_999, "1 MB"),
        (4_200_000_000, "4.2 GB"),
        (812_000, "812 kB"),
        (99_960, "100 kB"),
        (-600_000_000, "−600 MB"),
    ],
)
def test_sizes_are_in_powers_of_1000(value, text):
    assert formats.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.42, "0.42 s"),
        (46.7, "46.7 s"),
        (59.96, "1 min"),
        (119.6, "2 min"),
        (125, "2 min 5 s"),
        (3599.7, "1 h"),
        (12_000, "3 h 20 min"),
        (187_200, "2 d 4 h"),
        (-90, "−1 min 30 s"),
    ],
)
def test_durations_name_two_units_at_most(value, text):
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(8.44, "8.4 ms"), (182.4, "182 ms"), (999.7, "1 s"), (1240, "1.2 s")]
)
def test_milliseconds_become_seconds_from_one_on(value, text):
    assert formats.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(96.44, "96.4%"), (50.0, "50%"), (100, "100%"), (0, "0%")]
)
def test_shares_have_one_decimal(value, text):
    assert formats.percent(value) == text


def test_all_and_none_are_claimed_only_where_it_is_so():
    assert formats.percent(99.99) == "99.9%"
    assert formats.percent(0.01) == "<0.1%"


def test_what_is_missing_is_a_dash_and_not_zero():
    assert formats.text(None, Unit.SECONDS) == "–"


@pytest.mark.parametrize(
    ("value", "before", "unit", "text"),
    [
        (23, 19, Unit.COUNT, "+4"),
        (19, 23, Unit.COUNT, "−4"),
        (4_200_000_000, 3_600_000_000, Unit.BYTES, "+600 MB"),
        (5, 5, Unit.BYTES, "0"),
        (5, 5, Unit.PERCENT, "0"),
        (96.4, 95.2, Unit.PERCENT, "+1.2 points"),
        (95, 96, Unit.PERCENT, "−1 point"),
        (0.3, 0.1 + 0.2, Unit.CREDITS, "−<0.01"),
    ],
)
def test_differences_carry_their_sign_and_unit(value, before, unit, text):
    assert formats.difference(value, before, unit) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [(18.24, "+18.2%"), (-4.0, "−4%"), (1240.4, "+1,240%"), (0.0, "0%"), (0.01, "+<0.1%")],
)
def test_relative_changes_carry_their_sign(change, text):
    assert formats.percent_change(change) == text


@given(st.floats(-1e15, 1e15, allow_nan=False), st.sampled_from(Unit))
def test_nothing_is_ever_minus_zero_or_a_thousand_of_a_unit_that_has_a_larger_one(value, unit):
    text = formats.text(value, unit)
    assert not text.startswith("-")
    assert text.split(" ")[0] not in ("−0", "−0%")
    assert not any(f"1,000 {small}" in text for small in ("B", "kB", "MB", "GB", "ms"))
    assert "60 s" not in text
    assert "60 min" not in text
    assert "24 h" not in text


def test_a_date_names_its_year_only_when_asked():
    assert formats.day(date(2026, 10, 1)) == "Oct 1"
    assert formats.day(date(2026, 10, 1), year=True) == "Oct 1, 2026"
    assert formats.full_day(date(2026, 10, 23)) == "Fri, Oct 23, 2026"


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (date(2026, 10, 1), date(2026, 10, 31), "Oct 1 – Oct 31, 2026"),
        (date(2025, 12, 15), date(2026, 1, 14), "Dec 15, 2025 – Jan 14, 2026"),
        (date(2026, 10, 1), date(2026, 10, 1), "Oct 1, 2026"),
    ],
)
def test_ranges_of_dates_name_each_year_once(first, last, text):
    assert formats.days(first, last) == text


@pytest.mark.parametrize(
    ("elapsed", "text"),
    [
        (timedelta(seconds=-20), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=2, minutes=59), "2 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=61), "2 months ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_how_long_ago_is_told_in_one_unit_rounded_down(elapsed, text):
    assert formats.ago(NOW - elapsed, NOW) == text
