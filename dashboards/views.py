"""Views: each turns charts into widgets and keeps them in step; none of them asks for data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import Box, Widget

from analytics_core.charts.values import Card, Chart, TabContent
from analytics_core.drawing.layout import layout
from dashboards.address import TABS
from dashboards.chrome import Cards, ChartFrame
from dashboards.figures import Figure, figure_for
from dashboards.reading import card_of, place, reading, wide_ones

# What a frame reserves before the browser said how wide it is.
_LIKELY_WIDTH = 640


class ChartView:
    """One chart: its frame and, once the browser said how wide it may be, its figure.

    A bqplot figure made for an unknown width, or in a hidden box, draws with negative sizes and
    complains; so nothing is drawn before the frame has been seen.
    """

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.figure: Figure | None = None
        self._width = 0
        self.frame = ChartFrame(chart=reading(chart), plot=self._plot())
        self.widget = Box([self.frame])
        self.widget.add_class("panel")
        self.widget.add_class(f"panel-of-{chart.key}")
        self.frame.observe(self._width_changed, "width")
        self._mark_empty()

    def show(self, chart: Chart) -> None:
        """Show newer values of the same chart in the same marks."""
        self.chart = chart
        self._mark_empty()
        # Marks first: what surrounds them says more, and takes longer to read.
        self._draw()

    def close(self) -> None:
        self.frame.unobserve_all()
        if self.figure is not None:
            self.figure.close()
        for widget in (self.frame, self.widget):
            close(widget)

    def _width_changed(self, change: Any) -> None:
        if change["new"] != self._width:
            self._width = change["new"]
            self._draw()

    def _draw(self) -> None:
        if self._width and self.chart.empty is None:
            shape = layout(self.chart, self._width)
            if self.figure is None:
                self.figure = figure_for(self.chart, shape)
                self.widget.children = (self.frame, self.figure.widget)
            else:
                self.figure.show(self.chart, shape)
        with self.frame.hold_sync():
            self.frame.chart, self.frame.plot = reading(self.chart), self._plot()

    def _mark_empty(self) -> None:
        if self.chart.empty is None:
            self.widget.remove_class("is-empty")
        else:
            self.widget.add_class("is-empty")

    def _plot(self) -> dict[str, Any]:
        width = self._width or _LIKELY_WIDTH
        return {**place(self.chart, width), "ready": self.figure is not None, "width": width}


class CardsView:
    """A row of cards."""

    def __init__(self, label: str, names: Sequence[str] = ()) -> None:
        self.widget = Cards(label=label, names=list(names))

    def show(self, cards: Sequence[Card]) -> None:
        self.widget.cards = [card_of(card) for card in cards]

    def close(self) -> None:
        close(self.widget)


class TabView:
    """The cards and charts of one tab, made when it is first opened and updated in place after."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.charts: dict[str, ChartView] = {}
        # Made here, where they cost nothing; charts are what a tab waits with.
        self.cards = CardsView(f"{TABS[key]} summary")
        self.panels = Box()
        self.panels.add_class("panels")
        self.widget = Box()
        self.widget.add_class("tabpanel")
        self.widget.add_class(f"tabpanel-{key}")

    def show(self, content: TabContent) -> None:
        """Show the content of this tab; charts that it no longer has are closed."""
        gone = self.charts.keys() - {chart.key for chart in content.charts}
        wide = wide_ones(content.charts)
        for chart in content.charts:
            if chart.key in self.charts:
                self.charts[chart.key].show(chart)
            else:
                self.charts[chart.key] = ChartView(chart)
            panel = self.charts[chart.key].widget
            (panel.add_class if chart.key in wide else panel.remove_class)("wide")
        self.panels.children = tuple(self.charts[chart.key].widget for chart in content.charts)
        for key in gone:
            self.charts.pop(key).close()
        self.cards.show(content.cards)
        self.widget.children = (self.cards.widget, self.panels)

    def close(self) -> None:
        for chart in self.charts.values():
            chart.close()
        self.cards.close()
        for widget in (self.panels, self.widget):
            close(widget)


def close(widget: Widget) -> None:
    """Close a widget with the layout that ipywidgets made for it."""
    made_for_it: Callable[[], None] | None = getattr(getattr(widget, "layout", None), "close", None)
    widget.close()
    if made_for_it is not None:
        made_for_it()
