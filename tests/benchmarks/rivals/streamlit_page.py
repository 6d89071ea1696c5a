"""The page in Streamlit, which runs this file from top to bottom for each visitor and choice."""

from __future__ import annotations

import altair as alt
import streamlit as st

from analytics_core.charts.values import Card, Chart, Kind
from tests.benchmarks.rivals.usage import HEIGHT, PRESETS, USUAL, colors, frame, legend, page

st.set_page_config(page_title="Usage", layout="wide")


def plot(chart: Chart) -> alt.Chart:
    rows = frame(chart).rename_axis("member").reset_index()
    long = rows.melt("member", var_name="series", value_name="value")
    names = list(rows.columns[1:])
    if chart.kind is Kind.LINES:
        color = alt.Color(
            "series:N", scale=alt.Scale(domain=names, range=colors(chart)), legend=None
        )
        made = (
            alt.Chart(long)
            .mark_line()
            .encode(x=alt.X("member:T", title=None), y=alt.Y("value:Q", title=None), color=color)
        )
    elif chart.kind is Kind.PIE:
        scale = alt.Scale(domain=list(rows["member"]), range=colors(chart))
        made = (
            alt.Chart(long)
            .mark_arc(innerRadius=60)
            .encode(theta="value:Q", color=alt.Color("member:N", scale=scale, title=None))
        )
    else:
        made = (
            alt.Chart(long)
            .mark_bar(color=colors(chart)[0])
            .encode(x=alt.X("value:Q", title=None), y=alt.Y("member:N", sort=None, title=None))
        )
    return made.properties(height=HEIGHT)


def drawn(chart: Chart) -> None:
    st.markdown(f"**{chart.title}** {legend(chart)}", unsafe_allow_html=True)
    st.caption(chart.summary)
    if chart.empty is None:
        st.altair_chart(plot(chart), theme=None)
    else:
        st.info(chart.empty)


def cards(found: tuple[Card, ...]) -> None:
    for column, card in zip(st.columns(len(found)), found, strict=True):
        column.metric(card.label, card.value, help=card.context)


heading = st.empty()
period = st.radio(
    "Which days",
    list(PRESETS),
    index=list(PRESETS).index(USUAL),
    format_func=PRESETS.__getitem__,
    horizontal=True,
    label_visibility="collapsed",
)
shown = page(period)
heading.markdown(f"## Usage · {shown.heading.who}")
cards(shown.cards)
# With "rerun" only the open tab is built.
for place, tab in zip(
    st.tabs([tab.label for tab in shown.tabs], on_change="rerun", key="tab"),
    shown.tabs,
    strict=True,
):
    if place.open:
        with place:
            if tab.cards:
                cards(tab.cards)
            for chart in tab.charts:
                drawn(chart)
