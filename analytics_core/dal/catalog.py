"""What repositories read from: one selectable per noun with our column names and our values.

In the workspace's own database these are its tables. In a product's database each is a subquery
that a profile describes; PostgreSQL merges it into the query around it, so that the host's indexes
serve.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    FromClause,
    Integer,
    String,
    Uuid,
    and_,
    case,
    column,
    false,
    func,
    inspect,
    literal,
    null,
    select,
    table,
    true,
    type_coerce,
)
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.types import TypeEngine

from analytics_core.dal.database import Database
from analytics_core.dal.days import utc_date
from analytics_core.dal.facets import facets
from analytics_core.dal.profile import NOUNS, Follow, HostField, HostTable, Profile
from analytics_core.dal.tables import Base, NaiveUtcInstant, NumberAsText, UtcInstant, UuidAsText
from analytics_core.dal.tombstones import Tombstones
from analytics_core.errors import ProfileError
from analytics_core.model.scope import Scope


@dataclass(frozen=True, eq=False)
class Catalog:
    """The selectables of one database, by noun."""

    users: FromClause
    projects: FromClause
    renders: FromClause
    credit_transactions: FromClause
    account_activity: FromClause
    plugin_api_keys: FromClause
    files: FromClause
    api_calls: FromClause
    usage_tracking: FromClause
    # How a host's nouns are followed; their selectables say in `changed_at` when a row changed.
    follows: Mapping[str, Follow] = field(default_factory=dict)
    # Whose rows a host's selectables leave out, where anything is kept of it.
    tombstones: Tombstones | None = None
    # The workspace's own: known before anybody asks, and a user's rows are one stretch of an index.
    is_own: bool = False

    def within(self, scope: Scope, owner: ColumnElement[str]) -> ColumnElement[bool]:
        """The condition that a row belongs to the scope; `owner` is the row's user id."""
        if scope.user_ids is None:
            return true()
        ids = sorted(i for i in scope.user_ids if self.may_be_id(i, owner.type))
        if not ids:
            return false()
        return owner == ids[0] if len(ids) == 1 else owner.in_(ids)

    @staticmethod
    def may_be_id(text: str, id_type: TypeEngine[Any]) -> bool:
        """Whether a text can be an id at all: databases refuse to compare a uuid with `mara`."""
        if isinstance(id_type, NumberAsText):
            return text.isascii() and text.isdigit() and len(text) < 19
        if isinstance(id_type, UuidAsText):
            try:
                uuid.UUID(text)
            except ValueError:
                return False
        return may_be_text(text)


def spelled_as_stored(text: str, id_type: TypeEngine[Any]) -> str:
    """An id that may be one as the database gives it back, however it was spelled."""
    match id_type:
        case UuidAsText():
            return str(uuid.UUID(text))
        case NumberAsText():
            return str(int(text))
    return text


def may_be_text(text: str) -> bool:
    """Whether a database takes a text at all: PostgreSQL no NUL, and nobody half a surrogate."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


@cache
def own_catalog() -> Catalog:
    """The workspace's own tables: the same for whoever asks, so that statements about them are."""
    tables: dict[str, Any] = {noun: Base.metadata.tables[noun] for noun in NOUNS}
    return Catalog(**tables, is_own=True)


def host_catalog(
    database: Database, profile: Profile, tombstones: Tombstones | None = None
) -> Catalog:
    """A product's tables as a profile describes them, without rows of those who have tombstones.

    Raises `ProfileError` where the profile names a table or column that the database does not have,
    and `DatabaseUnavailable`.
    """
    if database.dialect != "postgresql":
        raise ProfileError(profile.name, "a product's own database is read on PostgreSQL only")
    found = _columns_of(database, profile.tables.values())
    id_type = _Reading(profile, "users", found, String()).selectable().c.id.type
    selectables: dict[str, Any] = {
        noun: _Reading(profile, noun, found, id_type).selectable(tombstones)
        if noun in profile.tables
        else _no_rows(noun, id_type)
        for noun in NOUNS
    }
    follows = {noun: host.follow for noun, host in profile.tables.items() if host.follow}
    return Catalog(**selectables, follows=follows, tombstones=tombstones)


def _columns_of(
    database: Database, tables: Iterable[HostTable]
) -> dict[tuple[str | None, str], dict[str, TypeEngine[Any]]]:
    """The columns and types of the host's tables, asked for at once per schema."""
    by_schema: dict[str | None, list[str]] = {}
    for host in tables:
        by_schema.setdefault(host.db_schema, []).append(host.table)
    columns: dict[tuple[str | None, str], dict[str, TypeEngine[Any]]] = {}
    with database.read() as connection:
        for schema, names in by_schema.items():
            described = inspect(connection).get_multi_columns(
                schema=schema, filter_names=names, kind=ObjectKind.ANY
            )
            for key, found in described.items():
                columns[key] = {one["name"]: one["type"] for one in found}
    return columns


def _nothing(ours: Column[Any], id_type: TypeEngine[Any]) -> ColumnElement[Any]:
    """NULL in place of a field that the host does not have, fit to be compared with its ids."""
    is_id = ours.name in ("id", "user_id", "project_id")
    return null().cast(id_type if is_id else ours.type)


def _no_rows(noun: str, id_type: TypeEngine[Any]) -> FromClause:
    ours = Base.metadata.tables[noun].columns
    nothing = [_nothing(c, id_type).label(c.name) for c in ours]
    return select(*nothing).where(false()).subquery(noun)


class _Reading:
    """How one noun is read from one host table."""

    def __init__(
        self,
        profile: Profile,
        noun: str,
        found: Mapping[tuple[str | None, str], Mapping[str, TypeEngine[Any]]],
        id_type: TypeEngine[Any],
    ) -> None:
        self._profile, self._noun, self._id_type = profile, noun, id_type
        host = self._host = profile.tables[noun]
        types = found.get((host.db_schema, host.table))
        if types is None:
            raise ProfileError(profile.name, f"the database has no table {self._named(host.table)}")
        self._types = types

    def _named(self, name: str) -> str:
        return f"{self._host.db_schema}.{name}" if self._host.db_schema else name

    def selectable(self, tombstones: Tombstones | None = None) -> FromClause:
        ours = Base.metadata.tables[self._noun].columns
        source = table(
            self._host.table,
            *(column(name, stored) for name, stored in self._types.items()),
            schema=self._host.db_schema,
        )
        read = {
            field.name: self._read(source, field, self._host.fields.get(field.name))
            for field in ours
            if field.computed is None
        }
        if self._noun == "renders":
            read["facets"] = facets(read)
        if self._host.follow and self._host.follow.changed:
            how = HostField(column=self._host.follow.changed)
            read["changed_at"] = self._read(source, column("changed_at", UtcInstant()), how)
        labelled = [expression.label(name) for name, expression in read.items()]
        rows = select(*labelled).select_from(source)
        if tombstones is not None:
            rows = rows.where(tombstones.spare(read["id" if self._noun == "users" else "user_id"]))
        return rows.subquery(self._noun)

    def _read(self, source: Any, ours: Any, how: HostField | None) -> ColumnElement[Any]:
        if how is None or (how.optional and not how.columns <= self._types.keys()):
            return _nothing(ours, self._id_type)
        for name in sorted(how.columns):
            if name not in self._types:
                table_name = self._named(self._host.table)
                raise ProfileError(
                    self._profile.name,
                    f"the database has no column {table_name}.{name},"
                    f" which [{self._noun}] names for {ours.name}",
                )
        if how.cases:
            cases = [(_holds(source, one.when), literal(one.value)) for one in how.cases]
            return case(*cases, else_=_or_null(how.otherwise))
        value: ColumnElement[Any] = source.c[how.column]
        if how.path:
            document = (
                value.cast(JSON) if isinstance(value.type, String) else type_coerce(value, JSON)
            )
            # An empty text says as little as a missing one.
            value = func.nullif(document[how.path].as_string(), "")
        if how.values or how.otherwise is not None:
            names = [(_text(value) == old, literal(new)) for old, new in how.values.items()]
            rest = _text(value) if how.otherwise is None else literal(how.otherwise)
            value = case(*names, else_=rest) if names else rest
        if how.missing is not None:
            value = func.coalesce(_text(value), how.missing)
        if how.absolute:
            value = func.abs(value)
        return self._as_ours(value, ours.type)

    def _as_ours(self, value: ColumnElement[Any], wanted: TypeEngine[Any]) -> ColumnElement[Any]:
        """The value with the type that repositories expect; naive timestamps are UTC."""
        stored = value.type
        if isinstance(stored, DateTime):
            instant: ColumnElement[Any] = type_coerce(
                value, UtcInstant() if stored.timezone else NaiveUtcInstant()
            )
            return utc_date(instant, "postgresql") if isinstance(wanted, Date) else instant
        if isinstance(stored, Uuid):
            return type_coerce(value, UuidAsText())
        if isinstance(wanted, String) and isinstance(stored, Integer):
            return type_coerce(value, NumberAsText())
        if isinstance(stored, Enum):
            return _text(value)
        return value


def _holds(source: Any, when: Mapping[str, str]) -> ColumnElement[bool]:
    return and_(*(_text(source.c[name]) == value for name, value in when.items()))


def _text(value: ColumnElement[Any]) -> ColumnElement[str]:
    """As text, so that enumerations and numbers compare with what a profile spells."""
    plain = isinstance(value.type, String) and not isinstance(value.type, Enum)
    return value if plain else value.cast(String)


def _or_null(value: str | None) -> ColumnElement[Any]:
    return null() if value is None else literal(value)
