"""The page in Dash; the first charts are part of the layout, which saves a round trip."""

from __future__ import annotations

import sys

import plotly.graph_objects as go
from dash import Dash, Input, Output, dcc, html

from analytics_core.charts.page import Page
from analytics_core.charts.values import Card, Chart, Kind
from tests.benchmarks.rivals.usage import HEIGHT, PRESETS, USUAL, colors, frame, page

app = Dash("Usage", title="Usage", serve_locally=True, update_title=None)


def plot(chart: Chart) -> go.Figure:
    rows = frame(chart)
    if chart.kind is Kind.LINES:
        made = go.Figure(
            [
                go.Scatter(
                    x=rows.index, y=rows[name], name=name, mode="lines", line={"color": color}
                )
                for name, color in zip(rows.columns, colors(chart), strict=True)
            ]
        )
    elif chart.kind is Kind.PIE:
        made = go.Figure(
            go.Pie(
                labels=list(rows.index),
                values=rows.iloc[:, 0],
                hole=0.6,
                marker={"colors": colors(chart)},
                sort=False,
            )
        )
    else:
        made = go.Figure(
            go.Bar(
                x=rows.iloc[:, 0],
                y=list(rows.index),
                orientation="h",
                marker={"color": colors(chart)[0]},
            )
        )
        made.update_yaxes(autorange="reversed")
    made.update_layout(
        height=HEIGHT,
        margin={"l": 40, "r": 10, "t": 10, "b": 30},
        template="plotly_white",
        legend={"orientation": "h"},
    )
    return made


def drawn(chart: Chart) -> html.Div:
    body = chart.empty or dcc.Graph(figure=plot(chart), config={"displayModeBar": False})
    return html.Div([html.B(chart.title), html.Div(chart.summary), body])


def cards(found: tuple[Card, ...]) -> list[html.Div]:
    return [
        html.Div([html.Small(card.label), html.H3(card.value), html.Small(card.context)])
        for card in found
    ]


def panel(shown: Page, key: str) -> list[html.Div]:
    tab = shown.tab(key)
    return [html.Div(cards(tab.cards), style=ROW), *(drawn(chart) for chart in tab.charts)]


ROW = {"display": "grid", "gridAutoFlow": "column", "gap": "16px"}


def layout() -> html.Div:
    """Called for each visitor."""
    shown = page(USUAL)
    return html.Div(
        [
            html.H2(f"Usage · {shown.heading.who}"),
            dcc.RadioItems(PRESETS, USUAL, id="period", inline=True),
            html.Div(cards(shown.cards), id="cards", style=ROW),
            dcc.Tabs(
                [dcc.Tab(label=tab.label, value=tab.key) for tab in shown.tabs],
                value=shown.tabs[0].key,
                id="tabs",
            ),
            html.Div(panel(shown, shown.tabs[0].key), id="panel"),
        ],
        style={"fontFamily": "system-ui", "margin": "16px"},
    )


app.layout = layout


@app.callback(
    Output("cards", "children"),
    Output("panel", "children"),
    Input("period", "value"),
    Input("tabs", "value"),
    prevent_initial_call=True,
)
def show(period: str, tab: str) -> tuple[list[html.Div], list[html.Div]]:
    shown = page(period)
    return cards(shown.cards), panel(shown, tab)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
