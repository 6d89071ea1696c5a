"""A chart as a table of text: behind the Table button, in reports and for screen readers."""

from __future__ import annotations

from analytics_core.charts import formats
from analytics_core.charts.values import Chart, Kind

Row = tuple[str, ...]


def table(chart: Chart) -> tuple[Row, tuple[Row, ...]]:
    """The header and one row per member, all formatted; a pie's parts with their share."""
    series = [*chart.series, *([chart.comparison] if chart.comparison else [])]
    header = [chart.dimension.capitalize(), *(line.label for line in series)]
    columns = [[formats.text(value, chart.unit) for value in line.values] for line in series]
    if chart.kind is Kind.PIE:
        values = [value or 0 for value in chart.series[0].values]
        total = sum(values)
        header.append("Share")
        columns.append([formats.percent(100 * value / total) for value in values])
    names = [member.name for member in chart.members]
    return tuple(header), tuple(zip(names, *columns, strict=True))
