"""Rows that come with a question instead of from a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BindParameter, DateTime, FromClause, bindparam, column, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine, UserDefinedType

from analytics_core.dal.tables import NaiveUtcInstant, UtcInstant, microseconds

Columns = Mapping[str, TypeEngine[Any]]
_DIALECT: Any = postgresql.dialect
_POSTGRESQL = _DIALECT()


def listed(name: str, columns: Columns, dialect: str) -> FromClause:
    """A list as a table called `name`; `parameters_of` makes the parameters that fill it.

    PostgreSQL gets an array for each column, SQLite one JSON text.
    """
    if dialect == "postgresql":
        arrays = [array_parameter(f"{name}_{one}", type_) for one, type_ in columns.items()]
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
        return {
            f"{name}_{one}": array_text(row[n] for row in rows) for n, one in enumerate(columns)
        }
    return {name: json.dumps([list(map(_as_json, row)) for row in rows])}


class _ArrayText(UserDefinedType[str]):
    """A PostgreSQL array that is sent as text: drivers take as long for each item as for a row."""

    cache_ok = True
    # The server is told the type, and reads the text once, before it plans.
    render_bind_cast = True

    def __init__(self, items: str) -> None:
        self.items = items

    def get_col_spec(self, **_: Any) -> str:
        return f"{self.items}[]"


def array_parameter(name: str, items: TypeEngine[Any]) -> BindParameter[str]:
    """The parameter of a PostgreSQL array of items of a type, which `array_text` fills."""
    if isinstance(items, UtcInstant | NaiveUtcInstant):
        items = DateTime(timezone=isinstance(items, UtcInstant))
    return bindparam(name, type_=_ArrayText(items.compile(_POSTGRESQL)))


def array_text(items: Iterable[Any]) -> str:
    """Items as PostgreSQL writes an array; instants are in UTC, so that a naive one is too."""
    return "{" + ",".join(map(_as_item, items)) + "}"


def _as_item(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, datetime):
        return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()
    return "NULL" if value is None else str(value)


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return microseconds(value)
    return value.isoformat() if isinstance(value, date) else value
