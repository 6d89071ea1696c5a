"""The page in Panel, as `panel serve` runs it for each visitor."""

from __future__ import annotations

from math import pi

import panel as pn
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

from analytics_core.charts.values import Chart, Kind, TabContent
from tests.benchmarks.rivals.usage import (
    HEIGHT,
    PRESETS,
    USUAL,
    card_html,
    colors,
    frame,
    legend,
    page,
)

pn.extension()


def drawn(chart: Chart) -> pn.viewable.Viewable:
    head = pn.pane.HTML(f"<b>{chart.title}</b><br>{chart.summary}<br>{legend(chart)}")
    if chart.empty is not None:
        return pn.Column(head, chart.empty)
    return pn.Column(head, pn.pane.Bokeh(plot(chart), sizing_mode="stretch_width"))


def plot(chart: Chart) -> figure:
    rows = frame(chart)
    look = {"height": HEIGHT, "sizing_mode": "stretch_width", "toolbar_location": None}
    if chart.kind is Kind.LINES:
        made = figure(x_axis_type="datetime", tools="hover", **look)
        for name, color in zip(rows.columns, colors(chart), strict=True):
            source = ColumnDataSource({"x": rows.index, "y": rows[name]})
            made.line("x", "y", source=source, line_width=2, color=color)
        return made
    values = rows.iloc[:, 0].fillna(0)
    if chart.kind is Kind.PIE:
        made = figure(x_range=(-1, 1), tools="hover", **look)
        ends = (values.cumsum() / values.sum() * 2 * pi).tolist()
        made.wedge(
            x=0,
            y=0,
            radius=0.8,
            start_angle=[0, *ends[:-1]],
            end_angle=ends,
            fill_color=colors(chart),
            line_color="white",
        )
        made.axis.visible = made.grid.visible = False
        return made
    made = figure(y_range=list(rows.index)[::-1], tools="hover", **look)
    made.hbar(y=list(rows.index), right=values.tolist(), height=0.6, color=colors(chart)[0])
    return made


def cards(found: tuple) -> pn.viewable.Viewable:
    return pn.Row(
        *(pn.pane.HTML(card_html(card), sizing_mode="stretch_width") for card in found),
        sizing_mode="stretch_width",
    )


def panel(tab: TabContent) -> pn.viewable.Viewable:
    return pn.Column(
        *([cards(tab.cards)] if tab.cards else []),
        *(drawn(chart) for chart in tab.charts),
        sizing_mode="stretch_width",
    )


period = pn.widgets.RadioButtonGroup(
    options={label: key for key, label in PRESETS.items()}, value=USUAL
)
shown = page(USUAL)
top = pn.Column(cards(shown.cards), sizing_mode="stretch_width")
tabs = pn.Tabs(
    *((tab.label, panel(tab)) for tab in shown.tabs[:1]),
    *((tab.label, pn.Column(sizing_mode="stretch_width")) for tab in shown.tabs[1:]),
    dynamic=True,
    sizing_mode="stretch_width",
)
filled = {0}


def fill(_change: object = None) -> None:
    """Build the open tab when it is first opened."""
    if tabs.active not in filled:
        filled.add(tabs.active)
        tabs[tabs.active] = (shown.tabs[tabs.active].label, panel(shown.tabs[tabs.active]))


def choose(change: object) -> None:
    global shown
    shown = page(period.value)
    filled.clear()
    top[:] = [cards(shown.cards)]
    fill()


period.param.watch(choose, "value")
tabs.param.watch(fill, "active")
pn.Column(
    f"## Usage · {shown.heading.who}", period, top, tabs, sizing_mode="stretch_width"
).servable(title="Usage")
