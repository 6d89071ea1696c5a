"""What all rivals share: the data of the page, its presets, and one chart's numbers as a frame."""

from __future__ import annotations

import pandas as pd

from analytics_core import Workspace
from analytics_core.charts.page import Page
from analytics_core.charts.values import Card, Chart, Kind
from analytics_core.drawing.palette import SHADES, SLICES

PRESETS = {
    "7d": "7 d",
    "30d": "30 d",
    "90d": "90 d",
    "this-month": "This month",
    "last-month": "Last month",
    "this-year": "This year",
    "all": "All",
}
USUAL = "30d"
HEIGHT = 260
# One for all visitors: each of these servers is one process, and its engine keeps connections.
WORKSPACE = Workspace.current()


def page(period: str) -> Page:
    """What is shown of a period: six cards, and six tabs of cards and charts."""
    return WORKSPACE.page(period=period)


def frame(chart: Chart) -> pd.DataFrame:
    """A column for each series, indexed by dates or by what the members are called."""
    lines = chart.kind is Kind.LINES
    keys = [member.key if lines else member.label for member in chart.members]
    return pd.DataFrame(
        {series.label: series.values for series in chart.series},
        index=pd.DatetimeIndex(keys) if lines else pd.Index(keys),
    )


def colors(chart: Chart) -> list[str]:
    """The colour of each series; for parts of a whole, of each part."""
    if chart.kind is Kind.PIE:
        red, green, blue = (
            int(SHADES[chart.series[0].role].light[n : n + 2], 16) for n in (1, 3, 5)
        )
        return [
            f"rgba({red},{green},{blue},{SLICES[min(n, len(SLICES) - 1)]})"
            for n in range(len(chart.members))
        ]
    return [SHADES[series.role].light for series in chart.series]


def legend(chart: Chart) -> str:
    """The names of several lines in their colours, as HTML."""
    if len(chart.series) < 2:
        return ""
    return " · ".join(
        f'<span style="color:{color}">{series.label}</span>'
        for series, color in zip(chart.series, colors(chart), strict=True)
    )


def card_html(card: Card) -> str:
    """One number with what it is and its context."""
    return f"<small>{card.label}</small><h3>{card.value}</h3><small>{card.context}</small>"
