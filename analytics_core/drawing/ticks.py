"""Where the ticks of an axis stand and what they are called."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from analytics_core.charts import formats
from analytics_core.charts.values import Number, Unit

_INTERVALS = 4
_NICE = (1, 2, 2.5, 4, 5, 10)
_DAY_STEPS = (1, 2, 3, 5, 7, 10, 14, 15, 20, 30, 40, 60)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
_MOST_DATES = 8
# More dates than this are told apart by month.
_MOST_DAYS = 120


class Tick(NamedTuple):
    """A place along an axis (a value, or a position among the members) and its label."""

    at: float
    label: str


class _Scale(NamedTuple):
    """From `above` on, values are written in multiples of `size`, with this suffix."""

    above: float
    size: float
    suffix: str


_PLAIN = (
    _Scale(1e12, 1e12, "T"),
    _Scale(1e9, 1e9, "B"),
    _Scale(1e6, 1e6, "M"),
    _Scale(1e4, 1e3, "k"),
    _Scale(0, 1, ""),
)
_SCALES: dict[Unit, tuple[_Scale, ...]] = {
    Unit.COUNT: _PLAIN,
    Unit.CREDITS: _PLAIN,
    Unit.BYTES: (
        _Scale(1e18, 1e18, " EB"),
        _Scale(1e15, 1e15, " PB"),
        _Scale(1e12, 1e12, " TB"),
        _Scale(1e9, 1e9, " GB"),
        _Scale(1e6, 1e6, " MB"),
        _Scale(1e3, 1e3, " kB"),
        _Scale(0, 1, " B"),
    ),
    Unit.SECONDS: (
        _Scale(3 * 86_400, 86_400, " d"),
        _Scale(3 * 3600, 3600, " h"),
        _Scale(180, 60, " min"),
        _Scale(0, 1, " s"),
    ),
    Unit.MILLISECONDS: (_Scale(1000, 1000, " s"), _Scale(0, 1, " ms")),
    Unit.PERCENT: (_Scale(0, 1, "%"),),
}


def values(low: Number, high: Number, unit: Unit) -> tuple[Tick, ...]:
    """Ticks from at or below `low` to at or above `high`, a round step apart.

    0 is among them, but for shares that are all high: those end at 100%.
    """
    if unit is Unit.PERCENT and low >= 0 and high <= 100:
        return _shares(low)
    low, high = min(low, 0), max(high, 0)
    span = high - low
    scale = next(scale for scale in _SCALES[unit] if max(high, -low) >= scale.above)
    step = _step(span / scale.size / _INTERVALS, whole=_counted_whole(unit, scale, span))
    first, last = math.floor(low / scale.size / step), math.ceil(high / scale.size / step)
    apart = step * scale.size
    # Thousands of 0.4 would else come to 1200.0000000000002.
    apart = round(apart) if apart >= 100 else apart
    return tuple(
        Tick(n * apart, _label(n * step, step, scale.suffix))
        for n in range(first, max(last, first + 1) + 1)
    )


def _shares(low: Number) -> tuple[Tick, ...]:
    """Ticks up to 100%, from 0, 50, 80 or 90: a rate between 95 and 100 is a flat line from 0."""
    first, step = next(s for s in ((90, 2), (80, 5), (50, 10), (0, 25)) if low >= s[0])
    return tuple(Tick(share, f"{share}%") for share in range(first, 101, step))


def _counted_whole(unit: Unit, scale: _Scale, span: Number) -> bool:
    """Half a render, half a byte and half an hour on an axis are nothing that people say."""
    if unit is Unit.SECONDS:
        return scale.size > 1
    return scale.size == 1 and (unit in (Unit.COUNT, Unit.BYTES) or span >= 1)


def _step(least: float, *, whole: bool) -> float:
    """The smallest round number that is not below `least`."""
    if least <= 0 or (whole and least <= 1):
        return 1
    power = 10.0 ** math.floor(math.log10(least))
    for nice in _NICE:
        step = nice * power
        if step >= least * (1 - 1e-9) and not (whole and step % 1):
            return step
    return 10 * power


def _label(value: float, step: float, suffix: str) -> str:
    if value == 0:
        return "0"
    if step < 1e-4 or abs(value) >= 1e5:
        return f"{value:.4g}{suffix}"
    return formats.fixed(value, max(0, 1 - math.floor(math.log10(step)))) + suffix


def dates(keys: Sequence[str], room: float, width: Callable[[str], float]) -> tuple[Tick, ...]:
    """Ticks along positions whose keys are ISO dates, over `room` pixels, none overlapping.

    Days are named up to four months, the first and the last among them; then months; then years.
    """
    days = [date.fromisoformat(key) for key in keys]
    if len(days) < 2:
        return tuple(Tick(n, formats.day(day)) for n, day in enumerate(days))
    apart = room / (len(days) - 1)
    if (days[-1] - days[0]).days < _MOST_DAYS:
        return _day_ticks(days, apart, width)
    return _month_ticks(days, apart, width)


def names(labels: Sequence[str], room: float, widest: float) -> tuple[Tick, ...]:
    """Ticks along positions that are not dates: every n-th, so that names of that width fit."""
    apart = room / max(len(labels) - 1, 1)
    step = max(math.ceil((widest + 14) / apart), 1)
    return tuple(Tick(place, labels[place]) for place in range(0, len(labels), step))


def _day_ticks(
    days: Sequence[date], apart: float, width: Callable[[str], float]
) -> tuple[Tick, ...]:
    last = len(days) - 1
    widest = max(width(formats.day(day)) for day in days)
    gap = widest + 14
    fitting = [s for s in _DAY_STEPS if s * apart >= gap and last / s <= _MOST_DATES] or [last]
    # A somewhat longer step is welcome if it ends on the last date.
    even = [s for s in fitting if last % s == 0 and s <= 1.5 * fitting[0]]
    step = (even or fitting)[0]
    places = list(range(0, last + 1, step))
    if places[-1] != last:
        # The last date matters more than an even step.
        if (last - places[-1]) * apart < gap:
            places.pop()
        places.append(last)
    if len(places) > 1 and (places[1] - places[0]) * apart < gap:
        places = places[:1]
    return tuple(Tick(place, formats.day(days[place])) for place in places)


def _month_ticks(
    days: Sequence[date], apart: float, width: Callable[[str], float]
) -> tuple[Tick, ...]:
    """Ticks at the positions in which a month begins, as few as it takes to fit."""
    starts = [
        (place, last)
        for place, (first, last) in enumerate(_spans(days))
        if first.day == 1 or first.month != last.month
    ]
    for step in _MONTH_STEPS:
        chosen = [
            (place, day) for place, day in starts if (12 * day.year + day.month - 1) % step == 0
        ]
        ticks = [
            Tick(place, _month_label(day, step, first=n == 0))
            for n, (place, day) in enumerate(chosen)
        ]
        fits = all(
            (right.at - left.at) * apart >= (width(left.label) + width(right.label)) / 2 + 14
            for left, right in pairwise(ticks)
        )
        if fits and 2 <= len(ticks) <= _MOST_DATES:
            return tuple(ticks)
    ends = (0, len(days) - 1)
    return tuple(Tick(place, _month_label(days[place], 1, first=True)) for place in ends)


def _spans(days: Sequence[date]) -> list[tuple[date, date]]:
    """The first and last date of each position, which is the day before the next one's first."""
    last = [date.fromordinal(day.toordinal() - 1) for day in days[1:]]
    return list(zip(days, [*last, days[-1]], strict=True))


def _month_label(month: date, step: int, *, first: bool) -> str:
    if step >= 12:
        return str(month.year)
    name = formats.MONTHS[month.month - 1][:3]
    return f"{name} {month.year}" if first or month.month == 1 else name
