"""Charts as bqplot figures: made once, then updated in place, in the geometry of `drawing.layout`.

Colours are the page's custom properties, so that a figure follows light and dark by itself. Text is
drawn where the layout says; bqplot's own tick search and legends are not used, because they know
neither our formats nor what overlaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import bqplot
import numpy as np
from ipywidgets import Layout as Css
from ipywidgets import Widget
from numpy.typing import NDArray

from analytics_core.charts import formats
from analytics_core.charts.values import Chart, Kind, Number, Series
from analytics_core.drawing import text
from analytics_core.drawing.layout import BAR, LABEL_SIZE, ROW, SWATCH, Layout, Margins
from analytics_core.drawing.palette import SLICES


class Figure(Protocol):
    """A chart drawn by bqplot; `widget` is what goes into the page."""

    widget: Any

    def show(self, chart: Chart, shape: Layout) -> None:
        """Draw newer values, or the same in another geometry, with the same marks."""
        ...

    def close(self) -> None:
        """Leave no widget behind."""
        ...


def figure_for(chart: Chart, shape: Layout) -> Figure:
    """The figure of a chart's kind, showing it."""
    kinds: dict[Kind, type[_Figure]] = {Kind.LINES: Lines, Kind.BARS: Bars, Kind.PIE: Pie}
    return kinds[chart.kind](chart, shape)


class _Figure:
    """What all kinds share: one bqplot figure without toolbar, frame or padding."""

    def __init__(self, chart: Chart, shape: Layout) -> None:
        self._parts: list[Widget] = []
        self.widget = bqplot.Figure(
            fig_margin=margins(shape.margins),
            padding_x=0,
            padding_y=0,
            display_toolbar=False,
            layout=Css(width="auto", min_width="0", height=f"{shape.height:g}px"),
            scale_x=self.part(bqplot.LinearScale(min=0, max=1, allow_padding=False)),
            scale_y=self.part(bqplot.LinearScale(min=0, max=1, allow_padding=False)),
        )
        self.build(chart, shape)
        self.show(chart, shape)

    def build(self, chart: Chart, shape: Layout) -> None:
        """Make the marks and axes of the figure."""
        raise NotImplementedError

    def update(self, chart: Chart, shape: Layout) -> None:
        """Give the marks and axes the values of the chart."""
        raise NotImplementedError

    def show(self, chart: Chart, shape: Layout) -> None:
        self.widget.layout.height = f"{shape.height:g}px"
        self.widget.fig_margin = margins(shape.margins)
        self.update(chart, shape)

    def close(self) -> None:
        for part in (*self._parts, self.widget.layout, self.widget):
            part.close()

    def part(self, widget: Any) -> Any:
        """Remember a widget of this figure, to close it with the figure."""
        self._parts.append(widget)
        return widget

    def linear(self, low: float, high: float) -> Any:
        return self.part(bqplot.LinearScale(min=low, max=high, allow_padding=False))

    def label(self, scales: dict[str, Any], color: str, **style: Any) -> Any:
        return self.part(
            bqplot.Label(
                x=[],
                y=[],
                text=[],
                scales=scales,
                colors=[color],
                default_size=LABEL_SIZE,
                apply_clip=False,
                enable_hover=False,
                **style,
            )
        )


class Lines(_Figure):
    """One line per series over the dates, the period before dashed and grey behind them."""

    def build(self, chart: Chart, shape: Layout) -> None:
        # Shares of the plot over scales that never change: one message moves a line.
        scales = {"x": self.widget.scale_x, "y": self.widget.scale_y}
        self._before = self.part(
            bqplot.Lines(
                x=[], y=[], scales=scales, colors=["var(--before)"], line_style="dashed",
                stroke_width=1.4, enable_hover=False, visible=False,
            )
        )  # fmt: skip
        self._lines = self.part(
            bqplot.Lines(x=[], y=[], scales=scales, stroke_width=2, enable_hover=False)
        )
        self._dates = self.part(bqplot.Axis(scale=self.widget.scale_x, grid_lines="none"))
        self._values = self.part(bqplot.Axis(scale=self.widget.scale_y, side="left"))
        # Points without neighbours, which no line shows. Not markers of the lines: bqplot draws
        # those of missing values too, in a corner.
        self._alone = self.part(
            bqplot.Scatter(
                x=[], y=[], scales=scales, default_size=20, apply_clip=False, enable_hover=False
            )
        )
        self.widget.marks = [self._before, self._alone, self._lines]
        self.widget.axes = [self._dates, self._values]

    def update(self, chart: Chart, shape: Layout) -> None:
        with self._lines.hold_sync():
            _draw(self._lines, chart.series, shape)
            self._lines.fill = "bottom" if len(chart.series) == 1 else "none"
            self._lines.fill_opacities = [0.1] * len(chart.series)
        with self._before.hold_sync():
            if chart.comparison is not None:
                _draw(self._before, [chart.comparison], shape)
            self._before.visible = chart.comparison is not None
        _draw_alone(self._alone, chart.series, shape)
        _set_ticks(self._dates, [(shape.across(tick.at), tick.label) for tick in shape.x_ticks])
        _set_ticks(self._values, [(shape.up(tick.at), tick.label) for tick in shape.y_ticks])


class Bars(_Figure):
    """One horizontal bar per member on a track, its name before it and its value behind it."""

    def build(self, chart: Chart, shape: Layout) -> None:
        self._rows = self.part(bqplot.OrdinalScale(allow_padding=False))
        # Lengths are shares of the plot, over a scale that never changes.
        bars = {"x": self._rows, "y": self.widget.scale_x}
        look: dict[str, Any] = {
            "orientation": "horizontal", "padding": 1 - BAR / ROW, "enable_hover": False,
        }  # fmt: skip
        self._tracks, self._bars = (
            self.part(bqplot.Bars(x=[], y=[], scales=bars, colors=[color], **look))
            for color in ("var(--sunken)", f"var(--{chart.series[0].role.value})")
        )
        texts = {"x": self.widget.scale_x, "y": self._rows}
        self._names = self.label(texts, "var(--muted)", align="start", font_weight="normal")
        self._values = self.label(texts, "var(--ink)", align="end", font_weight="bold")
        self.widget.marks = [self._tracks, self._bars, self._names, self._values]

    def update(self, chart: Chart, shape: Layout) -> None:
        # Keys, not labels: two members may be called the same. The scale grows upwards.
        keys = [member.key for member in chart.members]
        lengths = floats(
            shape.length(value or 0) / max(shape.plot_width, 1) for value in chart.series[0].values
        )
        self._rows.domain = keys[::-1]
        for bars, shares in ((self._bars, lengths), (self._tracks, floats([1.0] * len(keys)))):
            with bars.hold_sync():
                bars.x, bars.y = keys, shares
        for texts, at, shown, offset in (
            (self._names, 0.0, shape.labels, -shape.margins.left),
            (self._values, 1.0, shape.values, shape.margins.right),
        ):
            with texts.hold_sync():
                texts.x, texts.y, texts.text = floats([at] * len(keys)), keys, list(shown)
                texts.x_offset = round(offset)


class Pie(_Figure):
    """A ring of two or three parts with its total inside, and a row for each part beside it."""

    def build(self, chart: Chart, shape: Layout) -> None:
        # In pixels, from the top left: the layout has found a place for everything already.
        self._x, self._y = self.linear(0, 1), self.linear(0, 1)
        self._y.reverse = True
        scales = {"x": self._x, "y": self._y}
        role = f"var(--{chart.series[0].role.value})"
        self._ring = self.part(
            bqplot.Pie(
                sizes=[],
                scales=scales,
                colors=[role],
                stroke="var(--surface)",
                display_labels="none",
                apply_clip=False,
                enable_hover=False,
            )
        )
        self._swatches = self.part(
            bqplot.Scatter(
                x=[],
                y=[],
                scales=scales,
                colors=[role],
                marker="square",
                display_names=False,
                default_size=100,
                apply_clip=False,
                enable_hover=False,
            )
        )
        plain, strong = ({"align": "start", "font_weight": weight} for weight in ("normal", "bold"))
        self._names = self.label(scales, "var(--muted)", **plain)
        self._shares = self.label(scales, "var(--ink)", **strong)
        self._values = self.label(scales, "var(--muted)", **plain)
        self._total = self.label(scales, "var(--ink)", **{**strong, "align": "middle"})
        self._total.default_size = 20
        self.widget.marks = [
            self._ring,
            self._swatches,
            self._names,
            self._shares,
            self._values,
            self._total,
        ]

    def show(self, chart: Chart, shape: Layout) -> None:
        self.widget.layout.height = f"{shape.height:g}px"
        self.widget.fig_margin = {"top": 0, "right": 0, "bottom": 0, "left": 0}
        self.update(chart, shape)

    def update(self, chart: Chart, shape: Layout) -> None:
        parts = len(chart.members)
        opacities = list(SLICES[:parts])
        left, rows = shape.margins.left, [shape.row(position) for position in range(parts)]
        self._x.max, self._y.max = shape.width, shape.height
        with self._ring.hold_sync():
            self._ring.x, self._ring.y = shape.centre
            self._ring.radius, self._ring.inner_radius = shape.radius, shape.hole
            self._ring.opacities = opacities
            self._ring.colors = [self._ring.colors[0]] * parts
            self._ring.sizes = floats(value or 0 for value in chart.series[0].values)
        with self._swatches.hold_sync():
            self._swatches.x = [left - SWATCH + 5] * parts
            self._swatches.y = [row - 11 for row in rows]
            self._swatches.opacities = opacities
        beside = [left + text.width(share, LABEL_SIZE, bold=True) + 8 for share in shape.shares]
        for texts, x, down, shown in (
            (self._names, [left] * parts, -11, shape.labels),
            (self._shares, [left] * parts, 9, shape.shares),
            (self._values, beside, 9, shape.values),
        ):
            with texts.hold_sync():
                texts.x, texts.y, texts.text = x, [row + down for row in rows], list(shown)
        with self._total.hold_sync():
            self._total.x, self._total.y = [shape.centre[0]], [shape.centre[1]]
            self._total.text = [formats.compact(shape.domain[1])]


def _set_ticks(axis: Any, ticks: Sequence[tuple[float, str]]) -> None:
    """Give an axis its ticks, each a share of its length and a label: labels in a message before.

    bqplot moves ticks in a transition that starts later and writes the labels known when it was
    asked for. Until then ticks that are about to go are blank, not numbers.
    """
    going = [] if axis.tick_values is None else axis.tick_values.tolist()
    axis.tick_labels = {_javascript_key(at): "" for at in going} | {
        _javascript_key(at): label for at, label in ticks
    }
    axis.tick_values = floats(at for at, _ in ticks)


def _draw(lines: Any, series: Sequence[Series], shape: Layout) -> None:
    """Give a mark these series, the main one last, over the others.

    In one message, which the caller holds: between two they would not fit together.
    """
    drawn = series[::-1]
    heights = np.array([_heights(line.values, shape) for line in drawn])
    # bqplot puts a label (unseen here) at the last point, which therefore must be one.
    known = np.flatnonzero(~np.isnan(heights).all(axis=0))
    heights = heights[:, : known[-1] + 1 if known.size else 0]
    lines.colors = [f"var(--{line.role.value})" for line in drawn]
    lines.labels = [line.label for line in drawn]
    lines.x = floats(shape.across(position) for position in range(heights.shape[1]))
    lines.y = heights


def _heights(values: Sequence[Number | None], shape: Layout) -> NDArray[np.float64]:
    return floats(None if value is None else shape.up(value) for value in values)


def _draw_alone(points: Any, series: Sequence[Series], shape: Layout) -> None:
    """Give a mark the values that have none beside them."""
    found = [
        (shape.across(position), shape.up(value), f"var(--{line.role.value})")
        for line in series
        for position, value in enumerate(line.values)
        if value is not None and _is_alone(line.values, position)
    ]
    with points.hold_sync():
        points.x = floats(x for x, _, _ in found)
        points.y = floats(y for _, y, _ in found)
        points.colors = [color for _, _, color in found]


def _is_alone(values: Sequence[Number | None], position: int) -> bool:
    before = values[position - 1] if position else None
    after = values[position + 1] if position + 1 < len(values) else None
    return before is None and after is None


def floats(values: Iterable[Number | None]) -> NDArray[np.float64]:
    """Values as floats, NaN for none: bqplot sends integers with 32 bits, and bytes have more."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def margins(around: Margins) -> dict[str, float]:
    return {
        "top": around.top, "right": around.right, "bottom": around.bottom, "left": around.left,
    }  # fmt: skip


def _javascript_key(value: float) -> str:
    """A number as JavaScript writes it when it is the key of an object: `5`, not `5.0`."""
    return str(int(value)) if value == int(value) and abs(value) < 1e21 else repr(value)
