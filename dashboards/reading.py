"""What cards and charts say in text, and how panels stand: what painted and live pages share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analytics_core.charts import formats, table
from analytics_core.charts.values import Card, Chart, Kind, Number, Series
from analytics_core.drawing.layout import Layout, layout

# Any width will do where only the span of values is wanted.
_ANY_WIDTH = 640


def reading(chart: Chart) -> dict[str, Any]:
    """A chart as its frame needs it; positions and heights are shares of the plot, from 0 to 1."""
    count = 0 if chart.empty else len(chart.members)
    shape = layout(chart, _ANY_WIDTH)
    columns, rows = ((), ()) if chart.empty else table(chart)
    lines = [*chart.series, *([chart.comparison] if chart.comparison else [])]
    legend = [
        [line.label, line.role.value, line is chart.comparison] for line in lines if len(lines) > 1
    ]
    return {
        "key": chart.key,
        "title": chart.title,
        "summary": chart.summary,
        "empty": chart.empty,
        "along": "x" if chart.kind is Kind.LINES else "y",
        "at": _positions(chart.kind, count, shape),
        "labels": [member.name for member in chart.members],
        "series": [] if chart.empty else [_told(line, chart, shape) for line in lines],
        "legend": [] if chart.empty else legend,
        "table": {"columns": list(columns), "rows": [list(row) for row in rows]},
    }


def place(chart: Chart, width: float) -> dict[str, float]:
    """Where the positions of a chart lie in its frame, in pixels from each side, and its height."""
    shape = layout(chart, width)
    around = shape.margins
    rows = shape.pitch * shape.positions if chart.kind is Kind.PIE else shape.plot_height
    return {
        "left": around.left,
        "right": around.right,
        "top": around.top,
        "bottom": shape.height - around.top - rows,
        "height": shape.height,
    }


def wide_ones(charts: Sequence[Chart]) -> set[str]:
    """The charts whose panels take a whole row: lines, and of narrow neighbours one left over."""
    wide: set[str] = set()
    waiting: Chart | None = None
    for chart in (*charts, None):
        if chart is None or chart.kind is Kind.LINES:
            wide |= {alone.key for alone in (waiting, chart) if alone is not None}
            waiting = None
        else:
            waiting = chart if waiting is None else None
    return wide


def card_of(card: Card) -> dict[str, Any]:
    """A card as the browser needs it."""
    change = card.change and {
        "before": card.change.before,
        "difference": card.change.difference,
        "percent": card.change.percent,
        "tone": card.change.tone.value,
    }
    return {
        "key": card.key,
        "label": card.label,
        "role": card.role.value,
        "value": card.value,
        "exact": card.exact,
        "context": card.context,
        "change": change,
        "line": list(card.line),
    }


def _positions(kind: Kind, count: int, shape: Layout) -> list[float]:
    if kind is Kind.LINES:
        return [shape.across(position) for position in range(count)]
    return [(position + 0.5) / count for position in range(count)]


def _told(line: Series, chart: Chart, shape: Layout) -> dict[str, Any]:
    def height(value: Number | None) -> float | None:
        return None if value is None else shape.up(value)

    return {
        "label": line.label,
        "role": line.role.value,
        "texts": [formats.text(value, chart.unit) for value in line.values],
        "heights": [height(v) for v in line.values] if chart.kind is Kind.LINES else None,
    }
