"""Where the parts of a chart go at a given width: one answer for static and live figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from analytics_core.charts import formats
from analytics_core.charts.values import Chart, Kind, Number, Unit
from analytics_core.drawing import text, ticks
from analytics_core.drawing.ticks import Tick

TICK_SIZE, LABEL_SIZE = 12, 14
ROW, BAR = 36, 13
SWATCH = 18
LEAST_WIDTH = 300
_GAP = 16
_SLICE_ROW = 48
_DATES = ("date", "week", "month")
_WIDEST_DATE = max(text.width(f"{month[:3]} 2026", TICK_SIZE) for month in formats.MONTHS)


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels around the area in which data is drawn."""

    top: float
    right: float
    bottom: float
    left: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The geometry of one chart, in pixels.

    `LINES`: `x_ticks` are at positions among the members, `y_ticks` at values. `BARS`: a row per
    member, its label left of the plot and its value right of it. `PIE`: a ring of `radius` around
    `centre`, to its right a row per slice, with its share too. `labels` and `values` are the texts
    of these rows, shortened to what fits; `pitch` is how far rows are apart. `domain` is the span
    of values that the plot covers.
    """

    width: float
    height: float
    margins: Margins
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    domain: tuple[float, float] = (0.0, 1.0)
    positions: int = 0
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    pitch: float = ROW
    centre: tuple[float, float] = (0.0, 0.0)
    radius: float = 0.0
    hole: float = 0.0

    @property
    def plot_width(self) -> float:
        return self.width - self.margins.left - self.margins.right

    @property
    def plot_height(self) -> float:
        return self.height - self.margins.top - self.margins.bottom

    def across(self, position: float) -> float:
        """The share of the plot's width before a position among the members of a line chart.

        One alone stands in the middle.
        """
        return position / (self.positions - 1) if self.positions > 1 else 0.5

    def up(self, value: Number) -> float:
        """The share of the plot's height below a value of a line chart."""
        low, high = self.domain
        return (value - low) / (high - low)

    def x(self, position: float) -> float:
        """The pixel of a position among the members of a line chart."""
        return self.margins.left + self.plot_width * self.across(position)

    def y(self, value: Number) -> float:
        """The pixel of a value of a line chart."""
        return self.margins.top + self.plot_height * (1 - self.up(value))

    def length(self, value: Number) -> float:
        """The pixels that a bar of this value is long; what is not zero can be seen."""
        full = self.plot_width * max(value, 0) / self.domain[1]
        return max(full, 3.0) if value > 0 else 0.0

    def row(self, position: int) -> float:
        """The middle of a row of a bar chart or of the slices beside a pie."""
        return self.margins.top + self.pitch * (position + 0.5)


def layout(chart: Chart, width: float) -> Layout:
    """The layout of a chart that is so many pixels wide; below 300 it is laid out for 300."""
    width = max(width, LEAST_WIDTH)
    if chart.empty is not None:
        height = _height(width) if chart.kind is Kind.LINES else 4 * ROW
        return Layout(width, height, Margins(0, 0, 0, 0))
    match chart.kind:
        case Kind.LINES:
            return _lines(chart, width)
        case Kind.BARS:
            return _bars(chart, width)
        case Kind.PIE:
            return _pie(chart, width)


def _height(width: float) -> float:
    """A phone gets a drawing of its own shape, not a squeezed one."""
    return round(min(max(150 + width * 0.2, 216), 304))


def _lines(chart: Chart, width: float) -> Layout:
    drawn = [*chart.series, *([chart.comparison] if chart.comparison else [])]
    present = [value for line in drawn for value in line.values if value is not None]
    y_ticks = ticks.values(min(present, default=0), max(present, default=0), chart.unit)
    measure = partial(text.width, size=TICK_SIZE)
    # Labels are centred on their ticks: half of any of them must fit at either end.
    half = math.ceil(_WIDEST_DATE / 2)
    left = max(math.ceil(max(measure(tick.label) for tick in y_ticks)) + 10, half)
    margins = Margins(10, half, 30, left)
    return Layout(
        width,
        _height(width),
        margins,
        _positions(chart, width - left - half, 2 * half),
        y_ticks,
        (y_ticks[0].at, y_ticks[-1].at),
        len(chart.members),
    )


def _positions(chart: Chart, room: float, widest: float) -> tuple[Tick, ...]:
    if chart.dimension in _DATES:
        measure = partial(text.width, size=TICK_SIZE)
        return ticks.dates([member.key for member in chart.members], room, measure)
    labels = [text.fitted(member.label, widest, TICK_SIZE) for member in chart.members]
    return ticks.names(labels, room, widest)


def _bars(chart: Chart, width: float) -> Layout:
    amounts = [value or 0 for value in chart.series[0].values]
    values = _amounts(amounts, chart.unit, 0.3 * width)
    end = math.ceil(_widest(values, bold=True)) + _GAP
    room = min(0.42 * width, width - end - _GAP - 64)
    labels = tuple(text.fitted(member.label, room, LABEL_SIZE) for member in chart.members)
    left = math.ceil(_widest(labels)) + _GAP
    return Layout(
        width,
        ROW * len(labels),
        Margins(0, end, 0, left),
        domain=(0, max(0, *amounts) or 1),
        positions=len(labels),
        labels=labels,
        values=values,
    )


def _pie(chart: Chart, width: float) -> Layout:
    amounts = [value or 0 for value in chart.series[0].values]
    radius = 64.0 if width < 420 else 72.0
    height = max(2 * radius + 8, _SLICE_ROW * len(amounts))
    left = 2 * radius + 36 + SWATCH
    room, total = width - left, sum(amounts) or 1
    shares = tuple(formats.percent(100 * amount / total) for amount in amounts)
    labels = tuple(text.fitted(member.label, room, LABEL_SIZE) for member in chart.members)
    return Layout(
        width,
        height,
        Margins((height - _SLICE_ROW * len(labels)) / 2, 0, 0, left),
        domain=(0, total),
        positions=len(labels),
        pitch=_SLICE_ROW,
        labels=labels,
        values=_amounts(amounts, chart.unit, room - _widest(shares, bold=True) - _GAP),
        shares=shares,
        centre=(radius + 4, height / 2),
        radius=radius,
        hole=radius * 0.62,
    )


def _amounts(amounts: Sequence[Number], unit: Unit, room: float) -> tuple[str, ...]:
    """Values in full where that fits, else all of them compact."""
    full = tuple(formats.text(amount, unit) for amount in amounts)
    if unit not in (Unit.COUNT, Unit.CREDITS) or _widest(full, bold=True) <= room:
        return full
    return tuple(formats.compact(amount) for amount in amounts)


def _widest(labels: Sequence[str], *, bold: bool = False) -> float:
    return max((text.width(label, LABEL_SIZE, bold=bold) for label in labels), default=0)
