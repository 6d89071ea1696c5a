"""The page before its kernel: asked once on the server, painted as HTML, handed on as data.

Nothing here knows widgets: the server imports it, and must stay small.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup

from analytics_core.charts.page import page
from analytics_core.charts.values import Card, Number
from analytics_core.drawing.fluid import fluid
from analytics_core.errors import AccessEnded, AnalyticsError, ScopeError
from analytics_core.identity.visitor import Visitor
from analytics_core.serving.granting import Granting
from analytics_core.serving.painting import Painted
from analytics_core.workspace import Workspace
from dashboards.address import CARDS, PRESETS, REFRESH_SECONDS, TABS, PageState
from dashboards.given import Given
from dashboards.model import AtOnce, UsageModel
from dashboards.plain_words import in_plain_words
from dashboards.reading import card_of, reading, wide_ones

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "template"
_TEMPLATE = TEMPLATES / "voila/templates/usage/painted.html.j2"


class FirstPaint:
    """Paints pages of whoever comes, within what the workspace was opened for."""

    def __init__(
        self,
        workspace: Workspace,
        granting: Granting,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`granting` says what a visitor may see, as the database believes it."""
        self._workspace, self._granting, self._clock = workspace, granting, clock

    def paint(self, visitor: Visitor, query: str) -> Painted:
        """The page that this query asks for: summary, the selected tab, and what a kernel needs.

        Works in any thread. A question that fails is painted too, and the kernel asks it again.
        """
        state = PageState.from_query(query)
        try:
            grant = self._granting.grant(visitor)
            model = self._asked(visitor, state, grant)
            if isinstance(model.error, AccessEnded):
                # Keys were replaced since it was signed.
                grant = self._granting.anew(visitor.scope)
                model = self._asked(visitor, state, grant)
        except AnalyticsError as failed:
            log.error("nothing can be granted: %s", failed)
            html = self._render(state, problem=in_plain_words(failed), who="")
            # Who may see what does not change by itself; all else may be over in a moment.
            return Painted(html, "", "", is_withheld=isinstance(failed, ScopeError))
        html = self._render(state, **self._answer(model, state))
        given = Given(query, model.subject, model.data, model.fetched_at)
        return Painted(html, given.to_source(), grant)

    def _asked(self, visitor: Visitor, state: PageState, grant: str) -> UsageModel:
        with self._workspace.within(visitor.scope, visitor.zone, grant=grant) as workspace:
            return UsageModel(
                workspace=workspace,
                runner=AtOnce(),
                period=state.period,
                zone=state.zone,
                compare=state.compare,
            )

    def _render(self, state: PageState, **told: Any) -> str:
        return self._template.render(
            state=state,
            link=lambda **change: link(state, **change),
            presets=PRESETS,
            tabs=TABS,
            refreshes=REFRESH_SECONDS,
            names=CARDS,
            **told,
        )

    def problem(self) -> str:
        """Why nothing could be painted right now, in plain words; empty where it could."""
        own = self._granting.own
        try:
            try:
                self._check(self._granting.of(own))
            except AccessEnded:
                self._check(self._granting.anew(own))
        except AnalyticsError as failed:
            log.warning("nothing could be painted: %s", failed)
            return in_plain_words(failed)
        return ""

    def _check(self, grant: str) -> None:
        with self._workspace.within(self._granting.own, grant=grant) as workspace:
            workspace.check()

    def _answer(self, model: UsageModel, state: PageState) -> dict[str, Any]:
        if model.data is None:
            return {"problem": in_plain_words(model.error), "who": ""}
        shown = page(model.who, model.data, self._clock())
        tab = shown.tab(state.tab)
        return {
            "problem": "",
            "who": model.who,
            "zone": state.zone or model.own_zone,
            "heading": shown.heading,
            "cards": [_painted_card(card) for card in shown.cards],
            "tab_cards": [_painted_card(card) for card in tab.cards],
            "charts": [
                {**reading(chart), "drawing": Markup(fluid(chart))}  # noqa: S704
                for chart in tab.charts
            ],
            "wide": wide_ones(tab.charts),
        }

    @cached_property
    def _template(self) -> jinja2.Template:
        surroundings = jinja2.Environment(
            autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
        )
        return surroundings.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def link(state: PageState, **change: Any) -> str:
    """The address of the same page in another state: what controls are before they are live."""
    chosen = {**{name: value for name, value in state.to_parameters().items() if value}, **change}
    return "?" + urlencode({name: value for name, value in chosen.items() if value is not None})


def _painted_card(card: Card) -> dict[str, Any]:
    return {**card_of(card), "spark": spark(card.line)}


def spark(values: tuple[Number | None, ...]) -> tuple[str, str] | None:
    """The outlines of a card's small line and of what lies below it, in a box of 100 by 34."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    low = min(0, *known)
    span = max(known) - low or 1
    points = [
        (100 * n / (len(values) - 1), 32 - 28 * (value - low) / span)
        for n, value in enumerate(values)
        if value is not None
    ]
    line = "L".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f"M{points[0][0]:g},34L{line}L{points[-1][0]:g},34Z", f"M{line}"
