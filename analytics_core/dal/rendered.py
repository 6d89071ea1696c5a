"""Statements as text: their SQL in one dialect, with typed parameters and columns.

Writing a statement out of expressions, and compiling it, takes milliseconds and belongs to one
engine; text is compiled in a tenth of that, for whichever engine, and a forked process has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BindParameter, SelectBase, TextualSelect, bindparam, column, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.base import PGDialect

# Parameters are written %(so)s, and whatever else is a percent sign is doubled, so that nothing of
# a statement, a host's oddest name included, can be taken for one. Drivers have other ways; theirs
# are what the text is compiled to.
_CLASSES: Mapping[str, Any] = {"postgresql": PGDialect, "sqlite": sqlite.dialect}
_DIALECTS = {name: dialect(paramstyle="pyformat") for name, dialect in _CLASSES.items()}
_TOKEN = re.compile(r"\(__\[POSTCOMPILE_(?P<several>[^]]+)]\)|%\((?P<one>[^)]+)\)s|%%|:")


def rendered(statement: SelectBase, dialect: str) -> TextualSelect:
    """The statement as text for one dialect, which answers with the same rows.

    Raises `TypeError` where two parameters of one name are not of one type.
    """
    compiled = statement.compile(dialect=_DIALECTS[dialect])
    parameters: dict[str, BindParameter[Any]] = {}
    for number, (one, name) in enumerate(compiled.bind_names.items()):
        written = compiled.escaped_bind_names.get(name, name)
        types = {repr(same.type) for same in (one, parameters.get(written, one))}
        if len(types) > 1:
            raise TypeError(f"the parameter {name} is {' and '.join(sorted(types))}")
        # Values that stand in a statement are named after columns, which may be any text.
        parameters[written] = bindparam(
            f"value_{number}" if one.unique else name,
            one.value,
            one.type,
            required=one.required,
            callable_=one.callable,
            expanding=one.expanding,
        )

    def as_text(token: re.Match[str]) -> str:
        match token[0]:
            case "%%":
                return "%"
            case ":":
                return r"\:"
        return f":{parameters[token['several'] or token['one']].key}"

    columns = [column(f"column_{n}", one.type) for n, one in enumerate(statement.selected_columns)]
    return (
        text(_TOKEN.sub(as_text, str(compiled))).bindparams(*parameters.values()).columns(*columns)
    )
