"""The one composition root: settings and a scope become a database, repositories and services."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from datetime import UTC, date, datetime
from functools import cached_property
from getpass import getuser
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo

from analytics_core.dal import schema
from analytics_core.dal.audit import AuditRepository
from analytics_core.dal.catalog import Catalog, host_catalog, own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.forgetting import FollowedPersonRepository, PersonRepository, Remembered
from analytics_core.dal.grants import Granted, GrantKey, is_signed, scope_of, showing, sign
from analytics_core.dal.profile import read_profile
from analytics_core.dal.repositories import Repositories
from analytics_core.dal.retention import RetentionRepository
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.side_by_side import SideBySide
from analytics_core.dal.state import StateRepository
from analytics_core.dal.tombstones import Tombstones
from analytics_core.errors import (
    DatabaseUnavailable,
    NothingKept,
    ReadOnlyDatabase,
    ScopeError,
    UnknownZone,
)
from analytics_core.model.audited import Action, Audited
from analytics_core.model.daterange import DateRange, date_of, read_zone
from analytics_core.model.keeping import KeepFor, Kind, Retained
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
        self._zone = settings.zone or None
        signed = settings.grant if settings.grant and is_signed(settings.grant) else None
        keys = settings.grant_keys
        self._key = GrantKey.from_text(keys[0]) if keys else None
        granted = Granted(scope, signed, self._key)
        self.database = Database(
            settings.database_url.get_secret_value(),
            read_only=settings.profile is not None,
            granted=granted,
        )
        state = settings.state_url if settings.profile is not None else None
        self._state = Database(state.get_secret_value(), granted=granted) if state else None
        self._side_by_side = SideBySide(self.database)
        self._reader_is_held_back = False
        self._whole: Workspace | None = None

    @classmethod
    def open(cls, settings: Settings, scope: Scope) -> Workspace:
        """A workspace for an entry point, which says itself whose data it may show."""
        return cls(settings, scope)

    @classmethod
    def current(cls) -> Workspace:
        """The workspace of this kernel, within the scope that its launcher granted.

        Raises `ScopeError` where no scope was granted, `NotHeldBack` where its role could help
        itself to more, and later `AccessEnded` where the grant is over.
        """
        settings = Settings.read()
        if settings.grant is None:
            raise ScopeError(
                "no scope was granted here: open this through `analytics lab`, `dashboard` or"
                " `report`, or use Workspace.open(settings, scope)"
            )
        workspace = cls(settings, scope_of(settings.grant))
        # A database that does not answer is told of when something is asked.
        with suppress(DatabaseUnavailable):
            workspace.hold_back()
        return workspace

    def hold_back(self) -> None:
        """Raise `NotHeldBack` where our role could help itself to more than it is granted.

        Raises `DatabaseUnavailable` where that cannot be asked.
        """
        for database in filter(None, (self.database, self._state)):
            database.hold_back()

    def bypassing_role(self) -> str | None:
        """The name of our role where row-level security does not hold it, on PostgreSQL."""
        with suppress(DatabaseUnavailable):
            if self.database.dialect == "postgresql":
                ours = self.database.standing()
                return ours.role if ours.bypasses else None
        return None

    def for_reader(self, scope: Scope, until: datetime) -> Settings:
        """The settings of what only reads within a scope, until then: a kernel, or a page.

        Its grant is signed where a database checks it, its role the one that `ANALYTICS_READER_URL`
        names. Raises `ScopeError` for a scope that is not granted here, `NotHeldBack`, and
        `DatabaseUnavailable`: who is not known to be held back serves nobody.
        """
        settings = self.settings.for_reader(self.grant(scope, until))
        if not self._reader_is_held_back:
            with Workspace(settings, scope) as reader:
                reader.hold_back()
            self._reader_is_held_back = True
        return settings

    def grant(self, scope: Scope, until: datetime) -> str:
        """A grant of the scope until then, as `ANALYTICS_GRANT` holds one.

        Signed with the key of the settings, or by the database whose keys are ours; where no
        database checks it, it only says the scope. What was granted here is handed on as it is.
        Raises `ScopeError`, also for less than that where nothing here can sign it.
        """
        scope = self.scope.narrow(scope)
        if self._key is not None:
            return sign(scope, self._key, until)
        databases = list(filter(None, (self.database, self._state)))
        for database in databases:
            if (signed := database.sign(scope, until)) is not None:
                return signed
        if self.settings.grant and scope == self.scope:
            return self.settings.grant
        if any(database.needs_grant() for database in databases):
            if self.settings.grant is None:
                raise ScopeError(
                    "nothing here can sign a grant: set ANALYTICS_DATABASE_URL to the address of"
                    " the database's owner, or ANALYTICS_GRANT_KEY"
                )
            raise ScopeError(
                "what was granted here can be handed on as a whole only: nothing here can sign"
                " a grant of less"
            )
        return scope.to_text()

    @contextmanager
    def within(
        self, scope: Scope, zone: str | None = None, *, grant: str | None = None
    ) -> Iterator[Workspace]:
        """For the block, this workspace for somebody who may see less, with a zone of their own.

        `grant` is what shows it to a database that checks; without one, what shows this one's. It
        is for the thread that entered the block. Raises `ScopeError`.
        """
        narrowed = copy(self)
        narrowed.scope, narrowed._zone = self.scope.narrow(scope), zone or self._zone
        narrowed._whole = self
        if grant is None or not is_signed(grant):
            yield narrowed
        else:
            with showing(Granted(scope, grant)):
                # It may have been signed a day ago, and would first show that by no rows at all.
                for database in filter(None, (self.database, self._state)):
                    database.doubt()
                yield narrowed

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

    def find_person(self, email_or_id: str) -> Remembered:
        """Somebody of the whole database, also where they were forgotten; raises `UnknownUser`."""
        self.scope.narrow(Scope.everyone())
        return self._people.find(email_or_id)

    def held_about(self, who: Remembered) -> dict[str, int]:
        """How many rows of each table of the workspace are a person's."""
        self.scope.narrow(Scope.everyone())
        return self._people.counts(who.id, self._clock()) if who.id else {}

    def forget(self, who: Remembered, by: str) -> dict[str, int]:
        """Remove a person, so that nothing shows or takes them any more; rows gone, by table.

        `by` says by what they were forgotten. Raises `NothingKept`.
        """
        self.scope.narrow(Scope.everyone())
        return self._people.forget(who, self._clock(), by)

    def left_at_host(self, who: Remembered) -> dict[str, int]:
        """How many rows of a person the tables of a product's database have, which stay there."""
        self.scope.narrow(Scope.everyone())
        people = self._people
        if who.id is None or not isinstance(people, FollowedPersonRepository):
            return {}
        return people.left_at_host(who.id)

    def forgotten(self) -> int:
        """How many people were forgotten; raises `NothingKept`."""
        self.scope.narrow(Scope.everyone())
        return self._people.tombstones.count()

    def export_person(self, email_or_id: str, path: Path) -> dict[str, int]:
        """Write all that is held about a user into a folder or a zip archive; rows by table.

        Raises `UnknownUser` and `OutputError`.
        """
        from analytics_core.services.personal_archive import Content, write_archive
        from analytics_core.telemetry.waiting import waiting_events

        user = self.find_user(email_or_id)
        now, people = self._clock(), self._people
        with people.everything(user.id, now) as tables:
            contents = (Content(one.name, one.rows, one.left_out) for one in tables)
            if isinstance(people, PersonRepository):
                keys = people.key_hashes(user.id)
                events = waiting_events(self.settings.spool_folder, user.id, keys)
                more = [Content("waiting_events", events, ("key_hash",))]
            else:
                more = []
            return write_archive(path, user, self.database.label, now, chain(contents, more))

    def record_use(self, action: Action, whose: Scope, by: str, *, who: str | None = None) -> None:
        """Put into the audit log, where one is kept, what somebody is about to do with rows.

        `by` is what they do it with, `who` a person's id or name, or without one the account of
        this machine. A process that holds a grant leaves it to its launcher. Raises
        `DatabaseUnavailable`, and then nothing may be shown; with a file that cannot be written
        there is only a warning.
        """
        if self.settings.grant is not None or (audit := self._audit) is None:
            return
        # What replaced keys signed is refused here.
        self._audited.doubt()
        try:
            audit.record(self._clock(), who or _account(), action, whose, by)
        except DatabaseUnavailable as failed:
            if self._audited.dialect != "sqlite":
                raise
            _log.warning("not in the audit log: %s", failed)

    def audited(self, since: datetime | None = None) -> list[Audited]:
        """The audit log from then on, oldest first; raises `NothingKept`."""
        self.scope.narrow(Scope.everyone())
        if self._audit is None:
            raise NothingKept(self.database.label)
        return self._audit.entries(since)

    @cached_property
    def _audit(self) -> AuditRepository | None:
        """Where it is kept, if anywhere."""
        if self.settings.profile is None:
            schema.check(self.database)
            return AuditRepository(self._audited)
        kept = self._kept
        return AuditRepository(self._audited, kept.source) if kept is not None else None

    @cached_property
    def _audited(self) -> Database:
        """The database of the audit log, opened for everyone: whoever it is, it is told of them."""
        own = self.settings.profile is None
        url = self.settings.database_url if own else self.settings.state_url
        assert url is not None  # noqa: S101 - nothing is kept without it
        return Database(url.get_secret_value(), granted=Granted(key=self._key))

    def retention(self) -> list[Retained]:
        """What is kept for how long, and how much of it would go now.

        Raises `ReadOnlyDatabase` for a product's own database.
        """
        return [
            Retained(kind, keep, first_day, self._records.going(kind, first_day))
            for kind, keep, first_day in self._kept_for_a_time()
        ]

    def apply_retention(self) -> Iterator[tuple[Kind, int]]:
        """Let go of what is kept long enough, telling after each step of what and how much.

        Raises `ReadOnlyDatabase`.
        """
        for kind, _, first_day in self._kept_for_a_time():
            for gone in self._records.let_go(kind, first_day):
                yield kind, gone

    def _kept_for_a_time(self) -> list[tuple[Kind, KeepFor, date]]:
        self.scope.narrow(Scope.everyone())
        today = self._clock().astimezone(UTC).date()
        keeping = self.settings.keeping.items()
        return [(kind, keep, keep.first_day(today)) for kind, keep in keeping]

    @cached_property
    def _records(self) -> RetentionRepository:
        if self.settings.profile is not None:
            raise ReadOnlyDatabase(
                f"{self.database.label} is a product's own database: how long it keeps its records"
                " is for its owner to say"
            )
        schema.check(self.database)
        return RetentionRepository(self.database)

    @cached_property
    def _people(self) -> PersonRepository | FollowedPersonRepository:
        if self.settings.profile is None:
            schema.check(self.database)
            return PersonRepository(self.database)
        # Those who were forgotten too: what the host still has of them is to be named.
        profile = read_profile(self.settings.profile)
        whole = host_catalog(self.database, profile)
        return FollowedPersonRepository(self._kept, self.database, whole, profile)

    def _where_kept(self) -> Kept:
        _ = self.repositories
        if self._kept is None:
            raise NothingKept(self.database.label)
        return self._kept

    def check(self) -> None:
        """See whether the database answers, and is fit for questions; raises what they would."""
        _ = self.repositories
        self.database.server()

    def find_user(self, email_or_id: str) -> User:
        """The user with this e-mail address or id; raises `UnknownUser`, also outside the scope."""
        return self.repositories.users.get_one(email_or_id, self.scope)

    def user_ids(self) -> list[str]:
        """The ids of all users within the scope, in order of their e-mail addresses."""
        return self.repositories.users.all_ids(self.scope)

    def zone_of(self, user: User | None, zone: str | None = None) -> ZoneInfo:
        """The zone that days are cut in: an explicit one, else that of whoever looks.

        Where they brought none it is the user's own, else UTC.

        A record with a zone that does not exist is no reason to show its user nothing.
        """
        if (asked := self._zone if zone is None else zone) is not None:
            return read_zone(asked)
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
        if self._whole is not None:
            return self._whole.repositories
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
        tombstones = None
        if self._kept is not None:
            tombstones = Tombstones(self._kept.database, self._kept.source, self.database)
        return host_catalog(self.database, read_profile(self.settings.profile), tombstones)

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
        if "_audited" in vars(self):
            self._audited.close()
        if self._state is not None:
            self._state.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _account() -> str:
    """The account of this machine, as nobody else's id."""
    try:
        return f"account {getuser()}"
    except (KeyError, OSError):
        return "account without a name"
