"""Where rollups are kept: beside the tables they come from, or apart from a product's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Table, exists, func, select, text

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.database import PATIENCE_SECONDS, Database
from analytics_core.dal.profile import Follow
from analytics_core.dal.tables import (
    Base,
    FollowedCellRow,
    FollowedMarkRow,
    FollowedNounRow,
    FollowedUserRow,
    RolledUserRow,
    RollupCellRow,
    RollupMarkRow,
    StateBase,
)

OWN = 0


@dataclass(frozen=True)
class RollupTables:
    """The tables of rollups, and the number of the database they come from."""

    source: int
    users: Table
    cells: Table
    marks: Table
    # How far each noun was followed; of our own there is nothing to follow.
    nouns: Table | None = None

    @classmethod
    def own(cls) -> RollupTables:
        tables = Base.metadata.tables
        rows = (RolledUserRow, RollupCellRow, RollupMarkRow)
        return cls(OWN, *(tables[row.__tablename__] for row in rows))

    @classmethod
    def apart(cls, source: int) -> RollupTables:
        tables = StateBase.metadata.tables
        rows = (FollowedUserRow, FollowedCellRow, FollowedMarkRow, FollowedNounRow)
        return cls(source, *(tables[row.__tablename__] for row in rows))

    @property
    def is_apart(self) -> bool:
        """Whether the rows are in another database than their rollups."""
        return self.source != OWN


@dataclass(frozen=True)
class Kept:
    """The database that keeps rollups, and their tables in it."""

    database: Database
    tables: RollupTables

    @classmethod
    def own(cls, database: Database) -> Kept:
        return cls(database, RollupTables.own())

    @classmethod
    def apart(cls, state: Database, source: int) -> Kept:
        return cls(state, RollupTables.apart(source))

    @property
    def source(self) -> int:
        return self.tables.source

    @property
    def is_apart(self) -> bool:
        return self.tables.is_apart

    def counts(self) -> tuple[int, int]:
        """How many users are kept, and how many of their days are marked."""
        u, m = self.tables.users.c, self.tables.marks.c
        users = select(func.count(u.user_id.distinct())).where(u.source == self.source)
        is_theirs = exists().where(u.source == m.source, u.noun == m.noun, u.user_id == m.user_id)
        days = select(m.noun, m.user_id, m.day).where(m.source == self.source, is_theirs)
        marked = select(func.count()).select_from(days.distinct().subquery())
        [[rolled]], [[waiting]] = self.database.rows(users), self.database.rows(marked)
        return rolled, waiting

    @contextmanager
    def refreshing(self) -> Iterator[Connection]:
        """A transaction in which nobody else refreshes, of one snapshot from then on.

        What was marked later is not seen in it, so that it is neither renewed nor unmarked.
        """
        with self.database.write(snapshot=True) as connection:
            # Before anything is read: PostgreSQL takes the snapshot with the first question.
            self.take_turn(connection)
            yield connection

    def take_turn(self, connection: Connection) -> None:
        """Wait until nobody refreshes; nobody else does until the transaction is over."""
        if self.database.dialect == "postgresql":
            # Writers of marks are not in the way; SQLite has one writer at a time in any case.
            lock = f"LOCK TABLE {self.tables.marks.name} IN SHARE UPDATE EXCLUSIVE MODE"
            connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'"))
            connection.execute(text(lock))


def settled(looked_at: datetime, follow: Follow) -> date:
    """The first UTC day of a followed table whose rows may still change."""
    return looked_at.astimezone(UTC).date() - timedelta(days=follow.settles_days)


def settled_until(connection: Connection, kept: Kept, catalog: Catalog, noun: str) -> date:
    """The first UTC day that is not read from cells; there is none in our own tables."""
    if kept.tables.nouns is None:
        return date.max
    n = kept.tables.nouns.c
    known = select(n.looked_at).where(n.source == kept.source, n.noun == noun)
    looked_at = connection.execute(known).scalar()
    return settled(looked_at, catalog.follows[noun]) if looked_at else date.min
