"""A workspace on PostgreSQL as it is run: owned by a role that is no superuser, read by another."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Column, Date, Table, text

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.grants import GrantKey, sign
from analytics_core.dal.row_security import PROTECTED
from analytics_core.dal.tables import Base, StateBase, UtcInstant
from analytics_core.model.scope import Scope
from tests.support.host import connect
from tests.support.postgres import PostgresServer

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TABLES = {**Base.metadata.tables, **StateBase.metadata.tables}


@dataclass(frozen=True)
class Guarded:
    """Addresses of one database as its superuser, its owner and those who read it."""

    url: str
    owner: str
    reader: str
    analyst: str
    operator: str

    def grant(self, scope: Scope, **time: int) -> str:
        """One that its newest key signed, good for an hour or as long as is said."""
        with connect(self.url) as connection:
            found = connection.execute(
                "SELECT secret FROM analytics_access.keys ORDER BY made_at DESC LIMIT 1"
            ).fetchone()
        assert found is not None
        until = datetime.now(UTC) + timedelta(**(time or {"hours": 1}))
        return sign(scope, GrantKey(bytes(found[0])), until)


def guarded(server: PostgresServer) -> Guarded:
    """One with both schemas and no rows."""
    url = server.create_database()
    role = server.create_role("LOGIN CREATEROLE")
    owner = server.as_role(url, role)
    with connect(url) as connection:
        connection.execute(f"ALTER DATABASE {server.name_of(url)} OWNER TO {role}")
        connection.execute(f"ALTER SCHEMA public OWNER TO {role}")
    with closing(Database(owner)) as database:
        schema.upgrade(database, schema.WORKSPACE)
        schema.upgrade(database, schema.STATE)
    readers = (server.reader_url(url, f"analytics_{name}") for name in _GROUPS)
    return Guarded(url, owner, *readers)


_GROUPS = ("reader", "analyst", "operator")


def fill(url: str, *users: str) -> None:
    """Put one row of each user into every protected table, past all rules, as a superuser may."""
    with closing(Database(url)) as database, database.write() as transaction:
        transaction.execute(text("SET LOCAL session_replication_role = replica"))
        for name, owner in PROTECTED.items():
            for number, user in enumerate(users, 1):
                row = _row(TABLES[name], owner, user, number)
                transaction.execute(TABLES[name].insert(), row)
        transaction.commit()


def _row(table: Table, owner: str | None, user: str, number: int) -> dict[str, Any]:
    row = {c.name: _value(c, number) for c in table.columns if c.computed is None}
    return {**row, owner: user} if owner else row


def _value(column: Column[Any], number: int) -> Any:
    if isinstance(column.type, UtcInstant):
        return NOW - timedelta(hours=number)
    if isinstance(column.type, Date):
        return date(2026, 10, number)
    if isinstance(column.type, Boolean):
        return True
    vocabulary = getattr(column.type, "vocabulary", None)
    if vocabulary is not None:
        return next(iter(vocabulary))
    return number if column.type.python_type is not str else f"{number}-{column.name}"[:8]
