"""Options that several commands have, declared once; light, as even `--help` loads this."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


Users: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--user", help="E-mail address or id; several make a team.", show_default=False),
]
Everyone: TypeAlias = Annotated[bool, typer.Option("--everyone", help="All users together.")]
Zone: TypeAlias = Annotated[
    str | None, typer.Option("--tz", help="IANA time zone; else the user's own, then UTC.")
]
Compare: TypeAlias = Annotated[bool, typer.Option("--compare", help="Add the period before.")]
