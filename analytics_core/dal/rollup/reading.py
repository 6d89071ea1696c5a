"""Reading cells in place of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Executable,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    func,
    literal,
    null,
    select,
    union_all,
)

from analytics_core.dal.catalog import Catalog, own_catalog
from analytics_core.dal.days import utc_date
from analytics_core.dal.listed import listed, parameters_of
from analytics_core.dal.question import Form, Gaps, Questioner
from analytics_core.dal.rollup.kept import Kept, settled
from analytics_core.dal.rollup.sets import DAY, HOUR, QUARTER, stretches
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_DAY = timedelta(days=1)
_PROJECTS: Mapping[str, Any] = {"id": String()}


@dataclass(frozen=True, slots=True)
class CellSum:
    """What cells of one member add up to; day 0 is before the range, None all of the range."""

    dimension: str
    member: str
    day: int | None
    count: int
    amount: int | float
    timed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Rolled:
    """One noun of one user that is in cells, all of it but the rows within `gaps`."""

    noun: str
    user_id: str
    marked: tuple[date, ...]
    gaps: tuple[tuple[datetime, datetime], ...]
    # Cells of this day and later ones do not count: a host's rows may still change.
    settled_until: date = date.max


def gaps_of(*rolled: Rolled | None) -> Gaps:
    """What is left to read from the tables of nouns that are rolled."""
    return {one.noun: one.gaps for one in rolled if one is not None}


def new_projects(catalog: Catalog, form: Form) -> Select[str]:
    """The ids of projects created in the range."""
    p = catalog.projects.c
    return select(p.id).where(form.within(p.user_id), form.during(p.created_at))


class RollupRepository:
    """The cells of rolled users; nobody is rolled where nothing is kept.

    `source` asks the database whose rows they are, and `catalog` is of it.
    """

    def __init__(self, kept: Kept | None, source: Questioner, catalog: Catalog) -> None:
        self._kept, self._source, self._catalog = kept, source, catalog
        self._questioner = Questioner(kept.database, own_catalog()) if kept else None

    def rolled(
        self, noun: str, scope: Scope, dates: DateRange, *, since_ever: bool = False
    ) -> Rolled | None:
        """A user's noun where it is in cells, and days of the range begin where cells do.

        Its gaps are those of the UTC days that the range touches, or with `since_ever` of those
        before it too.
        """
        if self._questioner is None or scope.only_user is None or not _fits(dates, QUARTER):
            return None
        found = self._marked(self._questioner, scope).get(noun)
        if found is None:
            return None
        settled_until = date.max
        if follow := self._catalog.follows.get(noun):
            settled_until = settled(found[0][1], follow)
        marked = tuple(day for day, _ in found if day and day < settled_until)
        # A range may be named after a date that it does not touch; a day more does no harm.
        first, last = dates.start.date() - _ONE_DAY, dates.end.date() + _ONE_DAY
        gaps = stretches([d for d in marked if d <= last and (since_ever or d >= first)])
        if settled_until <= last:
            gaps.append((datetime.combine(settled_until, time(), UTC), dates.end + _ONE_DAY))
        return Rolled(noun, scope.only_user, marked, tuple(gaps), settled_until)

    def _marked(self, questioner: Questioner, scope: Scope) -> dict[str, list[tuple[Any, Any]]]:
        """Of each noun that a user has in cells, the days marked, and until when it is followed."""

        def ask() -> dict[str, list[tuple[Any, Any]]]:
            marked: dict[str, list[tuple[Any, Any]]] = {}
            for noun, day, looked_at in questioner.ask(self._write_marked, scope):
                marked.setdefault(noun, []).append((day, looked_at))
            return marked

        return self._here.database.once(("marked", scope), ask)

    def sums(
        self,
        rolled: Rolled,
        dates: DateRange,
        *,
        by_day: Sequence[str] = (),
        in_all: Sequence[str] = (),
        before: Sequence[str] = (),
    ) -> list[CellSum]:
        """The cells of a range by dimension and member: per day, in all, and before it (day 0)."""
        parts = {"by_day": by_day, "in_all": in_all, "before": before}
        rows = self._ask(self._write_sums, rolled, dates, **parts)
        return [CellSum(*row) for row in rows]

    def by_date(
        self, rolled: Rolled, dates: DateRange, dimension: str, start: datetime, until: datetime
    ) -> list[tuple[Any, ...]]:
        """Rows of day of the range, UTC date, member and count, of what lies within instants."""
        stretch = {"from_": start, "until": until}
        return self._ask(self._write_by_date, rolled, dates, dimension=dimension, **stretch)

    def count_renders_of_new_projects(self, rolled: Rolled, dates: DateRange) -> int:
        """How many renders of the range that are in cells belong to projects created in it."""
        ids: dict[str, Any] = {}
        if self._here.is_apart:
            scope = Scope.user(rolled.user_id)
            rows = self._source.ask(self._write_new_projects, scope, dates)
            ids = parameters_of("projects", _PROJECTS, rows, self._here.database.dialect)
        found = self._ask(self._write_renders_of_new_projects, rolled, dates, **ids)
        return int(found[0][0])

    def _ask(
        self, write: Any, rolled: Rolled, dates: DateRange, **more: Any
    ) -> list[tuple[Any, ...]]:
        assert self._questioner is not None  # noqa: S101 - nothing is rolled without it
        first_midnight, last_midnight = _midnights(dates)
        return self._questioner.ask(
            write,
            Scope.user(rolled.user_id),
            dates,
            marked=rolled.marked,
            settled_until=datetime.combine(rolled.settled_until, time(), UTC),
            fine=_fine(dates),
            first_midnight=first_midnight,
            last_midnight=last_midnight,
            midnight_before=datetime.combine(dates.start.date(), time(), UTC),
            **more,
        )

    # --- statements ---

    def _write_marked(self, form: Form) -> Executable:
        kept = self._here
        u, m = kept.users.c, kept.marks.c
        is_theirs = and_(m.source == u.source, m.noun == u.noun, m.user_id == u.user_id)
        found = kept.users.outerjoin(kept.marks, is_theirs)
        looked_at: ColumnElement[Any] = null()
        if kept.nouns is not None:
            n = kept.nouns.c
            found = found.join(kept.nouns, and_(n.source == u.source, n.noun == u.noun))
            looked_at = n.looked_at
        return (
            select(u.noun, m.day, looked_at)
            .select_from(found)
            .where(u.source == kept.source, form.within(u.user_id))
            .distinct()
        )

    def _write_sums(self, form: Form) -> Executable:
        c = self._here.cells.c
        by_day = and_(c.width == bindparam("fine"), form.during(c.start))
        before = [
            and_(c.width == DAY, c.start < bindparam("midnight_before")),
            and_(c.width == QUARTER, *_between(c.start, "midnight_before", "start")),
        ]
        in_all: ColumnElement[Any] = literal(None, Integer)
        return union_all(
            self._sums(form, "by_day", form.day_number(c.start), by_day),
            *(self._sums(form, "in_all", in_all, which) for which in self._in_all()),
            *(self._sums(form, "before", literal(0), which) for which in before),
        )

    def _sums(
        self, form: Form, dimensions: str, day: ColumnElement[Any], which: ColumnElement[bool]
    ) -> Select[Any]:
        c = self._here.cells.c
        cells = (
            select(c.dimension, c.member, day.label("day"), c.count, c.amount, c.timed, c.seconds)
            .where(
                self._is_theirs(form),
                c.dimension.in_(bindparam(dimensions, expanding=True)),
                which,
            )
            .subquery()
            .c
        )
        members = (cells.dimension, cells.member, cells.day)
        measures = (cells.count, cells.amount, cells.timed, cells.seconds)
        return select(*members, *map(func.sum, measures)).group_by(*members)

    def _write_by_date(self, form: Form) -> Executable:
        c = self._here.cells.c
        cells = (
            select(
                form.day_number(c.start).label("day"),
                utc_date(c.start, form.dialect).label("date"),
                c.member,
                c.count,
            )
            .where(
                self._is_theirs(form),
                c.dimension == bindparam("dimension"),
                c.width == bindparam("fine"),
                *_between(c.start, "from_", "until"),
            )
            .subquery()
            .c
        )
        members = (cells.day, cells.date, cells.member)
        return select(*members, func.sum(cells.count)).group_by(*members)

    def _write_renders_of_new_projects(self, form: Form) -> Executable:
        c = self._here.cells.c
        projects = (
            select(listed("projects", _PROJECTS, form.dialect).c.id)
            if self._here.is_apart
            else new_projects(self._catalog, form)
        )
        counts = [
            select(c.member, c.count).where(
                self._is_theirs(form), c.dimension == "render_project", which
            )
            for which in self._in_all()
        ]
        cells = union_all(*counts).subquery().c
        return select(func.coalesce(func.sum(cells.count), 0)).where(cells.member.in_(projects))

    def _write_new_projects(self, form: Form) -> Executable:
        return new_projects(self._catalog, form)

    def _is_theirs(self, form: Form) -> ColumnElement[bool]:
        """The condition that a cell is the user's, and of a day that is not marked."""
        c = self._here.cells.c
        day = utc_date(c.start, form.dialect)
        return and_(
            c.source == self._here.source,
            form.within(c.user_id),
            day.not_in(bindparam("marked", expanding=True, type_=Date())),
            c.start < bindparam("settled_until"),
        )

    def _in_all(self) -> list[ColumnElement[bool]]:
        """A range as a whole: its UTC days, and the quarters at its ends.

        Each is a condition of its own, and one stretch of an index: together they would be a filter
        to a planner that has not counted the cells yet.
        """
        c = self._here.cells.c
        return [
            and_(c.width == DAY, *_between(c.start, "first_midnight", "last_midnight")),
            and_(c.width == QUARTER, *_between(c.start, "start", "first_midnight")),
            and_(c.width == QUARTER, *_between(c.start, "last_midnight", "end")),
        ]

    @property
    def _here(self) -> Kept:
        assert self._kept is not None  # noqa: S101 - nothing is rolled without it
        return self._kept


def _between(instant: ColumnElement[datetime], start: str, end: str) -> list[ColumnElement[bool]]:
    return [instant >= bindparam(start), instant < bindparam(end)]


def _fits(dates: DateRange, width: int) -> bool:
    """Whether every day of a range begins where buckets of this width, in seconds, do."""
    return not any(
        (start - _EPOCH) % timedelta(seconds=width) for start in (*dates.day_starts, dates.end)
    )


def _fine(dates: DateRange) -> int:
    """The widest buckets that days of a range can be made of."""
    return HOUR if _fits(dates, HOUR) else QUARTER


def _midnights(dates: DateRange) -> tuple[datetime, datetime]:
    """The first and last UTC midnight of a range; its end twice where it has none."""
    first = datetime.combine(dates.start.date(), time(), UTC)
    if first < dates.start:
        first += _ONE_DAY
    last = datetime.combine(dates.end.date(), time(), UTC)
    return (first, last) if first <= last else (dates.end, dates.end)
