"""Where rollups are kept: beside the tables they come from, or apart from a product's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Table, text

from analytics_core.dal.database import PATIENCE_SECONDS, Database
from analytics_core.dal.tables import (
    Base,
    FollowedCellRow,
    FollowedMarkRow,
    FollowedUserRow,
    RolledUserRow,
    RollupCellRow,
    RollupMarkRow,
    StateBase,
)

OWN = 0


@dataclass(frozen=True)
class Kept:
    """The tables of rollups in one database, and the number of the database they come from."""

    database: Database
    source: int
    users: Table
    cells: Table
    marks: Table

    @classmethod
    def own(cls, database: Database) -> Kept:
        tables = Base.metadata.tables
        rows = (RolledUserRow, RollupCellRow, RollupMarkRow)
        return cls(database, OWN, *(tables[row.__tablename__] for row in rows))

    @classmethod
    def apart(cls, state: Database, source: int) -> Kept:
        tables = StateBase.metadata.tables
        rows = (FollowedUserRow, FollowedCellRow, FollowedMarkRow)
        return cls(state, source, *(tables[row.__tablename__] for row in rows))

    @property
    def is_apart(self) -> bool:
        """Whether the rows are in another database than their rollups."""
        return self.source != OWN

    @contextmanager
    def refreshing(self) -> Iterator[Connection]:
        """A transaction in which nobody else refreshes, of one snapshot from then on.

        What was marked later is not seen in it, so that it is neither renewed nor unmarked.
        """
        with self.database.write(snapshot=True) as connection:
            if self.database.dialect == "postgresql":
                # Before anything is read: PostgreSQL takes the snapshot with the first question.
                # Writers of marks are not in the way; SQLite has one writer at a time in any case.
                lock = f"LOCK TABLE {self.marks.name} IN SHARE UPDATE EXCLUSIVE MODE"
                connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'"))
                connection.execute(text(lock))
            yield connection
