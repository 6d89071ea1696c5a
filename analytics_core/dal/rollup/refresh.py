"""Renewing cells: of users who are rolled, the days that are marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Executable,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    union,
)

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.database import Database
from analytics_core.dal.days import utc_date
from analytics_core.dal.listed import listed, parameters_of
from analytics_core.dal.profile import Follow
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.marking import is_marking, start_marking
from analytics_core.dal.rollup.sets import CELL, DAY, DIMENSIONS, FACTS, Recomputation, stretches

# Adding up fewer rows than that takes a database a few milliseconds.
WORTH = 5_000
# So many days of a user are renewed in one transaction, and so many users looked at.
_DAYS_AT_ONCE = 31
_USERS_AT_ONCE = 1_000
_CELLS_AT_ONCE = 5_000
_MARK = ("source", "noun", "user_id", "day")
# Nobody's id; the day plays no part.
ANYBODY, _NO_DAY = "", date(1970, 1, 1)
_ONE_DAY = timedelta(days=1)
# Who commits late may have written an earlier time of change than others that were seen.
_OVERLAP = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: users rolled from now on, and days of users renewed."""

    users: int = 0
    days: int = 0

    def __add__(self, other: Refreshed) -> Refreshed:
        return Refreshed(self.users + other.users, self.days + other.days)


class RollupRefresh:
    """Brings the rollups of one database up to date; `worth` rows make a user rolled.

    Each step is a transaction: a refresh that was killed goes on where it was, and two at once
    take turns.
    """

    def __init__(
        self, kept: Kept, source: Database, catalog: Catalog, now: datetime, *, worth: int = WORTH
    ) -> None:
        self._kept, self._source, self._catalog, self._worth = kept, source, catalog, worth
        self._now = now
        self._recomputation = Recomputation(source, catalog, kept.source)

    def run(self) -> Iterator[Refreshed]:
        """Do what there is to do when it begins, and say after each step what was done."""
        if self._kept.is_apart:
            for noun, follow in self._catalog.follows.items():
                self._follow(noun, follow)
        else:
            self._begin()
        rolled = 0
        for noun in FACTS:
            for user_ids in self._looked_for(noun):
                users = self._roll(noun, user_ids)
                rolled += users
                yield Refreshed(users=users)
        for noun, user_id in self._marked():
            while days := self._renew(noun, user_id):
                yield Refreshed(days=days)
                if days < _DAYS_AT_ONCE:
                    break
        if rolled:
            self._count()

    # --- the first time ---

    def _begin(self) -> None:
        """The first time, and after rows were loaded in bulk: nothing known so far counts."""
        kept = self._kept
        with kept.database.read() as connection:
            if is_marking(connection):
                return
        with kept.refreshing() as transaction:
            if is_marking(transaction):
                return
            start_marking(transaction)
            for table in (kept.tables.users, kept.tables.cells, kept.tables.marks):
                transaction.execute(delete(table))
            for noun in FACTS:
                self._add_marks(transaction, noun, [(ANYBODY, _NO_DAY)])
            transaction.commit()

    def _add_marks(
        self, transaction: Connection, noun: str, marks: Iterable[tuple[str, date]]
    ) -> None:
        rows = [(self._kept.source, noun, user_id, day) for user_id, day in marks]
        self._insert(transaction, self._kept.tables.marks, _MARK, rows)

    # --- what a product's tables have changed ---

    def _follow(self, noun: str, follow: Follow) -> None:
        """Mark what may have changed since the table was looked at last."""
        kept = self._kept
        assert kept.tables.nouns is not None  # noqa: S101 - what is apart is followed
        n = kept.tables.nouns.c
        is_it = and_(n.source == kept.source, n.noun == noun)
        with kept.refreshing() as transaction:
            known = transaction.execute(select(*n).where(is_it)).mappings().first()
            seen_until, looked_at, reconciled_at = self._now, self._now, self._now
            if known is None:
                self._add_marks(transaction, noun, [(ANYBODY, _NO_DAY)])
            elif self._now - known["reconciled_at"] >= timedelta(days=follow.reconcile_days):
                self._mark_everything(transaction, noun)
            else:
                reconciled_at = known["reconciled_at"]
                window = known["looked_at"] - timedelta(days=follow.settles_days + 1)
                self._mark_changes(transaction, noun, known["seen_until"] - _OVERLAP, window)
            transaction.execute(delete(kept.tables.nouns).where(is_it))
            transaction.execute(
                insert(kept.tables.nouns),
                {
                    "source": kept.source,
                    "noun": noun,
                    "seen_until": seen_until,
                    "looked_at": looked_at,
                    "reconciled_at": reconciled_at,
                },
            )
            transaction.commit()

    def _mark_changes(
        self, transaction: Connection, noun: str, since: datetime, window: datetime
    ) -> None:
        """Mark days of rows that changed, and all that may have since they were looked at."""
        dialect = self._source.dialect
        found: set[tuple[str, date]] = set()
        for fact in FACTS[noun](self._catalog):
            days = select(fact.noun.c.user_id, utc_date(fact.instant, dialect)).distinct()
            days = days.where(fact.instant.is_not(None))
            found.update(map(tuple, self._source.rows(days.where(fact.instant >= window))))
            if (changed := fact.noun.c.get("changed_at")) is not None:
                found.update(map(tuple, self._source.rows(days.where(changed >= since))))
        found.update(self._days_of_cells(transaction, noun, window))
        self._add_marks(transaction, noun, sorted(found))

    def _mark_everything(self, transaction: Connection, noun: str) -> None:
        u = self._kept.tables.users.c
        rolled = select(u.user_id).where(u.source == self._kept.source, u.noun == noun)
        for user_id in transaction.execute(rolled).scalars().all():
            self._mark(transaction, noun, user_id)
        self._add_marks(transaction, noun, self._days_of_cells(transaction, noun))
        self._add_marks(transaction, noun, [(ANYBODY, _NO_DAY)])

    def _days_of_cells(
        self, transaction: Connection, noun: str, since: datetime | None = None
    ) -> list[tuple[str, date]]:
        """Users and days that have cells, whose rows may have gone."""
        c = self._kept.tables.cells.c
        days = (
            select(c.user_id, utc_date(c.start, self._kept.database.dialect))
            .where(c.source == self._kept.source, c.dimension.in_(DIMENSIONS[noun]), c.width == DAY)
            .distinct()
        )
        if since is not None:
            days = days.where(c.start >= since)
        return [(user_id, day) for user_id, day in transaction.execute(days)]

    # --- who is worth it ---

    def _looked_for(self, noun: str) -> Iterator[list[str]]:
        """Users who may have become worth it, some at a time."""
        m, u = self._kept.tables.marks.c, self._kept.tables.users.c
        rolled = exists().where(u.source == m.source, u.noun == m.noun, u.user_id == m.user_id)
        marked = (
            select(m.user_id)
            .where(m.source == self._kept.source, m.noun == noun, ~rolled)
            .distinct()
        )
        found = sorted(row[0] for row in self._kept.database.rows(marked))
        if found and found[0] == ANYBODY:
            heavy = {row[0] for row in self._source.rows(self._heavy(noun))}
            # That mark goes last: what was not looked at before a crash is looked for again.
            found = [*sorted(heavy.union(found[1:])), ANYBODY]
        for first in range(0, len(found), _USERS_AT_ONCE):
            yield found[first : first + _USERS_AT_ONCE]

    def _heavy(self, noun: str, user_ids: Sequence[str] | None = None) -> Executable:
        parts = []
        for owner, instant in self._instants(noun):
            part = select(owner.label("user_id")).where(instant.is_not(None))
            parts.append(part if user_ids is None else part.where(owner.in_(user_ids)))
        rows = parts[0].subquery() if len(parts) == 1 else parts[0].union_all(*parts[1:]).subquery()
        return select(rows.c.user_id).group_by(rows.c.user_id).having(func.count() >= self._worth)

    def _instants(self, noun: str) -> list[tuple[Any, Any]]:
        return [(fact.noun.c.user_id, fact.instant) for fact in FACTS[noun](self._catalog)]

    def _roll(self, noun: str, user_ids: list[str]) -> int:
        """Make those of the users rolled that are worth it, all their days marked."""
        kept = self._kept
        m, u = kept.tables.marks.c, kept.tables.users.c
        with kept.refreshing() as transaction:
            known = self._catalog.users.c.id.type
            ids = [one for one in user_ids if one and self._catalog.may_be_id(one, known)]
            heavy = (
                {row[0] for row in self._ask(transaction, self._heavy(noun, ids))} if ids else ()
            )
            is_one = and_(u.source == kept.source, u.noun == noun, u.user_id.in_(user_ids))
            rolled = set(transaction.execute(select(u.user_id).where(is_one)).scalars())
            transaction.execute(
                delete(kept.tables.marks).where(
                    m.source == kept.source,
                    m.noun == noun,
                    m.user_id.in_([one for one in user_ids if one not in rolled]),
                )
            )
            new = sorted(set(heavy) - rolled)
            for user_id in new:
                transaction.execute(
                    insert(kept.tables.users),
                    {"source": kept.source, "noun": noun, "user_id": user_id},
                )
                self._mark(transaction, noun, user_id)
            transaction.commit()
        return len(new)

    def _mark(self, transaction: Connection, noun: str, user_id: str) -> None:
        """Mark every day that a user has rows on."""
        parts = [
            select(utc_date(instant, self._source.dialect).label("day")).where(
                owner == user_id, instant.is_not(None)
            )
            for owner, instant in self._instants(noun)
        ]
        days = self._ask(transaction, union(*parts))
        self._add_marks(transaction, noun, [(user_id, row[0]) for row in days])

    def _count(self) -> None:
        """Let the planner know at once what there is; later on, it notices by itself."""
        with self._kept.database.write() as transaction:
            tables = self._kept.tables
            for table in (tables.users, tables.cells, tables.marks):
                transaction.execute(text(f"ANALYZE {table.name}"))
            transaction.commit()

    # --- their days ---

    def _marked(self) -> list[tuple[str, str]]:
        m, u = self._kept.tables.marks.c, self._kept.tables.users.c
        marked = (
            select(m.noun, m.user_id)
            .where(m.source == self._kept.source)
            .join(
                u.noun.table, and_(u.source == m.source, u.noun == m.noun, u.user_id == m.user_id)
            )
            .distinct()
            .order_by(m.noun, m.user_id)
        )
        return [(noun, user_id) for noun, user_id in self._kept.database.rows(marked)]

    def _renew(self, noun: str, user_id: str) -> int:
        """Renew the first days of a user that are marked; how many they were."""
        kept = self._kept
        m, c = kept.tables.marks.c, kept.tables.cells.c
        with kept.refreshing() as transaction:
            is_theirs = and_(m.source == kept.source, m.noun == noun, m.user_id == user_id)
            first = select(m.day).where(is_theirs).distinct().order_by(m.day).limit(_DAYS_AT_ONCE)
            days = list(transaction.execute(first).scalars())
            if not days:
                return 0
            gaps = stretches(days)
            transaction.execute(
                delete(kept.tables.cells).where(
                    c.source == kept.source,
                    c.user_id == user_id,
                    c.dimension.in_(DIMENSIONS[noun]),
                    or_(*(and_(c.start >= start, c.start < end) for start, end in gaps)),
                )
            )
            self._add_cells(transaction, noun, user_id, gaps)
            transaction.execute(delete(kept.tables.marks).where(is_theirs, m.day.in_(days)))
            transaction.commit()
        return len(days)

    def _add_cells(
        self,
        transaction: Connection,
        noun: str,
        user_id: str,
        gaps: Sequence[tuple[datetime, datetime]],
    ) -> None:
        statement, parameters = self._recomputation.of(noun, user_id, gaps)
        if not self._kept.is_apart:
            added = insert(self._kept.tables.cells).from_select(CELL, statement)
            transaction.execute(added, parameters)
            return
        with self._source.read() as connection:
            portions = connection.execution_options(yield_per=_CELLS_AT_ONCE)
            for portion in portions.execute(statement, parameters).partitions():
                self._insert(transaction, self._kept.tables.cells, CELL, portion)

    def _insert(
        self,
        transaction: Connection,
        table: Table,
        names: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
    ) -> None:
        """Put rows in with one statement, which takes a tenth of the time of one for each."""
        columns = {name: table.c[name].type for name in names}
        dialect = self._kept.database.dialect
        added = insert(table).from_select(names, select(listed("added", columns, dialect)))
        transaction.execute(added, parameters_of("added", columns, rows, dialect))

    def _ask(self, transaction: Connection, statement: Executable) -> list[tuple[Any, ...]]:
        """Ask the tables: of our own database within the transaction, else on their own."""
        if not self._kept.is_apart:
            return [tuple(row) for row in transaction.execute(statement)]
        return self._source.rows(statement)
