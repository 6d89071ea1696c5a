"""Which indexes a product's database lacks for the reads of this workspace."""

from __future__ import annotations

from sqlalchemy import inspect
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
    suggestions = []
    with database.read() as connection:
        inspector = inspect(connection)
        quote = connection.dialect.identifier_preparer.quote
        for noun, host in profile.tables.items():
            wanted = _columns(host, _NARROWED_BY[noun])
            found = inspector.get_multi_indexes(
                host.db_schema, [host.table], kind=_MAY_HAVE_INDEXES
            ).get((host.db_schema, host.table))
            if wanted is None or found is None:
                continue
            key = inspector.get_pk_constraint(host.table, host.db_schema)
            there = [key["constrained_columns"]]
            for index in found:
                # A partial index serves only queries that repeat its condition.
                if not index.get("dialect_options", {}).get("postgresql_where"):
                    there.append([name or "" for name in index["column_names"]])
            if not any(columns[: len(wanted)] == wanted for columns in there):
                name = quote(f"ix_{host.table}_{'_'.join(wanted)}"[:63])
                where = ".".join(quote(part) for part in (host.db_schema, host.table) if part)
                columns = ", ".join(quote(column) for column in wanted)
                suggestions.append(f"CREATE INDEX CONCURRENTLY {name} ON {where} ({columns});")
    return suggestions


def _columns(host: HostTable, fields: tuple[str, ...]) -> list[str] | None:
    """The host's columns behind these fields; None where one is not a plain column."""
    read = [host.fields[field] for field in fields if field in host.fields]
    found = [field.column for field in read if field.column is not None and not field.path]
    return found if len(found) == len(fields) else None
