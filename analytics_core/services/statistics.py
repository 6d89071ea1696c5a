"""Everything one page shows of a scope and a range."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from analytics_core.dal.repositories import Repositories
from analytics_core.dal.side_by_side import SideBySide
from analytics_core.model.daterange import DateRange, date_of
from analytics_core.model.results import (
    ActivityStats,
    ApiStats,
    Comparison,
    CreditStats,
    ProjectStats,
    RenderStats,
    Statistics,
    StorageStats,
)
from analytics_core.model.scope import Scope
from analytics_core.services.activity import activity_stats
from analytics_core.services.api_usage import api_stats
from analytics_core.services.credits import credit_stats
from analytics_core.services.projects import project_stats
from analytics_core.services.renders import render_stats
from analytics_core.services.storage import storage_stats
from analytics_core.services.window import Window


class StatisticsService:
    """Answers with frozen results; the queries of a page run side by side."""

    def __init__(
        self, repositories: Repositories, side_by_side: SideBySide, clock: Callable[[], datetime]
    ) -> None:
        self._dal, self._side_by_side, self._clock = repositories, side_by_side, clock

    def window(self, scope: Scope, dates: DateRange | None, zone: ZoneInfo) -> Window:
        """The range asked for, or for None everything the scope has."""
        if dates is not None:
            return Window(dates)
        found = self._dal.extent.dates(scope, zone)
        if found is not None:
            return Window(found)
        today = date_of(self._clock(), zone)
        return Window(DateRange(today, today, zone), is_empty=True)

    def collect(self, scope: Scope, window: Window, *, compare: bool) -> Comparison:
        """The statistics of a range and, where asked for, of the period before.

        Without a range and without a record the period before has nothing either, and says so.
        """
        windows = [window]
        if compare and not window.is_empty:
            before = window.dates.before(date_of(self._clock(), window.dates.zone))
            windows.append(Window(before))
        # The longest first, so that none of them runs alone at the end.
        sections = {
            "api": self.api,
            "projects": self.projects,
            "credits": self.credits,
            "renders": self.renders,
            "storage": self.storage,
            "activity": self.activity,
        }
        answers = self._side_by_side.ask(
            [partial(ask, scope, asked) for asked in windows for ask in sections.values()]
        )
        current, *previous = (
            Statistics(
                range=None if asked.is_empty else asked.dates,
                zone=asked.dates.zone.key,
                **dict(zip(sections, answers[n * len(sections) :], strict=False)),
            )
            for n, asked in enumerate(windows)
        )
        if compare and window.is_empty:
            previous = [current]
        return Comparison(current, *previous)

    def renders(self, scope: Scope, window: Window) -> RenderStats:
        return render_stats(self._dal.renders, scope, window)

    def credits(self, scope: Scope, window: Window) -> CreditStats:
        return credit_stats(self._dal.ledger, scope, window)

    def api(self, scope: Scope, window: Window) -> ApiStats:
        return api_stats(self._dal.api_calls, self._dal.keys, scope, window, self._clock())

    def storage(self, scope: Scope, window: Window) -> StorageStats:
        return storage_stats(self._dal.files, scope, window)

    def projects(self, scope: Scope, window: Window) -> ProjectStats:
        return project_stats(self._dal.projects, scope, window)

    def activity(self, scope: Scope, window: Window) -> ActivityStats:
        return activity_stats(self._dal.activity, scope, window, self._clock())
