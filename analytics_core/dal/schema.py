"""Bringing the workspace's own databases to the schema that this code expects, and checking it.

There are two, each with migrations of its own: `WORKSPACE`, the tables that pages read, and
`STATE`, what the workspace keeps beside a product's database. They may share one database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import MetaData, func, inspect, select, text

from analytics_core.dal.database import Database
from analytics_core.dal.grants import GrantKey, make_checks
from analytics_core.dal.partitions import make_partitions
from analytics_core.dal.row_security import protect
from analytics_core.dal.tables import Base, StateBase
from analytics_core.errors import SchemaMismatch


@dataclass(frozen=True)
class Schema:
    """A set of tables and its history; `revisions` is oldest first."""

    name: str
    metadata: MetaData
    revisions: Sequence[str]

    @property
    def head(self) -> str:
        return self.revisions[-1]

    @property
    def version_table(self) -> str:
        return f"analytics_{self.name}_version"

    @property
    def migrations(self) -> Path:
        return Path(__file__).parent / "migrations" / self.name


# The revisions stand here too, so that checking a database does not import Alembic.
WORKSPACE = Schema(
    "workspace", Base.metadata, ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
)
STATE = Schema("state", StateBase.metadata, ("0001", "0002", "0003", "0004", "0005"))


def upgrade(
    database: Database, schema: Schema = WORKSPACE, grant_keys: Sequence[GrantKey] = ()
) -> None:
    """Bring a database to the newest schema, all of it or nothing.

    On PostgreSQL row-level security holds its tables then; `grant_keys` are those that sign grants,
    without any the database makes one. Raises `SchemaMismatch` for a database that newer code has
    written, and `DatabaseUnavailable`.
    """
    from alembic import command
    from alembic.config import Config

    if _found(database, schema) not in (None, *schema.revisions):
        check(database, schema)
    with database.write() as connection:
        if database.dialect == "postgresql":
            # Of several that begin at once, each after the first finds its work done.
            name = f"analytics {schema.name}"
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))
        config = Config()
        config.set_main_option("script_location", str(schema.migrations))
        config.attributes.update(connection=connection, schema=schema)
        command.upgrade(config, "head")
        if schema is WORKSPACE:
            now = datetime.now(UTC)
            make_partitions(connection, now, now)
        if database.dialect == "postgresql":
            make_checks(connection, grant_keys)
            protect(connection, schema.metadata, schema.version_table)
        connection.commit()
    database.ask_anew()


def check(database: Database, schema: Schema = WORKSPACE) -> None:
    """Raise `SchemaMismatch` unless the database is exactly at the schema of this code."""
    found = _found(database, schema)
    if found == schema.head:
        return
    if found is None:
        advice = "has no tables of this workspace: run `analytics init`"
        if schema is WORKSPACE:
            advice += " (or, if it is a product's own, set ANALYTICS_PROFILE)"
    elif found in schema.revisions:
        advice = (
            f"is older than this code (at {found}): run `analytics init` to bring it up to date"
        )
    else:
        advice = f"is newer than this code (at {found}): install a newer version of the workspace"
    raise SchemaMismatch(database.label, found, schema.head, advice)


def _found(database: Database, schema: Schema) -> str | None:
    """The revision a database says it is at; None where it has never been set up."""
    with database.read() as connection:
        if not inspect(connection).has_table(schema.version_table):
            return None
        return connection.execute(text(f"SELECT version_num FROM {schema.version_table}")).scalar()  # noqa: S608
