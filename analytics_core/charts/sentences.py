"""Plain sentences about numbers: grammar for none, one and many, and claims that the data bears."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from analytics_core.charts import formats
from analytics_core.charts.values import Number, Unit
from analytics_core.model.results import change_in_percent

# A weekday is called busiest only where each was seen this often, and where it stood above the mean
# of all days in this share of its weeks: one odd day is no habit.
_WEEKS_FOR_A_HABIT = 3
_HELD = 2 / 3
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


class Noun(NamedTuple):
    """A noun phrase for one and for many: `credit spent`, `credits spent`."""

    one: str
    many: str

    def counted(self, amount: Number) -> str:
        """`no renders`, `1 render`, `1,598 renders`."""
        return f"{formats.count(amount) if amount else 'no'} {self.of(amount)}"

    @property
    def heading(self) -> str:
        return f"{self.many[:1].upper()}{self.many[1:]}"

    def of(self, amount: Number) -> str:
        return self.one if amount == 1 else self.many


def joined(parts: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {word} ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def tally(amounts: Mapping[str, int]) -> str:
    """`1,540 completed, 58 failed`, leaving out what is zero."""
    return ", ".join(f"{amount:,} {what}" for what, amount in amounts.items() if amount)


def sentence(*clauses: str) -> str:
    """Clauses joined by semicolons, with a capital letter and a full stop; empty ones left out."""
    body = "; ".join(filter(None, clauses))
    return f"{body[:1].upper()}{body[1:]}."


def trend(subject: str, value: Number, before: Number, unit: Unit) -> str:
    """How a value compares with that of the period before: `Renders rose 18% to 1,598`."""
    shown, shown_before = formats.text(value, unit), formats.text(before, unit)
    change = change_in_percent(value, before)
    if value and not before:
        return f"{subject} came to {shown}, after none in the period before"
    if before and not value:
        return f"{subject} fell to none, from {shown_before} in the period before"
    if change is None or shown == shown_before:
        return f"{subject} stayed {'at' if value == before else 'about'} {shown}"
    verb = "rose" if value > before else "fell"
    if unit is Unit.PERCENT or abs(change) >= 1000:
        return f"{subject} {verb} from {shown_before} to {shown}"
    amount = abs(change)
    by = formats.percent(amount) if amount < 10 else f"{formats.fixed(amount, 0)}%"
    return f"{subject} {verb} {by} to {shown}"


def busiest(days: Sequence[date], values: Sequence[Number], unit: Unit) -> str:
    """`Fridays are busiest`, where the dates are enough for a habit; else the busiest date.

    Empty where several share the first place, or where there is one date only.
    """
    if len(days) < 2 or not any(values):
        return ""
    if len(days) >= 7 * _WEEKS_FOR_A_HABIT:
        by_weekday: dict[int, list[Number]] = {}
        for day, value in zip(days, values, strict=True):
            by_weekday.setdefault(day.weekday(), []).append(value)
        means = {weekday: sum(seen) / len(seen) for weekday, seen in by_weekday.items()}
        first, second = sorted(means, key=means.__getitem__, reverse=True)[:2]
        usual = sum(values) / len(values)
        held = sum(value > usual for value in by_weekday[first]) / len(by_weekday[first])
        if means[first] > means[second] and held >= _HELD:
            return f"{_WEEKDAYS[first]} are busiest"
    most = max(values)
    if list(values).count(most) > 1:
        return ""
    when = formats.day(days[list(values).index(most)], year=days[0].year != days[-1].year)
    return f"most on {when} ({formats.text(most, unit)})"


def share(amount: Number, total: Number, noun: Noun) -> str:
    """Part of a whole as a subject: `812 of 1,598 renders (50.8%)`, `all 12 renders`."""
    if amount != total:
        part = formats.percent(100 * amount / total)
        return f"{formats.count(amount)} of {noun.counted(total)} ({part})"
    if total == 1:
        return f"the only {noun.one}"
    return f"both {noun.many}" if total == 2 else f"all {noun.counted(total)}"


def leader(
    partition: Mapping[str, Number], noun: Noun, verb: str, name: Callable[[str], str]
) -> str:
    """Which member of a partition is the largest: `812 of 1,598 renders (50.8%) came from Web`.

    `verb` is in a tense that does not change with the number; `name` is what follows it.
    """
    total, most = sum(partition.values()), max(partition.values(), default=0)
    first = [key for key, value in partition.items() if value == most]
    if not total:
        return noun.counted(0)
    if len(first) == 1:
        return f"{share(most, total, noun)} {verb} {name(first[0])}"
    if len(first) == 2:
        return f"{noun.counted(most)} each {verb} {joined([name(key) for key in first])}"
    return f"{noun.counted(total)}; {len(first)} share first place with {formats.count(most)} each"
