"""When people work: growth, seasons, weekdays, holidays, and the hours of their own day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from analytics_core.dal.demo.columns import Floats, Ints
from analytics_core.dal.demo.shape import DAYS_A_WINDOW, DemoShape
from analytics_core.model.daterange import first_instant

# Mara's is the first, Nils's the last.
ZONES = tuple(
    ZoneInfo(name)
    for name in (
        *("Europe/Madrid", "Europe/Berlin", "Europe/London", "America/New_York"),
        *("America/Los_Angeles", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Tokyo"),
        *("Australia/Sydney", "Europe/Stockholm"),
    )
)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY_TO_SUNDAY = (0.96, 1.1, 1.14, 1.1, 0.97, 0.36, 0.3)
_JANUARY_TO_DECEMBER = (0.92, 1.0, 1.08, 1.02, 1.1, 1.06, 0.9, 0.68, 1.04, 1.12, 1.14, 0.9)
_GROWTH_A_DAY = 1.0018
# Half hours from midnight: late nights before a deadline, two peaks, a lunch between them.
_HALF_HOURS = (
    *(3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 5, 9, 16),
    *(30, 46, 62, 74, 82, 86, 84, 76, 60, 46, 44, 54, 68, 78, 84, 86),
    *(82, 74, 62, 48, 36, 28, 24, 22, 21, 20, 18, 15, 12, 9, 6, 4),
)


def microseconds(instant: datetime) -> int:
    """An instant as microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


class Calendar:
    """The dates of a history, numbered from 0, and how busy each is.

    The last date is tomorrow in UTC, which has already begun in zones that are ahead.
    """

    def __init__(self, shape: DemoShape) -> None:
        self.now = microseconds(shape.now)
        self.today = shape.now.astimezone(UTC).date()
        days = DAYS_A_WINDOW * shape.windows
        self.first = self.today - timedelta(days=days - 1)
        self.dates = tuple(self.first + timedelta(days=n) for n in range(days + 1))
        # Thirty days each, but for the last, which has tomorrow too.
        self.windows = [
            slice(n * DAYS_A_WINDOW, (n + 1) * DAYS_A_WINDOW) for n in range(shape.windows - 1)
        ] + [slice(days - DAYS_A_WINDOW, days + 1)]
        self.business = np.array([_business(day, n) for n, day in enumerate(self.dates)])
        self.months_days = np.array([day.day for day in self.dates])
        # Zones by dates, in microseconds.
        begins = [
            [microseconds(first_instant(day, zone)) for day in (*self.dates, _after(self.dates))]
            for zone in ZONES
        ]
        midnights = np.array(begins, dtype=np.int64)
        self.begins: Ints = midnights[:, :-1]
        self.lengths: Ints = midnights[:, 1:] - midnights[:, :-1]
        # How much of a date's work lies before now: 1 for past dates, 0 for those to come.
        gone = np.clip((self.now - self.begins) / self.lengths, 0, 1)
        self.done: Floats = np.interp(gone, self._clock[0], self._clock[1])

    @cached_property
    def _clock(self) -> tuple[Floats, Floats]:
        """The share of a day that has passed, and the share of its work done by then."""
        work = np.concatenate([[0.0], np.cumsum(_HALF_HOURS)])
        return np.linspace(0, 1, len(work)), work / work[-1]

    def moments(self, zones: Ints, days: Ints, rng: np.random.Generator) -> Ints:
        """An instant at work before now for each pair of a zone and a date, to the millisecond."""
        work = rng.random(len(days)) * self.done[zones, days]
        share = np.interp(work, self._clock[1], self._clock[0])
        moments = self.begins[zones, days] + (share * self.lengths[zones, days]).astype(np.int64)
        return moments // 1000 * 1000

    def utc_days(self, moments: Ints) -> Ints:
        """The numbers of the UTC dates of instants: -1 where the first date began on it."""
        midnight = microseconds(datetime.combine(self.first, datetime.min.time(), tzinfo=UTC))
        return (moments - midnight) // (86_400 * 1_000_000)


def _after(dates: tuple[date, ...]) -> date:
    return dates[-1] + timedelta(days=1)


def _business(day: date, number: int) -> float:
    busy = _MONDAY_TO_SUNDAY[day.weekday()] * _JANUARY_TO_DECEMBER[day.month - 1]
    if (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 2):
        busy *= 0.3
    if (day.month, day.day) in ((1, 6), (5, 1), (11, 1)):
        busy *= 0.5
    return float(busy * _GROWTH_A_DAY**number)
