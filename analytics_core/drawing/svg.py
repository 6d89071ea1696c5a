"""Charts as static SVG with real text: for first paint, reports and mail.

A drawing stands on its own; within a page that sets the custom properties of `palette` it follows
their theme. Names of members come from outside (routes, platforms): every text is escaped.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from analytics_core.charts import formats
from analytics_core.charts.values import Chart, Kind, Number, Role, Series
from analytics_core.drawing import text
from analytics_core.drawing.layout import BAR, LABEL_SIZE, SWATCH, TICK_SIZE, Layout, layout
from analytics_core.drawing.palette import FONT, SLICES, Theme, paint

# The pixels of a series as `x,y`, in runs of neighbours.
Runs: TypeAlias = list[list[str]]

_NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
# What XML 1.0 cannot hold, not even as a reference.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def draw(chart: Chart, *, width: float, theme: str = Theme.AUTO) -> str:
    """One chart as an SVG element of this width, in pixels, described by its title and summary."""
    geometry, theme = layout(chart, width), Theme(theme)
    if chart.empty is not None:
        body = _nothing(chart.empty, geometry, theme)
    else:
        parts = {Kind.LINES: _lines, Kind.BARS: _bars, Kind.PIE: _pie}[chart.kind]
        body = parts(chart, geometry, theme)
    name = escaped(f"{chart.key}-{geometry.width:g}")
    return (
        f'<svg {_NAMESPACE} class="chart {chart.kind}" viewBox="0 0 {geometry.width:g} '
        f'{geometry.height:g}" width="{geometry.width:g}" height="{geometry.height:g}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc" '
        f'style="font-family:{html.escape(FONT)};font-variant-numeric:tabular-nums">'
        f'<title id="{name}-title">{escaped(chart.title)}</title>'
        f'<desc id="{name}-desc">{escaped(chart.summary)}</desc>{"".join(body)}</svg>'
    )


def escaped(content: str) -> str:
    """Text as it may stand in SVG or HTML, in an element or in a quoted attribute."""
    return html.escape(_NOT_XML.sub("\ufffd", content), quote=True)


def _text(
    content: str,
    x: float,
    y: float,
    color: str,
    *,
    size: float = LABEL_SIZE,
    anchor: str = "start",
    bold: bool = False,
) -> str:
    # The middle of digits and small letters lies about a third of an em above the baseline.
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y + size * 0.35:.1f}" font-size="{size}" text-anchor="{anchor}"'
        f'{weight} style="fill:{color}">{escaped(content)}</text>'
    )


def _nothing(message: str, geometry: Layout, theme: Theme) -> Iterator[str]:
    lines = text.wrapped(message, min(geometry.width - 32, 420), LABEL_SIZE)
    top = geometry.height / 2 - (len(lines) - 1) * 11
    for n, line in enumerate(lines):
        color = paint("muted", theme)
        yield _text(line, geometry.width / 2, top + 22 * n, color, anchor="middle")


def _lines(chart: Chart, geometry: Layout, theme: Theme) -> Iterator[str]:
    left, right = geometry.margins.left, geometry.width - geometry.margins.right
    muted = paint("muted", theme)
    yield f'<g class="grid" style="stroke:{paint("line", theme)}">'
    for tick in geometry.y_ticks:
        y = geometry.y(tick.at)
        yield f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield '</g><g class="axis">'
    for tick in geometry.y_ticks:
        y = geometry.y(tick.at)
        yield _text(tick.label, left - 10, y, muted, size=TICK_SIZE, anchor="end")
    foot = geometry.height - 10
    for tick in geometry.x_ticks:
        yield _text(tick.label, geometry.x(tick.at), foot, muted, size=TICK_SIZE, anchor="middle")
    yield "</g>"
    if chart.comparison is not None:
        yield from _line(chart.comparison, _points(chart.comparison, geometry), theme)
    # The main series is drawn last, over the others; one alone has a tint below it.
    for series in reversed(chart.series):
        runs = _points(series, geometry)
        if len(chart.series) == 1:
            yield from _area(series, runs, geometry.height - geometry.margins.bottom, theme)
        yield from _line(series, runs, theme)


def _area(series: Series, runs: Runs, foot: float, theme: Theme) -> Iterator[str]:
    shapes = []
    for points in runs:
        first, last = points[0].split(",")[0], points[-1].split(",")[0]
        if len(points) > 1:
            shapes.append(f"M{' '.join(points)} {last},{foot:g} {first},{foot:g}Z")
    if shapes:
        color = paint(series.role, theme)
        yield f'<path class="area" d="{"".join(shapes)}" style="fill:{color};fill-opacity:.08"/>'


def _line(series: Series, runs: Runs, theme: Theme) -> Iterator[str]:
    """A path that breaks where there is no value; a value between two gaps is a dot."""
    before = " before" if series.role is Role.BEFORE else ""
    color, key = paint(series.role, theme), escaped(series.key)
    path = "".join(f"M{' '.join(points)}" for points in runs if len(points) > 1)
    if path:
        stroke = '"1.4" stroke-dasharray="3 4" opacity=".75"' if before else '"2.25"'
        yield (
            f'<path class="mark line{before}" data-series="{key}" d="{path}" fill="none" '
            f'stroke-width={stroke} stroke-linejoin="round" stroke-linecap="round" '
            f'style="stroke:{color}"/>'
        )
    # Among many values a dot as wide as the line is enough.
    radius = 3 if before else 4 if len(series.values) < 60 else 1.5
    for x, y in (points[0].split(",") for points in runs if len(points) == 1):
        yield (
            f'<circle class="mark dot{before}" data-series="{key}" cx="{x}" cy="{y}" '
            f'r="{radius}" style="fill:{color}"/>'
        )


def _points(series: Series, geometry: Layout) -> Runs:
    start, top = geometry.x(0), geometry.y(geometry.domain[1])
    across = geometry.x(1) - start if geometry.positions > 1 else 0.0
    low, high = geometry.domain
    down = geometry.plot_height / (high - low)
    return [
        [f"{start + across * n:.1f},{top + down * (high - value):.1f}" for n, value in run]
        for run in neighbours(series.values)
    ]


def neighbours(values: Sequence[Number | None]) -> Iterator[list[tuple[int, Number]]]:
    """Neighbouring values that are there, with their positions."""
    run: list[tuple[int, Number]] = []
    for position, value in enumerate(values):
        if value is not None:
            run.append((position, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _bars(chart: Chart, geometry: Layout, theme: Theme) -> Iterator[str]:
    left, end = geometry.margins.left, geometry.width
    series = chart.series[0]
    color, ink, muted = (paint(name, theme) for name in (series.role, "ink", "muted"))
    track = paint("line", theme)
    for n, (member, value) in enumerate(zip(chart.members, series.values, strict=True)):
        middle = geometry.row(n)
        top, length = middle - BAR / 2, geometry.length(value or 0)
        told = f"{member.name}: {formats.text(value, chart.unit)}"
        yield f'<g class="row" data-member="{escaped(member.key)}"><title>{escaped(told)}</title>'
        yield _text(geometry.labels[n], 0, middle, muted)
        yield (
            f'<rect class="track" x="{left:.1f}" y="{top:.1f}" width="{geometry.plot_width:.1f}" '
            f'height="{BAR}" rx="6" style="fill:{track};fill-opacity:.6"/>'
        )
        if length:
            yield (
                f'<rect class="mark bar" x="{left:.1f}" y="{top:.1f}" width="{length:.1f}" '
                f'height="{BAR}" rx="{min(6, length / 2):.1f}" style="fill:{color}"/>'
            )
        yield _text(geometry.values[n], end, middle, ink, anchor="end", bold=True) + "</g>"


def _pie(chart: Chart, geometry: Layout, theme: Theme) -> Iterator[str]:
    series = chart.series[0]
    color, ink, muted = (paint(name, theme) for name in (series.role, "ink", "muted"))
    total, turned = geometry.domain[1], 0.0
    for n, (member, value) in enumerate(zip(chart.members, series.values, strict=True)):
        share = (value or 0) / total
        opacity = SLICES[min(n, len(SLICES) - 1)]
        told = f"{member.name}: {formats.text(value, chart.unit)} ({geometry.shares[n]})"
        middle, x = geometry.row(n), geometry.margins.left
        yield (
            f'<g class="row" data-member="{escaped(member.key)}"><title>{escaped(told)}</title>'
            f'<path class="mark slice" d="{ring(geometry, turned, share)}" fill-rule="evenodd" '
            f'stroke-width="2" style="fill:{color};fill-opacity:{opacity};'
            f'stroke:{paint("surface", theme)}"/>'
            f'<rect x="{x - SWATCH:.1f}" y="{middle - 16:.1f}" width="10" height="10" rx="3" '
            f'style="fill:{color};fill-opacity:{opacity}"/>'
        )
        yield _text(geometry.labels[n], x, middle - 11, muted)
        yield _text(geometry.shares[n], x, middle + 9, ink, bold=True)
        beside = x + text.width(geometry.shares[n], LABEL_SIZE, bold=True) + 8
        yield _text(geometry.values[n], beside, middle + 9, muted) + "</g>"
        turned += share
    x, y = geometry.centre
    yield _text(formats.compact(total), x, y, ink, size=20, anchor="middle", bold=True)


def ring(geometry: Layout, turned: float, share: float) -> str:
    """The outline of a slice of a ring that starts at `turned` turns from noon, clockwise."""
    (x, y), outer, inner = geometry.centre, geometry.radius, geometry.hole
    if share > 0.9999:
        return "".join(
            f"M{x:.1f},{y - r:.1f}a{r:.1f},{r:.1f} 0 1 1 0,{2 * r:.1f}"
            f"a{r:.1f},{r:.1f} 0 1 1 0,{-2 * r:.1f}Z"
            for r in (outer, inner)
        )
    far = int(share > 0.5)

    def at(radius: float, turn: float) -> str:
        angle = 2 * math.pi * turn
        return f"{x + radius * math.sin(angle):.2f},{y - radius * math.cos(angle):.2f}"

    return (
        f"M{at(outer, turned)}A{outer:.1f},{outer:.1f} 0 {far} 1 {at(outer, turned + share)}"
        f"L{at(inner, turned + share)}A{inner:.1f},{inner:.1f} 0 {far} 0 {at(inner, turned)}Z"
    )


def sparkline(
    values: Sequence[Number | None],
    role: Role,
    *,
    width: float = 190,
    height: float = 36,
    theme: str = Theme.AUTO,
) -> str:
    """A card's small line, stretched to what it stands in; the card's text says what it shows."""
    color, present = paint(role, Theme(theme)), [value for value in values if value is not None]
    low, high = min(present, default=0), max(present, default=0)
    pad, across = 3.0, width / max(len(values) - 1, 1)

    def y(value: Number) -> float:
        level = (value - low) / (high - low) if high > low else (0.5 if value else 0.0)
        return height - pad - level * (height - 2 * pad)

    lines, areas = [], []
    for run in neighbours(values):
        # One value alone is a level line, so that a card of one day is not left bare.
        ends = [(0.0, y(run[0][1])), (width, y(run[0][1]))]
        points = [(n * across, y(value)) for n, value in run] if len(values) > 1 else ends
        path = "L".join(f"{px:.1f},{py:.1f}" for px, py in points)
        lines.append(f"M{path}")
        areas.append(f"M{points[0][0]:.1f},{height:g}L{path}L{points[-1][0]:.1f},{height:g}Z")
    return (
        f'<svg {_NAMESPACE} class="sparkline" viewBox="0 0 {width:g} {height:g}" width="100%" '
        f'height="{height:g}" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        f'<path class="area" d="{"".join(areas)}" style="fill:{color};fill-opacity:.12"/>'
        f'<path class="mark line" d="{"".join(lines)}" fill="none" stroke-width="1.5" '
        f'stroke-linejoin="round" stroke-linecap="round" vector-effect="non-scaling-stroke" '
        f'style="stroke:{color}"/></svg>'
    )


def legend(chart: Chart, *, theme: str = Theme.AUTO) -> str:
    """The names of a chart's lines beside their colours, as HTML; empty where one needs no name."""
    lines = [*chart.series, *([chart.comparison] if chart.comparison else [])]
    if chart.kind is not Kind.LINES or chart.empty is not None or len(lines) < 2:
        return ""
    entries = "".join(
        f'<span class="legend-entry" style="display:inline-flex;align-items:center;gap:6px">'
        f'<span aria-hidden="true" style="width:12px;border-top:3px '
        f"{'dotted' if line.role is Role.BEFORE else 'solid'} "
        f'{paint(line.role, Theme(theme))}"></span>{escaped(line.label)}</span>'
        for line in lines
    )
    return (
        '<div class="legend" style="display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;'
        f'color:{paint("muted", Theme(theme))}">{entries}</div>'
    )


def responsive(
    chart: Chart, *, widths: Sequence[int] = (340, 540, 760), theme: str = Theme.AUTO
) -> str:
    """A chart drawn once for each width, as an HTML fragment that shows the one that fits.

    Each drawing is shown from its own width on, stretched up to the next, so that its text is never
    smaller than it was set. Without container queries the narrowest is shown.
    """
    drawings = "".join(
        f'<div class="drawing drawing-{width}">{_stretched(draw(chart, width=width, theme=theme))}'
        "</div>"
        for width in widths
    )
    return f'<div class="drawings"><style>{_switch(widths)}</style>{drawings}</div>'


def _stretched(svg: str) -> str:
    return re.sub(r' width="[\d.]+" height="[\d.]+" role', ' width="100%" role', svg, count=1)


def _switch(widths: Sequence[int]) -> str:
    wider = widths[1:]
    rules = [".drawings{container-type:inline-size}.drawing>svg{display:block}"]
    rules += [f".drawing-{width}{{display:none}}" for width in wider]
    for narrow, wide in zip(widths, wider, strict=False):
        rules.append(
            f"@container (min-width:{wide}px)"
            f"{{.drawing-{narrow}{{display:none}}.drawing-{wide}{{display:block}}}}"
        )
    return "".join(rules)
