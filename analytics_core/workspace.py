"""The one composition root: settings and a scope become a database, repositories and services."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo

from analytics_core.dal import schema
from analytics_core.dal.catalog import Catalog, host_catalog, own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.profile import read_profile
from analytics_core.dal.repositories import Repositories
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.side_by_side import SideBySide
from analytics_core.dal.state import StateRepository
from analytics_core.errors import NothingKept, ScopeError, UnknownZone
from analytics_core.model.daterange import DateRange, date_of, read_zone
from analytics_core.model.results import ApiStats, Comparison, CreditStats, RenderStats
from analytics_core.model.scope import Scope
from analytics_core.model.user import User
from analytics_core.services.statistics import StatisticsService
from analytics_core.services.window import Window
from analytics_core.settings import Settings

if TYPE_CHECKING:
    # Only those who draw pay for what draws.
    import pandas as pd

    from analytics_core.charts.page import Page
    from analytics_core.charts.values import Chart
    from analytics_core.dal.rollup.refresh import Refreshed
    from analytics_core.dal.rollup.verify import CellDifference
    from analytics_core.drawing.sheet import Part, Sheet
    from analytics_core.model.storage import StorageScan

_log = logging.getLogger(__name__)

Whom: TypeAlias = str | Scope | None
When: TypeAlias = DateRange | str | None


class Workspace:
    """What people and programs ask; it answers within the scope it was opened with.

    Whose data is asked for is an e-mail address, a user's id, a `Scope`, or None for all that was
    granted. A period is a `DateRange`, a text such as `2026-10`, `30d` or `2026-10-01..2026-10-31`,
    or None for everything. A zone is an IANA name; without one the user's own counts, then UTC.

    Connects when first asked. Every question may raise `DatabaseUnavailable`, `SchemaMismatch`,
    `ProfileError`, `UnknownUser`, `ScopeError`, `RangeError` and `UnknownZone`.
    """

    def __init__(
        self,
        settings: Settings,
        scope: Scope,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings, self.scope, self._clock = settings, scope, clock
        self.database = Database(
            settings.database_url.get_secret_value(), read_only=settings.profile is not None
        )
        state = settings.state_url if settings.profile is not None else None
        self._state = Database(state.get_secret_value()) if state else None
        self._side_by_side = SideBySide(self.database)

    @classmethod
    def open(cls, settings: Settings, scope: Scope) -> Workspace:
        """A workspace for an entry point, which says itself whose data it may show."""
        return cls(settings, scope)

    @classmethod
    def current(cls) -> Workspace:
        """The workspace of this kernel, within the scope that its launcher granted.

        Raises `ScopeError` where no scope was granted.
        """
        settings = Settings.read()
        if settings.grant is None:
            raise ScopeError(
                "no scope was granted here: open this through `analytics lab`, `dashboard` or"
                " `report`, or use Workspace.open(settings, scope)"
            )
        return cls(settings, Scope.from_text(settings.grant))

    def get_analytics_data(
        self,
        user: Whom = None,
        period: When = None,
        *,
        zone: str | None = None,
        compare: bool = False,
    ) -> Comparison:
        """Everything a page shows; with `compare`, beside the same of the period before."""
        scope, window = self._question(user, period, zone)
        return self._statistics.collect(scope, window, compare=compare)

    def get_render_stats(
        self, user: Whom = None, period: When = None, *, zone: str | None = None
    ) -> RenderStats:
        return self._statistics.renders(*self._question(user, period, zone))

    def get_credit_stats(
        self, user: Whom = None, period: When = None, *, zone: str | None = None
    ) -> CreditStats:
        return self._statistics.credits(*self._question(user, period, zone))

    def get_api_usage_stats(
        self, user: Whom = None, period: When = None, *, zone: str | None = None
    ) -> ApiStats:
        return self._statistics.api(*self._question(user, period, zone))

    def page(
        self,
        user: Whom = None,
        period: When = None,
        *,
        zone: str | None = None,
        compare: bool = False,
    ) -> Page:
        """The same as charts: a heading, the summary cards, and tabs of cards and charts."""
        from analytics_core.charts.page import page

        scope, window = self._question(user, period, zone)
        answer = self._statistics.collect(scope, window, compare=compare)
        return page(self._name_of(scope), answer, self._clock())

    @staticmethod
    def chart(
        frame: pd.DataFrame | pd.Series[Any],
        title: str,
        *,
        summary: str = "",
        kind: str | None = None,
        unit: str = "count",
        role: str | None = None,
    ) -> Chart:
        """A chart of an own frame: dates become lines, anything else bars, or `kind="pie"`.

        Units: count, credits, bytes, seconds, milliseconds, percent. Roles, which are colours:
        renders, credits, api, storage, projects, account. Raises `ValueError` for any other.
        """
        from analytics_core.charts.frame import from_frame

        return from_frame(frame, title, summary=summary, kind=kind, unit=unit, role=role)

    @staticmethod
    def show(*parts: Part) -> Sheet:
        """Pages, tabs, cards and charts as a notebook shows them, and a report prints them."""
        from analytics_core.drawing.sheet import Sheet

        return Sheet(*parts)

    def scan_storage(self, url: str, pattern: str) -> StorageScan:
        """How a bucket or folder differs from what was recorded, for everyone.

        `pattern` says where in a path user and file stand. Raises `StorageError`.
        """
        from analytics_core.dal.stored_objects import StoredObjectComparison
        from analytics_core.services.storage_scan import PathPattern, scan

        self.scope.narrow(Scope.everyone())
        comparison = StoredObjectComparison(self.database, self._catalog)
        return scan(comparison, url, PathPattern.read(pattern), self._clock())

    def refresh_rollups(self) -> Iterator[Refreshed]:
        """Bring the rollups up to date, telling after each step what was done.

        Raises `NothingKept` where a product's database has no state database to keep them in.
        """
        from analytics_core.dal.rollup.refresh import RollupRefresh

        self.scope.narrow(Scope.everyone())
        yield from RollupRefresh(
            self._where_kept(), self.database, self._catalog, self._clock()
        ).run()

    def verify_rollups(self, sample: int | None = None) -> Iterator[CellDifference]:
        """What rollups say otherwise than the rows; of everything, or of `sample` months of users.

        Raises `NothingKept`.
        """
        from analytics_core.dal.rollup.verify import RollupVerification

        self.scope.narrow(Scope.everyone())
        verification = RollupVerification(self._where_kept(), self.database, self._catalog)
        yield from verification.differences(sample)

    def rollups_kept(self) -> tuple[int, int]:
        """How many users are kept added up, and how many of their days are to be renewed."""
        self.scope.narrow(Scope.everyone())
        _ = self.repositories
        return self._kept.counts() if self._kept else (0, 0)

    def _where_kept(self) -> Kept:
        _ = self.repositories
        if self._kept is None:
            raise NothingKept(self.database.label)
        return self._kept

    def find_user(self, email_or_id: str) -> User:
        """The user with this e-mail address or id; raises `UnknownUser`, also outside the scope."""
        return self.repositories.users.get_one(email_or_id, self.scope)

    def zone_of(self, user: User | None, zone: str | None = None) -> ZoneInfo:
        """The zone that days are cut in: an explicit one, else the user's own, else UTC.

        A record with a zone that does not exist is no reason to show its user nothing.
        """
        if zone:
            return read_zone(zone)
        try:
            return read_zone((user and user.zone) or "UTC")
        except UnknownZone as unknown:
            _log.warning("%s in the record of user %s: taking UTC", unknown, user and user.id)
            return read_zone("UTC")

    def today(self, zone: ZoneInfo) -> date:
        return date_of(self._clock(), zone)

    @cached_property
    def repositories(self) -> Repositories:
        """The repositories, once the database has been found fit for them."""
        return Repositories.of(self.database, self._catalog, self._kept)

    @cached_property
    def _kept(self) -> Kept | None:
        """Where rollups are: beside our own tables, or in the state database of a product's."""
        if self.settings.profile is None:
            return Kept.own(self.database)
        if self._state is None:
            return None
        schema.check(self._state, schema.STATE)
        number = StateRepository(self._state).find_source(self.database)
        return Kept.apart(self._state, number) if number is not None else None

    @cached_property
    def _catalog(self) -> Catalog:
        if self.settings.profile is None:
            schema.check(self.database)
            return own_catalog()
        return host_catalog(self.database, read_profile(self.settings.profile))

    @cached_property
    def _statistics(self) -> StatisticsService:
        return StatisticsService(self.repositories, self._side_by_side, self._clock)

    def _question(self, whom: Whom, period: When, zone: str | None) -> tuple[Scope, Window]:
        """What is asked, made definite: a scope within the granted one, and dates in a zone."""
        if isinstance(whom, str):
            user: User | None = self.find_user(whom)
        else:
            scope = self.scope if whom is None else self.scope.narrow(whom)
            user = self.find_user(scope.only_user) if scope.only_user else None
        scope = Scope.user(user.id) if user else scope
        dates_zone = self.zone_of(user, zone)
        if isinstance(period, str):
            period = DateRange.parse(period, self.today(dates_zone), dates_zone)
        return scope, self._statistics.window(scope, period, dates_zone)

    def _name_of(self, scope: Scope) -> str:
        if scope.only_user:
            user = self.find_user(scope.only_user)
            return user.name or user.email
        return f"{len(scope.user_ids)} users" if scope.user_ids else "All users"

    def close(self) -> None:
        """Give back everything that was opened."""
        self._side_by_side.close()
        self.database.close()
        if self._state is not None:
            self._state.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
