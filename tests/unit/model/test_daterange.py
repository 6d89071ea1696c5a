"""Days as people live them: where they begin, how long they are, and what people call them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.errors import RangeError, UnknownZone
from analytics_core.model.daterange import (
    DateRange,
    Preset,
    date_of,
    first_instant,
    read_date,
    read_zone,
)
from tests.support.zones import date_shown, instants_around, zone_and_date

HAVANA = ZoneInfo("America/Havana")
APIA = ZoneInfo("Pacific/Apia")
ST_JOHNS = ZoneInfo("America/St_Johns")
MADRID = ZoneInfo("Europe/Madrid")
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


# --- where a day begins ---


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("UTC", date(2026, 3, 5), utc(2026, 3, 5)),
        ("Asia/Kathmandu", date(2026, 3, 5), utc(2026, 3, 4, 18, 15)),
        ("Pacific/Kiritimati", date(2026, 3, 5), utc(2026, 3, 4, 10)),
        # Midnight comes twice and the first counts: at 01:00 (04:00 UTC less 4 h) back to 00:00.
        ("America/Havana", date(2026, 11, 1), utc(2026, 11, 1, 4)),
        # There is no midnight, the day begins at 01:00.
        ("America/Havana", date(2026, 3, 8), utc(2026, 3, 8, 5)),
        ("America/Sao_Paulo", date(2018, 11, 4), utc(2018, 11, 4, 3)),
        ("America/Santiago", date(2026, 9, 6), utc(2026, 9, 6, 4)),
        # 23:30 became 00:30: the day lost its first half hour.
        ("America/Toronto", date(1919, 3, 31), utc(1919, 3, 31, 4, 30)),
        # At 00:01 the clocks went back to 23:01 of the day before.
        ("America/St_Johns", date(2006, 10, 29), utc(2006, 10, 29, 2, 30)),
        # Samoa skipped a date, which begins, and ends, when the next one does.
        ("Pacific/Apia", date(2011, 12, 29), utc(2011, 12, 29, 10)),
        ("Pacific/Apia", date(2011, 12, 30), utc(2011, 12, 30, 10)),
        ("Pacific/Apia", date(2011, 12, 31), utc(2011, 12, 30, 10)),
        ("Pacific/Kwajalein", date(1993, 8, 21), utc(1993, 8, 21, 12)),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: date, begins: datetime) -> None:
    assert first_instant(day, ZoneInfo(zone)) == begins


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Madrid", date(2026, 3, 29), 23),
        ("Europe/Madrid", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Havana", date(2026, 11, 1), 25),
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(zone: str, day: date, hours: float) -> None:
    one = DateRange(day, day, ZoneInfo(zone))
    assert one.end - one.start == timedelta(hours=hours)
    assert one.days == 1


def test_an_hour_that_repeats_the_day_before_counts_on_the_day_that_has_begun() -> None:
    # 23:30 for the second time, half an hour after the 29th had begun for a minute.
    assert date_of(utc(2006, 10, 29, 3), ST_JOHNS) == date(2006, 10, 29)
    assert utc(2006, 10, 29, 3).astimezone(ST_JOHNS).date() == date(2006, 10, 28)


def test_nothing_counts_on_a_date_that_was_skipped() -> None:
    begins = first_instant(date(2011, 12, 30), APIA)
    assert date_of(begins - MICROSECOND, APIA) == date(2011, 12, 29)
    assert date_of(begins, APIA) == date(2011, 12, 31)


@given(zone_and_date(), st.integers(1, 5))
def test_days_follow_each_other_without_gap_or_overlap(
    where: tuple[ZoneInfo, date], days: int
) -> None:
    zone, first = where
    dates = DateRange(first, first + (days - 1) * DAY, zone)
    starts = [*dates.day_starts, dates.end]
    assert starts == sorted(starts)
    assert starts[0] == dates.start
    for day, start, end in zip(dates.dates, starts, starts[1:], strict=False):
        one = DateRange(day, day, zone)
        assert (one.start, one.end) == (start, end)


@given(st.data(), zone_and_date())
def test_an_instant_counts_on_the_latest_date_its_clock_has_shown(
    data: st.DataObject, where: tuple[ZoneInfo, date]
) -> None:
    zone, day = where
    instant = data.draw(instants_around([first_instant(day, zone)]))
    found = date_of(instant, zone)
    assert found == date_shown(instant, zone)
    assert first_instant(found, zone) <= instant < first_instant(found + DAY, zone)


@given(zone_and_date())
def test_no_clock_shows_a_date_before_its_first_instant(where: tuple[ZoneInfo, date]) -> None:
    zone, day = where
    begins = first_instant(day, zone)
    assert date_shown(begins, zone) >= day
    assert date_shown(begins - MICROSECOND, zone) < day


# --- ranges ---


def test_a_range_has_every_date_once_and_in_order() -> None:
    dates = DateRange(date(2026, 2, 27), date(2026, 3, 1), MADRID)
    assert dates.days == 3
    assert dates.dates == (date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1))
    assert str(dates) == "2026-02-27..2026-03-01"


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(RangeError, match=r"ends \(2026-03-01\) before it starts \(2026-03-02\)"):
        DateRange(date(2026, 3, 2), date(2026, 3, 1), MADRID)


@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_range_at_the_end_of_the_calendar_is_refused(day: date) -> None:
    with pytest.raises(RangeError, match="outside the calendar"):
        DateRange(day, day, MADRID)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("day", [date(1, 1, 3), date(9999, 12, 28)])
def test_a_range_that_is_allowed_has_instants_in_every_zone(day: date, zone: str) -> None:
    dates = DateRange(day, day, ZoneInfo(zone))
    assert dates.end - dates.start >= timedelta(hours=23)
    assert date_of(dates.start, dates.zone) == day


# --- what people call them ---

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        (Preset.WEEK, date(2026, 3, 25), TODAY),
        (Preset.MONTH, date(2026, 3, 2), TODAY),
        (Preset.QUARTER, date(2026, 1, 1), TODAY),
        (Preset.THIS_MONTH, date(2026, 3, 1), TODAY),
        (Preset.LAST_MONTH, date(2026, 2, 1), date(2026, 2, 28)),
        (Preset.THIS_YEAR, date(2026, 1, 1), TODAY),
    ],
)
def test_a_preset_is_the_dates_its_name_says(preset: Preset, first: date, last: date) -> None:
    assert DateRange.preset(preset, TODAY, MADRID) == DateRange(first, last, MADRID)


def test_last_month_of_january_lies_in_the_year_before() -> None:
    dates = DateRange.preset(Preset.LAST_MONTH, date(2026, 1, 1), MADRID)
    assert dates == DateRange.month(2025, 12, MADRID)


def test_all_is_no_range_of_its_own() -> None:
    assert DateRange.preset(Preset.ALL, TODAY, MADRID) is None
    assert DateRange.parse("all", TODAY, MADRID) is None


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-10", date(2026, 10, 1), date(2026, 10, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-10-05..2026-10-07", date(2026, 10, 5), date(2026, 10, 7)),
        ("2026-10-05..2026-10-05", date(2026, 10, 5), date(2026, 10, 5)),
        ("7d", date(2026, 3, 25), TODAY),
        ("last-month", date(2026, 2, 1), date(2026, 2, 28)),
    ],
)
def test_a_period_is_read_as_people_write_it(text: str, first: date, last: date) -> None:
    assert DateRange.parse(text, TODAY, MADRID) == DateRange(first, last, MADRID)


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.integers(0, 800))
def test_a_range_as_text_is_read_back(first: date, more: int) -> None:
    dates = DateRange(first, first + more * DAY, MADRID)
    assert DateRange.parse(str(dates), TODAY, MADRID) == dates


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-13", "2026-00", "0000", "0000-01", "26-01", "2026-1", "30", "yesterday", "ALL"),
        *("2026-10-01", "2026-10-01..", "..2026-10-01", "2026-10-01..2026-10-02..2026-10-03"),
        *("2026-02-30..2026-03-01", "2026-10 ", "２０２６", "2026-10-01...2026-10-02", "9999"),
    ],
)
def test_a_period_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RangeError):
        DateRange.parse(text, TODAY, MADRID)


def test_a_refused_period_says_how_periods_look() -> None:
    with pytest.raises(RangeError, match=r"not a period: 'soon' \(2026-10, .*30d.*\)"):
        DateRange.parse("soon", TODAY, MADRID)


@given(st.text())
def test_no_text_makes_reading_a_period_fail_in_another_way(text: str) -> None:
    try:
        found = DateRange.parse(text, TODAY, MADRID)
    except RangeError:
        return
    assert found is None or found.days > 0


@pytest.mark.parametrize(
    "text",
    ["", "2026-02-29", "2026-2-9", "20260209", "2026-W05-1", "2026-02-09T00:00", "٢٠٢٦-02-09"],
)
def test_a_text_that_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(RangeError, match="not a date"):
        read_date(text)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "Mars/Olympus",
            "Europe",
            "../../etc/passwd",
            "/etc/localtime",
            "UTC\x00",
            "x" * 5000,
        ),
        *("Europe/Madrid ", "\udcff", "tzdata.zi", "zone.tab", "."),
    ],
)
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownZone):
        read_zone(name)


def test_a_range_of_more_than_a_century_is_refused() -> None:
    with pytest.raises(RangeError, match="100 years"):
        DateRange(date(1900, 1, 1), date(2026, 1, 1), ZoneInfo("UTC"))


@pytest.mark.parametrize("name", ["localtime", "posixrules", "right/Europe/Madrid"])
def test_a_file_of_the_machine_is_no_zone(name: str) -> None:
    with pytest.raises(UnknownZone):
        read_zone(name)
