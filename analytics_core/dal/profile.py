"""Profiles: which table and column of a product's own database stands for which field of ours.

A profile is a TOML file with one section per noun; in it, `table` names the host's table and every
other key is a field of ours. docs/host-database.md describes the language.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from analytics_core.dal.tables import Base
from analytics_core.errors import ProfileError

_SHIPPED = Path(__file__).parent / "profiles"
# What the workspace itself keeps has no counterpart in a product.
NOUNS = (
    *("users", "projects", "renders", "credit_transactions", "account_activity"),
    *("plugin_api_keys", "files", "api_calls", "usage_tracking"),
)
# What may have so many rows that it is worth adding up beforehand: `dal.rollup`.
FOLLOWED = ("renders", "credit_transactions", "files", "api_calls")
# A host hashes and shows its keys its own way, and no statistic asks for that.
_NEVER_NEEDED = frozenset({"plugin_api_keys.key_hash", "plugin_api_keys.prefix"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Case(_Part):
    """`value` where every column in `when` holds the value beside it."""

    when: Mapping[str, str] = Field(min_length=1)
    value: str = Field(alias="is")


class HostField(_Part):
    """How one field is read: a column, a path into a JSON column, or the first case that holds.

    `values` translates single values; what it does not name stays as it is, or becomes `otherwise`.
    `missing` stands for NULL. `absolute` drops the sign. An `optional` column may be one that only
    some hosts have; without it the field reads as NULL.
    """

    column: str | None = None
    path: tuple[str, ...] = ()
    values: Mapping[str, str] = {}
    otherwise: str | None = None
    missing: str | None = None
    absolute: bool = False
    optional: bool = False
    cases: tuple[Case, ...] = ()

    @model_validator(mode="after")
    def _one_way_to_read_it(self) -> HostField:
        if (self.column is None) == (not self.cases):
            raise ValueError("needs either a column or cases")
        if self.cases and (self.path or self.values or self.absolute or self.missing):
            raise ValueError("cases go with nothing but `otherwise`")
        return self

    @property
    def columns(self) -> frozenset[str]:
        """The host's columns that this field reads."""
        if self.column is not None:
            return frozenset({self.column})
        return frozenset(name for case in self.cases for name in case.when)


class Follow(_Part):
    """How the rollups of a table follow it.

    `changed` is the column that a change of a row moves on; without one only new rows are noticed.
    Rows may change for `settles_days` days, which are always read from the table. Everything is
    compared, deleted rows noticed, every `reconcile_days`.
    """

    changed: str | None = None
    settles_days: int = Field(default=1, ge=0)
    reconcile_days: int = Field(default=7, ge=1)


def _column_by_name(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class HostTable(_Part):
    """One of the host's tables and how each of our fields is read from it."""

    table: str
    db_schema: str | None = Field(default=None, alias="schema")
    follow: Follow | None = None
    fields: Mapping[str, Annotated[HostField, BeforeValidator(_column_by_name)]]

    @model_validator(mode="before")
    @classmethod
    def _everything_else_is_a_field(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            raise ValueError("must be a section")
        about = {key: section[key] for key in ("table", "schema", "follow") if key in section}
        return {**about, "fields": {k: v for k, v in section.items() if k not in about}}


class Profile(_Part):
    """The nouns a host has; one that it lacks reads as having no rows."""

    name: str
    tables: Mapping[str, HostTable]

    @model_validator(mode="after")
    def _names_what_we_have(self) -> Profile:
        if "users" not in self.tables:
            raise ValueError("a profile needs at least [users]")
        for noun, host in self.tables.items():
            if noun not in NOUNS:
                raise ValueError(f"[{noun}] is none of {', '.join(NOUNS)}")
            columns = Base.metadata.tables[noun].columns
            ours = {c.name: c for c in columns if c.computed is None}
            for field in host.fields:
                if field not in ours:
                    raise ValueError(f"[{noun}] has no field {field}: {', '.join(ours.keys())}")
            for column in ours.values():
                optional = column.nullable or column.default or str(column) in _NEVER_NEEDED
                if not optional and column.name not in host.fields:
                    raise ValueError(f"[{noun}] needs the field {column.name}")
            if host.follow and noun not in FOLLOWED:
                raise ValueError(f"[{noun}] cannot be followed: {', '.join(FOLLOWED)}")
        return self


def read_profile(name_or_file: str) -> Profile:
    """The profile that ships under a name or stands in a TOML file; raises `ProfileError`."""
    path = _SHIPPED / f"{name_or_file}.toml"
    if "/" in name_or_file or name_or_file.endswith(".toml"):
        path = Path(name_or_file)
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        shipped = ", ".join(sorted(p.stem for p in _SHIPPED.glob("*.toml")))
        raise ProfileError(
            name_or_file, f"there is no such file, and what ships is: {shipped}"
        ) from None
    except (OSError, ValueError) as problem:
        raise ProfileError(name_or_file, str(problem)) from None
    try:
        return Profile(name=path.stem, tables=sections)
    except ValidationError as refused:
        first = refused.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"][1:] if part != "fields")
        said = first["msg"].removeprefix("Value error, ")
        raise ProfileError(name_or_file, f"{where}: {said}" if where else said) from None
