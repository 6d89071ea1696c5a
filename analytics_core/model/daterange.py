"""Ranges of calendar dates in a time zone, and the UTC instants at which their days begin.

These instants are computed here, once, and handed to queries as parameters: databases disagree
about time zones, and a day has 23, 24 or 25 hours, sometimes none.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from analytics_core.errors import RangeError, UnknownZone

_ONE_DAY = timedelta(days=1)
_MOST_DAYS = 36_525
# Files of the machine, or with leap seconds: no zones of the IANA database.
_NO_ZONES = ("localtime", "posixrules", "posix/", "right/")


def read_zone(name: str) -> ZoneInfo:
    """The IANA time zone of this name; raises `UnknownZone`."""
    try:
        if name.startswith(_NO_ZONES):
            raise UnknownZone(name)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # ZoneInfo turns a name into a path: odd names come back as ValueError or IsADirectoryError.
        raise UnknownZone(name) from None


def read_date(text: str) -> date:
    """A date written YYYY-MM-DD; raises `RangeError`."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise RangeError(f"not a date: {text!r} (dates look like 2026-10-31)")


@lru_cache(maxsize=65_536)
def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The UTC instant at which a calendar date begins in a zone.

    Where midnight comes twice the first counts; where it does not exist the date begins when the
    clocks jump; a date that a zone skipped begins when the next one does.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    instant = midnight.astimezone(UTC)
    wall = midnight.replace(tzinfo=None)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # Midnight lies in a gap: `fold` 1 reads it with the offset after the jump, which gives an
    # instant before it. Between the two there is exactly one jump; find its second.
    before, after = midnight.replace(fold=1).astimezone(UTC), instant
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after


def date_of(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar date that an instant counts on: the one whose days, as cut here, hold it."""
    day = instant.astimezone(zone).date()
    # The wall clock may still show the day before where midnight comes twice.
    return day + _ONE_DAY if instant >= first_instant(day + _ONE_DAY, zone) else day


class Preset(StrEnum):
    """Ranges that people ask for by name; all but `LAST_MONTH` and `ALL` end today."""

    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    THIS_MONTH = "this-month"
    LAST_MONTH = "last-month"
    THIS_YEAR = "this-year"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class DateRange:
    """Calendar dates `first` to `last`, both included, as days of `zone`."""

    first: date
    last: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise RangeError(f"the range ends ({self.last}) before it starts ({self.first})")
        if self.days > _MOST_DAYS:
            raise RangeError("a range has at most 100 years")
        # An instant a day to either side of the range must still be a datetime in any zone.
        if self.first < date(1, 1, 3) or self.last > date(9999, 12, 28):
            raise RangeError("that range lies outside the calendar")

    @classmethod
    def month(cls, year: int, month: int, zone: ZoneInfo) -> DateRange:
        last_day = calendar.monthrange(year, month)[1]
        return cls(date(year, month, 1), date(year, month, last_day), zone)

    @classmethod
    def year(cls, year: int, zone: ZoneInfo) -> DateRange:
        return cls(date(year, 1, 1), date(year, 12, 31), zone)

    @classmethod
    def preset(cls, preset: Preset, today: date, zone: ZoneInfo) -> DateRange | None:
        """The dates of a preset; None for `ALL`, which only the data can tell."""
        match preset:
            case Preset.WEEK:
                return cls(today - timedelta(days=6), today, zone)
            case Preset.MONTH:
                return cls(today - timedelta(days=29), today, zone)
            case Preset.QUARTER:
                return cls(today - timedelta(days=89), today, zone)
            case Preset.THIS_MONTH:
                return cls(today.replace(day=1), today, zone)
            case Preset.LAST_MONTH:
                last = today.replace(day=1) - _ONE_DAY
                return cls.month(last.year, last.month, zone)
            case Preset.THIS_YEAR:
                return cls(date(today.year, 1, 1), today, zone)
            case Preset.ALL:
                return None

    @classmethod
    def parse(cls, text: str, today: date, zone: ZoneInfo) -> DateRange | None:
        """A period as people write it: 2026-10, 2026, 2026-10-01..2026-10-31, or a preset's name.

        None for "all". Raises `RangeError`.
        """
        if text in list(Preset):
            return cls.preset(Preset(text), today, zone)
        if found := re.fullmatch(r"(\d{4})-(\d{2})", text, re.ASCII):
            year, month = int(found[1]), int(found[2])
            if year and 1 <= month <= 12:
                return cls.month(year, month, zone)
        elif (found := re.fullmatch(r"\d{4}", text, re.ASCII)) and int(text):
            return cls.year(int(text), zone)
        elif len(ends := text.split("..")) == 2:
            return cls(read_date(ends[0]), read_date(ends[1]), zone)
        raise RangeError(
            f"not a period: {text!r} (2026-10, 2026, 2026-10-01..2026-10-31, {', '.join(Preset)})"
        )

    @property
    def days(self) -> int:
        """How many calendar dates the range has."""
        return (self.last - self.first).days + 1

    @property
    def dates(self) -> tuple[date, ...]:
        return tuple(self.first + timedelta(days=n) for n in range(self.days))

    @property
    def start(self) -> datetime:
        """The first UTC instant of the range."""
        return first_instant(self.first, self.zone)

    @property
    def end(self) -> datetime:
        """The first UTC instant after the range."""
        return first_instant(self.last + _ONE_DAY, self.zone)

    @property
    def day_starts(self) -> tuple[datetime, ...]:
        """The UTC instant at which each date of the range begins, in order."""
        return _day_starts(self)

    def before(self, today: date) -> DateRange:
        """The period before, which this range is compared with.

        A whole month or year: the one before. A month or year to date: the same first days of the
        one before, a month where both readings fit. Otherwise as many dates directly before;
        raises `RangeError` where the calendar has not that many.
        """
        first, last, zone = self.first, self.last, self.zone
        month = DateRange.month(first.year, first.month, zone)
        year = DateRange.year(first.year, zone)
        if first.day == 1 and (self == month or (last == today and last <= month.last)):
            end_of_previous = first - _ONE_DAY
            previous = DateRange.month(end_of_previous.year, end_of_previous.month, zone)
            return previous if self == month else previous._first_days(self.days)
        if first == year.first and (self == year or (last == today and last <= year.last)):
            previous = DateRange.year(first.year - 1, zone)
            if self == year:
                return previous
            # The same calendar day, so that a leap day does not shift the rest of the year.
            day = min(last.day, calendar.monthrange(first.year - 1, last.month)[1])
            return DateRange(previous.first, date(first.year - 1, last.month, day), zone)
        # No date comes before day 1, which no range may hold either.
        start = date.fromordinal(max(1, first.toordinal() - self.days))
        return DateRange(start, first - _ONE_DAY, zone)

    def _first_days(self, days: int) -> DateRange:
        return DateRange(
            self.first, min(self.last, self.first + timedelta(days=days - 1)), self.zone
        )

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"


@lru_cache(maxsize=256)
def _day_starts(dates: DateRange) -> tuple[datetime, ...]:
    # Asked for by every question of a page.
    return tuple(first_instant(day, dates.zone) for day in dates.dates)
