"""Charts as SVG that fills whatever width it stands in, as live figures do.

For a page whose width nobody knows yet: lines and bars are stretched by the browser, text is not.
Where a width asks for other labels (fewer dates, shorter names) they are drawn once for each width
that makes a difference, and the page's style sheet shows those that fit: `from-420` from 420 pixels
on, `to-660` below 660. Geometry, strokes and tints are those of the live figures, which take the
place of these drawings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from analytics_core.charts import formats
from analytics_core.charts.values import Chart, Kind, Number, Series
from analytics_core.drawing import text
from analytics_core.drawing.layout import (
    BAR,
    LABEL_SIZE,
    LEAST_WIDTH,
    SWATCH,
    TICK_SIZE,
    Layout,
    layout,
)
from analytics_core.drawing.palette import SLICES
from analytics_core.drawing.svg import escaped, neighbours, ring

# Where drawings may change, in pixels of a panel; the page's style sheet knows the same.
WIDTHS = (420, 540, 660, 820, 1080, 1320)
# Coordinates within a plot, in both directions: enough steps for any screen.
_FINE = 10_000
_DASHED = "stroke-width:1.4;stroke-dasharray:3 4;opacity:.85"


def fluid(chart: Chart) -> str:
    """A chart as HTML, for an element that is as wide as the panel's content; "" where empty."""
    if chart.empty is not None:
        return ""
    draw = {Kind.LINES: _lines, Kind.BARS: _bars, Kind.PIE: _pie}[chart.kind]
    return "".join(draw(chart))


def _variants(chart: Chart, by: Callable[[Layout], Any]) -> Iterator[tuple[str, Layout]]:
    """The layouts that differ in what matters, each with the classes that say when it is shown."""
    layouts = [(width, layout(chart, width)) for width in (LEAST_WIDTH, *WIDTHS)]
    spans = [list(span) for _, span in groupby(layouts, key=lambda item: by(item[1]))]
    for number, span in enumerate(spans):
        names = []
        if number:
            names.append(f"from-{span[0][0]}")
        if number < len(spans) - 1:
            names.append(f"to-{spans[number + 1][0][0]}")
        yield " ".join(names), span[0][1]


def _opened(chart: Chart, height: str, shown: str = "") -> str:
    said = escaped(f"{chart.title}. {chart.summary}")
    name = f"drawing {chart.kind} {shown}".strip()
    return f'<div class="{name}" style="height:{height}" role="img" aria-label="{said}">'


def _plot(shape: Layout, content: Iterator[str]) -> Iterator[str]:
    """The plot within its margins: percentages in it are of what these leave."""
    around = shape.margins
    across, down = around.left + around.right, around.top + around.bottom
    yield (
        f'<svg class="plot" style="left:{around.left:g}px;top:{around.top:g}px;'
        f'width:calc(100% - {across:g}px);height:calc(100% - {down:g}px)">'
    )
    yield from content
    yield "</svg></div>"


def _lines(chart: Chart) -> Iterator[str]:
    variants = list(_variants(chart, lambda shape: shape.x_ticks))
    shape = variants[0][1]
    # The height of `layout`, as the browser reckons it.
    yield _opened(chart, "clamp(216px, 150px + 20cqi, 304px)")
    yield from _plot(shape, _within_axes(chart, shape, variants))


def _within_axes(chart: Chart, shape: Layout, variants: list[tuple[str, Layout]]) -> Iterator[str]:
    def down(value: Number) -> float:
        return 1 - shape.up(value)

    for tick in shape.y_ticks:
        y = f"{100 * down(tick.at):.3f}%"
        yield f'<line x2="100%" y1="{y}" y2="{y}" style="stroke:var(--line)"/>'
        yield _text(tick.label, "0", y, size=TICK_SIZE, dx=-9, anchor="end")
    for shown, variant in variants:
        yield f'<g class="{shown}">'
        for tick in variant.x_ticks:
            x = f"{100 * variant.across(tick.at):.3f}%"
            yield _text(tick.label, x, "100%", size=TICK_SIZE, dy=18, anchor="middle")
        yield "</g>"
    yield (
        f'<svg width="100%" height="100%" viewBox="0 0 {_FINE} {_FINE}" '
        'preserveAspectRatio="none" overflow="visible">'
    )
    drawn = [*([chart.comparison] if chart.comparison else []), *reversed(chart.series)]
    alone: list[str] = []
    for series in drawn:
        before = series is chart.comparison
        color, key = f"var(--{series.role.value})", escaped(series.key)
        paths, areas = [], []
        for run in neighbours(series.values):
            points = [
                f"{_FINE * shape.across(position):.0f},{_FINE * down(value):.0f}"
                for position, value in run
            ]
            if len(points) > 1:
                paths.append(f"M{' '.join(points)}")
                ends = points[-1].split(",")[0], points[0].split(",")[0]
                areas.append(f"{paths[-1]} {ends[0]},{_FINE} {ends[1]},{_FINE}Z")
            else:
                position, value = run[0]
                alone.append(
                    f'<circle class="mark dot" data-series="{key}" r="2.5" '
                    f'cx="{100 * shape.across(position):.3f}%" cy="{100 * down(value):.3f}%" '
                    f'style="fill:{color}"/>'
                )
        if len(chart.series) == 1 and not before and areas:
            yield f'<path d="{"".join(areas)}" style="fill:{color};fill-opacity:.1"/>'
        if paths:
            look = (
                "stroke-width:1.4;stroke-dasharray:3 4;opacity:.85" if before else "stroke-width:2"
            )
            yield (
                f'<path class="mark line{" before" if before else ""}" data-series="{key}" '
                f'd="{"".join(paths)}" vector-effect="non-scaling-stroke" '
                f'style="fill:none;stroke:{color};{look}"/>'
            )
    yield "</svg>"
    yield from alone


def _bars(chart: Chart) -> Iterator[str]:
    for shown, shape in _variants(chart, lambda shape: (shape.labels, shape.values)):
        yield _opened(chart, f"{shape.height:g}px", shown)
        yield from _plot(shape, _rows(chart, chart.series[0], shape))


def _rows(chart: Chart, series: Series, shape: Layout) -> Iterator[str]:
    for n, (member, value) in enumerate(zip(chart.members, series.values, strict=True)):
        middle, amount = shape.row(n) - shape.margins.top, value or 0
        share = f"{100 * max(amount, 0) / shape.domain[1]:.3f}%"
        told = escaped(f"{member.name}: {formats.text(value, chart.unit)}")
        box = f'y="{middle - BAR / 2:g}" height="{BAR}" rx="4"'
        yield (
            f'<g data-member="{escaped(member.key)}"><title>{told}</title>'
            f'<rect {box} width="100%" style="fill:var(--sunken)"/>'
        )
        if amount > 0:
            color = f"var(--{series.role.value})"
            yield (f'<rect class="mark bar" {box} style="fill:{color};width:max({share}, 3px)"/>')
        around, y = shape.margins, f"{middle:g}"
        yield _text(shape.labels[n], "0", y, dx=-around.left)
        yield _text(shape.values[n], "100%", y, dx=around.right, anchor="end", ink=True, bold=True)
        yield "</g>"


def _pie(chart: Chart) -> Iterator[str]:
    series = chart.series[0]
    color = f"var(--{series.role.value})"
    for shown, shape in _variants(chart, _of_pie):
        yield _opened(chart, f"{shape.height:g}px", shown) + '<svg class="plot">'
        turned, left = 0.0, shape.margins.left
        for n, (member, value) in enumerate(zip(chart.members, series.values, strict=True)):
            share, y = (value or 0) / shape.domain[1], shape.row(n)
            fill = f"fill:{color};fill-opacity:{SLICES[min(n, len(SLICES) - 1)]}"
            told = escaped(f"{member.name}: {formats.text(value, chart.unit)} ({shape.shares[n]})")
            yield (
                f'<g data-member="{escaped(member.key)}"><title>{told}</title>'
                f'<path class="mark slice" d="{ring(shape, turned, share)}" fill-rule="evenodd" '
                f'style="{fill};stroke:var(--surface)"/>'
                f'<rect x="{left - SWATCH:g}" y="{y - 16:g}" width="10" height="10" '
                f'style="{fill}"/></g>'
            )
            yield _text(shape.labels[n], f"{left:g}", f"{y - 11:g}")
            yield _text(shape.shares[n], f"{left:g}", f"{y + 9:g}", ink=True, bold=True)
            beside = left + text.width(shape.shares[n], LABEL_SIZE, bold=True) + 8
            yield _text(shape.values[n], f"{beside:g}", f"{y + 9:g}")
            turned += share
        x, y = shape.centre
        total = formats.compact(shape.domain[1])
        yield _text(total, f"{x:g}", f"{y:g}", size=20, anchor="middle", ink=True, bold=True)
        yield "</svg></div>"


def _of_pie(shape: Layout) -> tuple[Any, ...]:
    return shape.radius, shape.height, shape.labels, shape.values


def _text(
    content: str,
    x: str,
    y: str,
    *,
    size: float = LABEL_SIZE,
    dx: float = 0,
    dy: float = 0,
    anchor: str = "start",
    ink: bool = False,
    bold: bool = False,
) -> str:
    # The middle of digits and small letters lies about a third of an em above the baseline.
    style = f"fill:var(--{'ink' if ink else 'muted'});font-size:{size:g}px"
    weight = ";font-weight:700" if bold else ""
    return (
        f'<text x="{x}" y="{y}" dx="{dx:g}" dy="{dy + size * 0.35:.1f}" text-anchor="{anchor}" '
        f'style="{style}{weight}">{escaped(content)}</text>'
    )
