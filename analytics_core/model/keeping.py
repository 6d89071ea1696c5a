"""How long something is kept: `400 days`, `13 months`, `2 years`."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

_WRITTEN = re.compile(r"([1-9]\d{0,4}) *(d|days?|w|weeks?|m|months?|y|years?)")


class Kind(StrEnum):
    """What may be kept for a time only, because no number needs it for good."""

    API_CALLS = "api_calls"
    ACTIVITY = "activity"
    SET_ASIDE = "set_aside"


@dataclass(frozen=True, slots=True)
class KeepFor:
    """A number of calendar months and of days."""

    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: str) -> KeepFor:
        """Read `400 days`, `400d`, `8 weeks`, `13 months` or `2 years`; raises `ValueError`."""
        found = _WRITTEN.fullmatch(text.strip().lower())
        if found is None:
            raise ValueError(f"{text!r} is no duration like '400 days', '13 months' or '2 years'")
        number, unit = int(found[1]), found[2][0]
        match unit:
            case "d":
                return cls(days=number)
            case "w":
                return cls(days=7 * number)
            case "m":
                return cls(months=number)
        return cls(months=12 * number)

    def first_day(self, today: date) -> date:
        """The first day that is kept: so many months and days before today.

        A day that its month does not have is the last that it has.
        """
        month = today.year * 12 + today.month - 1 - self.months
        if month < 12:
            return date.min
        year, month = divmod(month, 12)
        day = min(today.day, calendar.monthrange(year, month + 1)[1])
        back = date(year, month + 1, day)
        reachable = (back - date.min).days
        return back - timedelta(days=min(self.days, reachable))

    def __str__(self) -> str:
        months = f"{self.months} months" if self.months else ""
        return months or f"{self.days} days"

    @property
    def shortest_days(self) -> int:
        """How many days this is at least, whichever months it spans."""
        return self.days + 28 * self.months


@dataclass(frozen=True, slots=True)
class Retained:
    """A kind that is kept for a time: since which UTC day now, and how many records are older."""

    kind: Kind
    keep: KeepFor
    first_day: date
    older: int
