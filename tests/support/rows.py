"""Rows of the workspace's own tables, made with plain defaults and put in with SQLAlchemy Core."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from sqlite3 import Connection
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, event, inspect, text

from analytics_core.dal.database import Database
from analytics_core.dal.tables import Base

_numbers = itertools.count(1)

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """One row of the table of this name."""

    table: str
    values: dict[str, Any]


def user(id_: str, **changes: Any) -> Row:
    return Row(
        "users",
        {
            "id": id_,
            "email": f"{id_}@example.com",
            "name": id_.title(),
            "zone": None,
            "is_active": True,
            "last_login_at": None,
            "created_at": NEW_YEAR,
            **changes,
        },
    )


def project(user_id: str, at: datetime, **changes: Any) -> Row:
    return _owned(
        "projects",
        user_id,
        {"name": "Villa", "status": "completed", "platform": "web", "created_at": at},
        changes,
    )


def render(user_id: str, at: datetime, **changes: Any) -> Row:
    return _owned(
        "renders",
        user_id,
        {
            "project_id": None,
            "type": "image",
            "status": "completed",
            "quality": "standard",
            "platform": "web",
            "source_platform": None,
            "plugin_version": None,
            "credits_cost": 2,
            "processing_time": 12.5,
            "created_at": at,
        },
        changes,
    )


def transaction(user_id: str, at: datetime, **changes: Any) -> Row:
    return _owned(
        "credit_transactions",
        user_id,
        {
            "kind": "debit",
            "amount": 2,
            "category": "render",
            "reference_id": None,
            "created_at": at,
        },
        changes,
    )


def activity(user_id: str, at: datetime, **changes: Any) -> Row:
    return _owned("account_activity", user_id, {"event": "login", "created_at": at}, changes)


def key(user_id: str, at: datetime = NEW_YEAR, **changes: Any) -> Row:
    return _owned(
        "plugin_api_keys",
        user_id,
        {
            "name": "SketchUp",
            "key_hash": f"hash-{next(_numbers)}",
            "prefix": "ra_",
            "is_active": True,
            "expires_at": None,
            "last_used_at": at,
            "created_at": at,
        },
        changes,
    )


def file(user_id: str, at: datetime, **changes: Any) -> Row:
    return _owned(
        "files",
        user_id,
        {
            "name": "villa.png",
            "media_type": "image/png",
            "size": 1000,
            "created_at": at,
            "deleted_at": None,
        },
        changes,
    )


def call(user_id: str, at: datetime, **changes: Any) -> Row:
    return _owned(
        "api_calls",
        user_id,
        {
            "method": "POST",
            "route": "/v1/renders",
            "status_code": 201,
            "duration_bucket": 120,
            "platform": "sketchup",
            "plugin_version": "2.4.0",
            "occurred_at": at,
        },
        changes,
    )


def stored_day(user_id: str, day: date, **changes: Any) -> Row:
    return Row(
        "usage_tracking",
        {
            "user_id": user_id,
            "date": day,
            "renders_created": 0,
            "credits_spent": 0,
            "api_calls": 0,
            "storage_used": 0,
            **changes,
        },
    )


def _owned(table: str, user_id: str, values: dict[str, Any], changes: dict[str, Any]) -> Row:
    return Row(table, {"id": f"{table}-{next(_numbers)}", "user_id": user_id, **values, **changes})


def insert(url: str, rows: Iterable[Row], *, replace: bool = False) -> None:
    """Put rows in, whatever their order; with `replace`, after taking out all that was there."""
    by_table: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_table.setdefault(row.table, []).append(row.values)
    engine = _engine(url)
    with engine.begin() as connection:
        if replace:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
        for table in Base.metadata.sorted_tables:
            if table.name in by_table:
                connection.execute(table.insert(), by_table[table.name])


def execute(url: str, *statements: str) -> None:
    """Run plain SQL, as another program would that knows nothing of our types."""
    engine = _engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def table_names(url: str) -> set[str]:
    """The tables of a database, as it tells them itself."""
    database = Database(url)
    with database.read() as connection:
        names = set(inspect(connection).get_table_names())
    database.close()
    return names


@lru_cache(maxsize=8)
def _engine(url: str) -> Engine:
    # No pool: a database can be dropped, or its file removed, as soon as a test is over.
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _careless)
    return engine


def _careless(connection: Connection, _: object) -> None:
    # What is lost when the machine crashes is test data.
    connection.execute("PRAGMA synchronous = OFF")
