"""What a range is compared with."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.errors import RangeError
from analytics_core.model.daterange import DateRange

MADRID = ZoneInfo("Europe/Madrid")
LONG_AGO = date(2030, 1, 1)


def before(first: str, last: str, today: date | None = None) -> str:
    dates = DateRange(date.fromisoformat(first), date.fromisoformat(last), MADRID)
    return str(dates.before(today or LONG_AGO))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-10-01", "2026-10-31", "2026-09-01..2026-09-30"),
        ("2026-03-01", "2026-03-31", "2026-02-01..2026-02-28"),
        ("2024-03-01", "2024-03-31", "2024-02-01..2024-02-29"),
        ("2026-01-01", "2026-01-31", "2025-12-01..2025-12-31"),
    ],
)
def test_a_whole_month_follows_the_month_before(first: str, last: str, expected: str) -> None:
    assert before(first, last) == expected
    assert before(first, last, today=date.fromisoformat(last)) == expected


def test_a_whole_year_follows_the_year_before() -> None:
    assert before("2026-01-01", "2026-12-31") == "2025-01-01..2025-12-31"
    assert before("2025-01-01", "2025-12-31", date(2025, 12, 31)) == "2024-01-01..2024-12-31"


@pytest.mark.parametrize(
    ("first", "today", "expected"),
    [
        ("2026-10-01", "2026-10-17", "2026-09-01..2026-09-17"),
        ("2026-10-01", "2026-10-01", "2026-09-01..2026-09-01"),
        # February has no 30th: all of it is what there is.
        ("2026-03-01", "2026-03-30", "2026-02-01..2026-02-28"),
        ("2024-03-01", "2024-03-30", "2024-02-01..2024-02-29"),
        # Both a month and a year to date; a month is the nearer comparison.
        ("2026-01-01", "2026-01-15", "2025-12-01..2025-12-15"),
    ],
)
def test_a_month_to_date_follows_the_same_first_days_of_the_month_before(
    first: str, today: str, expected: str
) -> None:
    assert before(first, today, date.fromisoformat(today)) == expected


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ("2026-05-17", "2025-01-01..2025-05-17"),
        # A leap day shifts nothing after it, and is compared with the day before it.
        ("2024-03-01", "2023-01-01..2023-03-01"),
        ("2024-02-29", "2023-01-01..2023-02-28"),
        ("2025-03-01", "2024-01-01..2024-03-01"),
    ],
)
def test_a_year_to_date_follows_the_same_first_days_of_the_year_before(
    today: str, expected: str
) -> None:
    assert before(f"{today[:4]}-01-01", today, date.fromisoformat(today)) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-10-05", "2026-10-11", "2026-09-28..2026-10-04"),
        ("2026-10-01", "2026-10-17", "2026-09-14..2026-09-30"),
        ("2026-02-15", "2026-03-14", "2026-01-18..2026-02-14"),
        ("2026-10-01", "2026-11-30", "2026-08-01..2026-09-30"),
        # In a leap year, February is not over on the 28th.
        ("2024-02-01", "2024-02-28", "2024-01-04..2024-01-31"),
    ],
)
def test_any_other_range_follows_as_many_dates_directly_before(
    first: str, last: str, expected: str
) -> None:
    assert before(first, last) == expected


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(0, 1000), st.booleans())
def test_the_period_before_ends_before_the_range_begins(
    first: date, more: int, ends_today: bool
) -> None:
    dates = DateRange(first, first + timedelta(days=more), MADRID)
    today = dates.last if ends_today else LONG_AGO
    previous = dates.before(today)
    assert previous.last < dates.first
    assert previous.zone is dates.zone


@pytest.mark.parametrize("first", ["0001-01-03", "0001-02-01", "0040-01-02"])
def test_a_range_with_too_little_calendar_before_it_is_refused(first: str) -> None:
    with pytest.raises(RangeError, match="outside the calendar"):
        before(first, "0090-01-01")
