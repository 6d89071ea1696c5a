"""The positions of daily charts: dates, and weeks or months where dates are too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from analytics_core.charts import formats
from analytics_core.charts.values import Member, Number
from analytics_core.model.daterange import DateRange
from analytics_core.model.results import Comparison

# A line of more points than this is a scribble on a phone.
_MOST_DAYS, _MOST_DAYS_IN_WEEKS = 120, 730


class Step(StrEnum):
    """What one position stands for; also the dimension of the chart."""

    DAY = "date"
    WEEK = "week"
    MONTH = "month"

    @property
    def noun(self) -> str:
        return "day" if self is Step.DAY else str(self)

    @property
    def adjective(self) -> str:
        return {Step.DAY: "Daily", Step.WEEK: "Weekly", Step.MONTH: "Monthly"}[self]

    @classmethod
    def of(cls, days: int) -> Step:
        """The step at which a range of so many days is still a readable line."""
        if days <= _MOST_DAYS:
            return cls.DAY
        return cls.WEEK if days <= _MOST_DAYS_IN_WEEKS else cls.MONTH


@dataclass(frozen=True, slots=True)
class Bins:
    """The dates of a range, cut into steps; `edges` are positions in the daily values.

    `short` are the positions of steps that the range cuts off, which look like a fall.
    """

    step: Step
    edges: tuple[int, ...]
    members: tuple[Member, ...]
    short: tuple[int, ...] = ()

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, dates: DateRange | None, step: Step) -> Bins:
        """Months are the calendar's; weeks are counted from the end, so that the last is whole."""
        if dates is None:
            return cls(step, (0,), ())
        days = dates.dates
        match step:
            case Step.DAY:
                starts = list(range(len(days)))
            case Step.WEEK:
                first = len(days) % 7
                starts = [*([0] if first else []), *range(first, len(days), 7)]
            case Step.MONTH:
                starts = [n for n, day in enumerate(days) if n == 0 or day.day == 1]
        edges = (*starts, len(days))
        spans = [(days[start], days[stop - 1]) for start, stop in pairwise(edges)]
        members = tuple(_member(*span, step) for span in spans)
        short = tuple(n for n, span in enumerate(spans) if not _is_whole(*span, step))
        return cls(step, edges, members, short)

    @property
    def caveat(self) -> str:
        """`the first week has only 3 days`; nothing where every step is whole."""
        clauses = []
        for position in self.short:
            days = self.edges[position + 1] - self.edges[position]
            which = "last" if position else "first"
            only = f"{days} {'day' if days == 1 else 'days'}"
            clauses.append(f"the {which} {self.step.noun} has only {only}")
        return " and ".join(clauses)

    def sums(self, daily: Sequence[Number]) -> tuple[Number, ...]:
        if self.step is Step.DAY:
            return tuple(daily)
        return tuple(sum(daily[start:stop]) for start, stop in pairwise(self.edges))

    def whole(self, daily: Sequence[Number]) -> tuple[Number, ...]:
        """The sums without steps that were cut off, for a line that nothing explains."""
        return tuple(n for at, n in enumerate(self.sums(daily)) if at not in self.short)

    def ends(self, daily: Sequence[Number]) -> tuple[Number, ...]:
        """The values at the end of each step, for what is a level rather than an amount."""
        return tuple(daily[stop - 1] for stop in self.edges[1:])


def _is_whole(first: date, last: date, step: Step) -> bool:
    match step:
        case Step.DAY:
            return True
        case Step.WEEK:
            return (last - first).days == 6
        case Step.MONTH:
            return first.day == 1 and (last + timedelta(days=1)).day == 1


def _member(first: date, last: date, step: Step) -> Member:
    key = first.isoformat()
    if step is Step.DAY:
        return Member(key, formats.day(first), formats.full_day(first))
    if step is Step.MONTH:
        full = formats.month(first) if _is_whole(first, last, step) else formats.days(first, last)
        return Member(key, f"{formats.MONTHS[first.month - 1][:3]} {first.year}", full)
    return Member(key, formats.day(first), formats.days(first, last))


@dataclass(frozen=True, slots=True)
class Timeline:
    """The positions of a range and of the period before, which is laid over them by position.

    `complete_days` are the dates that are over: an unfinished one says nothing about habits.
    """

    daily: Bins
    bins: Bins
    bins_before: Bins | None
    complete_days: tuple[date, ...]

    @classmethod
    def of(cls, comparison: Comparison, now: datetime) -> Timeline:
        """`now` is an aware instant; it only says which dates are over."""
        dates = comparison.current.range
        step = Step.of(dates.days if dates else 0)
        before = comparison.previous
        over: tuple[date, ...] = ()
        if dates is not None:
            today = now.astimezone(dates.zone).date()
            over = tuple(day for day in dates.dates if day < today)
        return cls(
            Bins.of(dates, Step.DAY),
            Bins.of(dates, step),
            Bins.of(before.range, step) if before else None,
            over,
        )

    @property
    def step(self) -> Step:
        return self.bins.step


def laid_over(values: Sequence[Number | None], positions: int) -> tuple[Number | None, ...]:
    """Values of the period before for as many positions: cut, or filled with None."""
    return (*values[:positions], *[None] * (positions - len(values)))
