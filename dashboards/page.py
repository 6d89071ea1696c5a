"""The whole page: a model, a header, cards, tabs and what they have to do with each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ipywidgets import Box
from traitlets import link

from analytics_core.charts.page import Page, page
from dashboards.address import CARDS, PRESETS, TABS, PageState
from dashboards.chrome import Header, Tabs
from dashboards.download import download
from dashboards.given import Given, take
from dashboards.model import UsageModel
from dashboards.plain_words import in_plain_words
from dashboards.views import CardsView, TabView, close


class UsagePage:
    """The usage of one user, several or everybody, as one widget that follows its model.

    What the visitor chooses goes into the model, what comes back goes into the views, and both into
    the address; `widget` is what a notebook shows.
    """

    def __init__(
        self,
        model: UsageModel,
        state: PageState | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        state = state or PageState()
        self.model, self._clock = model, clock
        self.header = Header(presets=[[key.value, label] for key, label in PRESETS.items()])
        self.cards = CardsView("Summary", CARDS)
        self.tabs = Tabs(tabs=[[key, label] for key, label in TABS.items()], selected=state.tab)
        self.views = {key: TabView(key) for key in TABS}
        self._panels = Box([self.cards.widget, self.tabs, *(v.widget for v in self.views.values())])
        self._panels.add_class("usage-width")
        self.widget = Box([self.header, self._panels])
        self.widget.add_class("usage-page")
        self._page: Page | None = None
        self._paged_at: datetime | None = None
        self._shown: set[str] = set()

        self._links = [
            link((model, name), (self.header, shown))
            for name, shown in (
                ("period", "period"),
                ("compare", "compare"),
                ("zone", "zone"),
                ("refetch_seconds", "refresh"),
            )
        ]
        model.observe(self._follow, ["late", "attempts"])
        model.observe(self._chosen, ["period", "compare", "zone"])
        self.header.observe(self._write_address, "refresh")
        self.header.on_msg(self._asked)
        self.tabs.observe(self._tab_selected, "selected")
        self._follow()

    @classmethod
    def of_request(cls) -> UsagePage:
        """The page that this kernel was started for, with the answer that the server had already.

        Elsewhere the page as it usually is, which asks for itself.
        """
        given = take() or Given(os.environ.get("QUERY_STRING", ""))
        state = PageState.from_query(given.query)
        model = UsageModel(
            period=state.period,
            zone=state.zone,
            compare=state.compare,
            refetch_seconds=state.refresh,
            given=given,
        )
        return cls(model, state)

    @property
    def state(self) -> PageState:
        """What the visitor sees, as a value."""
        model = self.model
        return PageState(
            self.tabs.selected, model.period, model.compare, model.zone, model.refetch_seconds
        )

    def close(self) -> None:
        """Unlink everything and leave no widget behind; the model stays."""
        for linked in self._links:
            linked.unlink()
        self.model.unobserve(self._follow, ["late", "attempts"])
        self.model.unobserve(self._chosen, ["period", "compare", "zone"])
        self.cards.close()
        for view in self.views.values():
            view.close()
        for widget in (self.header, self.tabs, self._panels, self.widget):
            widget.unobserve_all()
            close(widget)

    def _follow(self, _change: Any = None) -> None:
        """Bring the open tab, cards and header in step with the model, in this order.

        Charts are what a visitor waits for; until they are there, nothing else is sent.
        """
        model = self.model
        # Not by `data`: numbers that did not change are news too, as of now.
        if model.data is not None and model.fetched_at != self._paged_at:
            self._page = page(model.who, model.data, self._clock())
            self._paged_at = model.fetched_at
            self._shown.clear()
            self._show_tab()
            self.cards.show(self._page.cards)
        with self.header.hold_sync():
            self._head()
            self._write_address()

    def _head(self) -> None:
        header, model = self.header, self.model
        header.loading = model.late
        header.error = in_plain_words(model.error)
        header.attempts = model.attempts
        if self._page is None or model.fetched_at is None:
            return
        heading, dates = self._page.heading, model.data.current.range
        header.who = heading.who
        header.own_zone = model.own_zone
        header.range_text = heading.dates
        header.against_text = f"against {heading.against}" if heading.against else ""
        header.first = dates.first.isoformat() if dates else ""
        header.last = dates.last.isoformat() if dates else ""
        header.as_of = heading.as_of
        header.updated = model.fetched_at.isoformat()

    def _show_tab(self) -> None:
        """Fill the selected tab with the newest numbers, if it has older ones or none."""
        key = self.tabs.selected
        if key in self.views and self._page is not None and key not in self._shown:
            self._shown.add(key)
            self.views[key].show(self._page.tab(key))

    def _chosen(self, _change: Any) -> None:
        # Nothing more will be said to be late: a reload must not bring back what was given up.
        if self.model.late:
            self._write_address()

    def _tab_selected(self, _change: Any) -> None:
        self._write_address()
        self._show_tab()

    def _write_address(self, _change: Any = None) -> None:
        self.header.address = dict(self.state.to_parameters())

    def _repeat(self) -> None:
        """Say again what is shown, to a browser that was not listening when it changed."""
        parts = (self.cards.widget, self.tabs, *(view.widget for view in self.views.values()))
        for part in (*parts, self._panels, self.header):
            part.send_state()
        if not self.model.loading:
            self.header.send({"repeated": True})

    def _asked(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        match content:
            case {"ask": "refetch"}:
                self.model.refetch()
            case {"ask": "repeat"}:
                self._repeat()
            case {"ask": "download", "what": str(what)} if self.model.data is not None:
                file = download(what, self.tabs.selected, self.model.data)
                if file is not None:
                    name, mime, body = file
                    self.header.send({"save": {"name": name, "mime": mime}}, [body])
