"""What the workspace keeps beside a product's database, keyed by which database that is."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql, sqlite

from analytics_core.dal.database import Database
from analytics_core.dal.tables import SourceRow
from analytics_core.errors import ReadOnlyDatabase


def identity_of(database: Database) -> str:
    """A digest of what makes a database that one and no other, wherever it is reached from.

    PostgreSQL: the system identifier of its cluster and its name; where the role may not ask for
    the former, the address it was reached at. SQLite: the file.
    """
    if database.path is not None:
        parts: tuple[str, ...] = ("sqlite", str(database.path.resolve()))
    else:
        parts = ("postgresql", *_cluster_and_name(database))
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def _cluster_and_name(database: Database) -> tuple[str, str]:
    with database.read() as connection:
        name = str(connection.execute(text("SELECT current_database()")).scalar_one())
        may_ask = connection.execute(
            text("SELECT has_function_privilege('pg_control_system()', 'execute')")
        ).scalar_one()
        if may_ask:
            asked = text("SELECT system_identifier FROM pg_control_system()")
            return str(connection.execute(asked).scalar_one()), name
    address = database.engine.url
    return f"{address.query.get('host', address.host)}:{address.port or 5432}", name


def keep_apart(state: Database, host: Database) -> None:
    """Raise `ReadOnlyDatabase` where what is to be kept would be kept in a product's own."""
    if identity_of(state) == identity_of(host):
        raise ReadOnlyDatabase(
            f"{state.label} is the product's own database, where nothing is ever created:"
            " ANALYTICS_STATE_URL needs another one"
        )


class StateRepository:
    """The databases that were looked at; everything kept about one carries its number."""

    def __init__(self, state: Database) -> None:
        self._state = state

    def find_source(self, looked_at: Database) -> int | None:
        """The number of a database; None where `analytics init` has not seen it."""
        known = select(SourceRow.id).where(SourceRow.identity == identity_of(looked_at))
        found = self._state.rows(known)
        return int(found[0][0]) if found else None

    def source_number(self, looked_at: Database, now: datetime) -> int:
        """The number of a database, given when it is first seen; the same for good."""
        identity = identity_of(looked_at)
        insert = postgresql.insert if self._state.dialect == "postgresql" else sqlite.insert
        with self._state.write() as transaction:
            transaction.execute(
                insert(SourceRow)
                .values(identity=identity, label=looked_at.label, first_seen_at=now)
                .on_conflict_do_nothing()
            )
            found = select(SourceRow.id).where(SourceRow.identity == identity)
            number = transaction.execute(found).scalar_one()
            transaction.commit()
        return number
