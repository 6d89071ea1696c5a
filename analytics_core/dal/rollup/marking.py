"""Triggers on the workspace's own tables: whatever changes a row marks its user's UTC day.

They come with the first refresh, so that a workspace without rollups pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

# Noun -> the columns whose days a row counts on.
INSTANTS: Mapping[str, tuple[str, ...]] = {
    "renders": ("created_at",),
    "credit_transactions": ("created_at",),
    "files": ("created_at", "deleted_at"),
    "api_calls": ("occurred_at",),
}
_EVENTS = {"insert": ("new",), "update": ("new", "old"), "delete": ("old",)}


def is_marking(connection: Connection) -> bool:
    """Whether the triggers are there, all of them."""
    found = {
        "postgresql": "SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND NOT tgisinternal"
        " AND tgenabled <> 'D'",
        "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'trigger'",
    }[connection.dialect.name]
    there = set(connection.execute(text(found)).scalars())
    return there >= {_name(noun, event) for noun in INSTANTS for event in _EVENTS}


def start_marking(connection: Connection) -> None:
    """Make the triggers; from the end of this transaction on every change is marked."""
    write = _on_sqlite
    if connection.dialect.name == "postgresql":
        write = _on_postgresql
        # At once, and in the order in which events are written, or two would wait for each other.
        tables = "renders, api_calls, files, credit_transactions"
        connection.exec_driver_sql(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")
    else:
        stop_marking(connection)
    for noun in INSTANTS:
        for event in _EVENTS:
            for statement in write(noun, event):
                connection.exec_driver_sql(statement)


def stop_marking(connection: Connection) -> None:
    """Remove the triggers; the next refresh begins anew."""
    for noun in INSTANTS:
        for event in _EVENTS:
            name = _name(noun, event)
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {noun}")
                connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name}()")
            else:
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")


def _name(noun: str, event: str) -> str:
    return f"mark_{noun}_{event}"


def _on_postgresql(noun: str, event: str) -> list[str]:
    """Once for each statement, whatever number of rows it changes."""
    versions = _EVENTS[event]
    marks = " UNION ".join(
        f"SELECT user_id, CAST({instant} AT TIME ZONE 'UTC' AS date) AS day FROM {version}_rows"  # noqa: S608 - our names
        f" WHERE {instant} IS NOT NULL"
        for version in versions
        for instant in INSTANTS[noun]
    )
    tables = " ".join(f"{version.upper()} TABLE AS {version}_rows" for version in versions)
    name = _name(noun, event)
    return [
        # Writers may look for tables elsewhere than who makes the function.
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"  # noqa: S608
        " SET search_path FROM CURRENT AS $$ BEGIN"
        " INSERT INTO rollup_marks (source, noun, user_id, day)"
        f" SELECT 0, '{noun}', user_id, day FROM ({marks}) AS changed; RETURN NULL; END $$",
        f"CREATE OR REPLACE TRIGGER {name} AFTER {event.upper()} ON {noun} REFERENCING {tables}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    ]


def _on_sqlite(noun: str, event: str) -> list[str]:
    marks = " UNION ".join(
        f"SELECT {version}.user_id AS user_id,"
        f" date({version}.{instant} / 1000000, 'unixepoch') AS day"
        f" WHERE {version}.{instant} IS NOT NULL"
        for version in _EVENTS[event]
        for instant in INSTANTS[noun]
    )
    return [
        f"CREATE TRIGGER {_name(noun, event)} AFTER {event.upper()} ON {noun} BEGIN"  # noqa: S608
        f" INSERT INTO rollup_marks (source, noun, user_id, day)"
        f" SELECT 0, '{noun}', user_id, day FROM ({marks}); END"
    ]
