"""Which indexes a product's database lacks for the reads of this workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import inspect
from sqlalchemy.engine import Inspector
from sqlalchemy.engine.reflection import ObjectKind

from analytics_core.dal.database import Database
from analytics_core.dal.profile import HostTable, Profile

# What reads narrow each noun down by, in this order.
_NARROWED_BY = {
    "projects": ("user_id", "created_at"),
    "renders": ("user_id", "created_at"),
    "credit_transactions": ("user_id", "created_at"),
    "account_activity": ("user_id", "created_at"),
    "plugin_api_keys": ("user_id",),
    "files": ("user_id", "created_at"),
    "api_calls": ("user_id", "occurred_at"),
    "usage_tracking": ("user_id", "date"),
    "users": ("email",),
}
_MAY_HAVE_INDEXES = ObjectKind.TABLE | ObjectKind.MATERIALIZED_VIEW


def missing_indexes(database: Database, profile: Profile) -> list[str]:
    """One `CREATE INDEX` statement per index that would help, for the database's owner to run.

    An index serves when it begins with the wanted columns, whatever follows.
    """
    wanted = {
        noun: [columns]
        for noun, host in profile.tables.items()
        if (columns := _columns(host, _NARROWED_BY[noun]))
    }
    return _missing(database, profile, wanted)


def missing_to_follow(database: Database, profile: Profile) -> list[str]:
    """The same for the indexes without which following a table means reading all of it."""
    wanted: dict[str, list[list[str]]] = {}
    for noun, host in profile.tables.items():
        if host.follow:
            instant = "occurred_at" if noun == "api_calls" else "created_at"
            single = [_columns(host, (instant,)), host.follow.changed and [host.follow.changed]]
            wanted[noun] = [columns for columns in single if columns]
    return _missing(database, profile, wanted)


def _missing(
    database: Database, profile: Profile, wanted: Mapping[str, Sequence[list[str]]]
) -> list[str]:
    suggestions = []
    with database.read() as connection:
        inspector = inspect(connection)
        quote = connection.dialect.identifier_preparer.quote
        for noun, indexes in wanted.items():
            host = profile.tables[noun]
            there = _there(inspector, host)
            if there is None:
                continue
            for columns in indexes:
                if not any(found[: len(columns)] == columns for found in there):
                    name = quote(f"ix_{host.table}_{'_'.join(columns)}"[:63])
                    where = ".".join(quote(part) for part in (host.db_schema, host.table) if part)
                    listed = ", ".join(quote(column) for column in columns)
                    suggestions.append(f"CREATE INDEX CONCURRENTLY {name} ON {where} ({listed});")
    return suggestions


def _there(inspector: Inspector, host: HostTable) -> list[list[str]] | None:
    """The columns of a table's indexes; None where it is something that can have none."""
    found = inspector.get_multi_indexes(host.db_schema, [host.table], kind=_MAY_HAVE_INDEXES).get(
        (host.db_schema, host.table)
    )
    if found is None:
        return None
    key = inspector.get_pk_constraint(host.table, host.db_schema)
    there = [list(key["constrained_columns"])]
    for index in found:
        # A partial index serves only queries that repeat its condition.
        if not index.get("dialect_options", {}).get("postgresql_where"):
            there.append([name or "" for name in index["column_names"]])
    return there


def _columns(host: HostTable, fields: tuple[str, ...]) -> list[str] | None:
    """The host's columns behind these fields; None where one is not a plain column."""
    read = [host.fields[field] for field in fields if field in host.fields]
    found = [field.column for field in read if field.column is not None and not field.path]
    return found if len(found) == len(fields) else None
