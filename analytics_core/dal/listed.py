"""Rows that come with a question instead of from a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import DateTime, FromClause, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from analytics_core.dal.tables import NaiveUtcInstant, UtcInstant, microseconds

Columns = Mapping[str, TypeEngine[Any]]


def listed(name: str, columns: Columns, dialect: str) -> FromClause:
    """A list as a table called `name`; `parameters_of` makes the parameters that fill it.

    PostgreSQL gets an array for each column, SQLite one JSON text.
    """
    if dialect == "postgresql":
        arrays = [
            cast(bindparam(f"{name}_{one}", type_=ARRAY(type_)), ARRAY(_stored(type_)))
            for one, type_ in columns.items()
        ]
        rows = func.unnest(*arrays).table_valued(
            *(column(one, type_) for one, type_ in columns.items()), name=name
        )
        return rows.render_derived()
    each = func.json_each(bindparam(name)).table_valued("value", name=f"{name}_json")
    return select(
        *(
            func.json_extract(each.c.value, f"$[{position}]", type_=type_).label(one)
            for position, (one, type_) in enumerate(columns.items())
        )
    ).subquery(name)


def parameters_of(
    name: str, columns: Columns, rows: Iterable[tuple[Any, ...]], dialect: str
) -> dict[str, Any]:
    """What fills the list of this name."""
    rows = list(rows)
    if dialect == "postgresql":
        return {f"{name}_{one}": [row[n] for row in rows] for n, one in enumerate(columns)}
    return {name: json.dumps([list(map(_as_json, row)) for row in rows])}


def _stored(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(type_, UtcInstant | NaiveUtcInstant):
        return DateTime(timezone=isinstance(type_, UtcInstant))
    return type_


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return microseconds(value)
    return value.isoformat() if isinstance(value, date) else value
