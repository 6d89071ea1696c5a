"""What is held about a person: every table with rows that are theirs or identify them.

Forgetting empties and an export copies exactly these. A table that is in neither list fails a test
until somebody decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Table,
    bindparam,
    func,
    literal,
    or_,
    select,
    union_all,
)

from analytics_core.dal.listed import listed, parameters_of
from analytics_core.dal.tables import Base, StateBase
from analytics_core.model.event import MAX_ID, REMEMBERED, id_for
from analytics_core.model.named import named_in

_AT_ONCE = 5_000
# A row's own instant may be a little off that of the event which told of it.
_LATELY = 2 * REMEMBERED

Condition = Callable[[str], ColumnElement[bool]]


@dataclass(frozen=True)
class Person:
    """Whose rows are meant, and what finds those that do not name their user.

    `event_ids` are of events whose ids are hashed, `set_aside` digests of events set aside.
    """

    id: str
    key_hashes: frozenset[str] = frozenset()
    event_ids: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    source: int = 0

    def parameters(self, dialect: str) -> dict[str, Any]:
        """What fills the conditions of `Held`."""
        lists = {"event_ids": self.event_ids, "set_aside": self.set_aside}
        filled: dict[str, Any] = {"user": self.id, "source": self.source}
        for name, ids in lists.items():
            filled |= parameters_of(name, _IDS, [(one,) for one in ids], dialect)
        return filled


_IDS = {"id": String()}


@dataclass(frozen=True)
class Held:
    """A table, the condition that a row of it is theirs, and columns that nobody is ever shown."""

    table: Table
    is_theirs: Condition
    secret: tuple[str, ...] = ()

    def count(self, dialect: str) -> Select[int]:
        return select(func.count()).select_from(self.table).where(self.is_theirs(dialect))

    def rows(self, dialect: str) -> Select[Any]:
        """Everything in them but secrets and what the database computes from the rest."""
        shown = (c for c in self.table.c if c.name not in self.secret and c.computed is None)
        return select(*shown).where(self.is_theirs(dialect))


def _own(name: str) -> Table:
    return Base.metadata.tables[name]


def _by_user(table: Table) -> Condition:
    return lambda _: table.c.user_id == bindparam("user")


def _by_source_and_user(table: Table) -> Condition:
    return lambda _: (
        (table.c.source == bindparam("source")) & (table.c.user_id == bindparam("user"))
    )


def _listed(name: str, dialect: str) -> Select[Any]:
    return select(listed(name, _IDS, dialect).c.id)


def _theirs(table: str, *columns: Any) -> Select[Any]:
    return select(*columns).where(_own(table).c.user_id == bindparam("user"))


def _is_their_user(_: str) -> ColumnElement[bool]:
    is_they: ColumnElement[bool] = _own("users").c.id == bindparam("user")
    return is_they


def _is_their_recorded_render(_: str) -> ColumnElement[bool]:
    endings = _own("endings").c
    id_ = _own("recorded_renders").c.render_id
    return or_(
        id_.in_(_theirs("renders", _own("renders").c.id)),
        id_.in_(_theirs("endings", endings.noun_id).where(endings.noun == "render")),
    )


# Events that a noun has once get their ids from it; see `model.event.id_for`.
_IDS_OF_NOUNS = {
    "renders": ("render_created", "render_finished"),
    "files": ("file_stored", "file_deleted"),
    "credit_transactions": ("credits",),
}


def _is_their_recorded_event(dialect: str) -> ColumnElement[bool]:
    made = [
        _theirs(table, literal(f"{kind}:") + _own(table).c.id)
        for table, kinds in _IDS_OF_NOUNS.items()
        for kind in kinds
    ]
    as_they_are = [
        _theirs("api_calls", _own("api_calls").c.id),
        _theirs("account_activity", _own("account_activity").c.id),
        _theirs("endings", _own("endings").c.event_id),
    ]
    ids = union_all(*made, *as_they_are, _listed("event_ids", dialect))
    return _own("recorded_events").c.id.in_(ids)


def _is_their_set_aside_event(dialect: str) -> ColumnElement[bool]:
    s = _own("set_aside_events").c
    return or_(s.user_id == bindparam("user"), s.digest.in_(_listed("set_aside", dialect)))


def _rows_of(name: str, *secret: str) -> Held:
    return Held(_own(name), _by_user(_own(name)), secret)


def _kept_of(name: str, *secret: str) -> Held:
    table = _own(name) if name in Base.metadata.tables else StateBase.metadata.tables[name]
    return Held(table, _by_source_and_user(table), secret)


# In the order in which rows can go: none before those that refer to it or are found by it. Marks
# come after what is marked by going.
OWN_TABLES: Sequence[Held] = (
    Held(_own("recorded_events"), _is_their_recorded_event),
    Held(_own("recorded_renders"), _is_their_recorded_render),
    Held(_own("set_aside_events"), _is_their_set_aside_event),
    _rows_of("endings"),
    _rows_of("usage_tracking"),
    _rows_of("api_calls"),
    _rows_of("account_activity"),
    _rows_of("files"),
    _rows_of("credit_transactions"),
    _rows_of("renders"),
    _rows_of("projects"),
    _rows_of("plugin_api_keys", "key_hash"),
    _kept_of("rolled_users"),
    _kept_of("rollup_cells"),
    _kept_of("rollup_marks"),
    # Without the key, what the audit log says of them is of nobody.
    _kept_of("audit_people", "key"),
    Held(_own("users"), _is_their_user),
)
STATE_TABLES: Sequence[Held] = (
    *map(_kept_of, ("followed_users", "followed_cells", "followed_marks")),
    _kept_of("followed_audit_people", "key"),
)
# Tables that hold nothing about a person who is not forgotten.
NOBODYS = frozenset(
    {"tombstones", "tombstone_keys", "horizons", "audit_log", "followed_audit_log"}
    | {"sources", "followed_nouns", "followed_tombstones", "followed_tombstone_keys"}
)


def find_person(connection: Connection, user_id: str, now: datetime) -> Person:
    """A user of the workspace's own database, with what finds all that is theirs."""
    hashes = frozenset(connection.execute(key_hashes(), {"user": user_id}).scalars())
    return Person(
        user_id,
        hashes,
        tuple(_hashed_ids(connection, user_id, now - _LATELY)),
        tuple(_set_aside(connection, user_id, hashes)),
    )


def key_hashes() -> Select[Any]:
    return _theirs("plugin_api_keys", _own("plugin_api_keys").c.key_hash)


def _hashed_ids(connection: Connection, user_id: str, since: datetime) -> Iterator[str]:
    """The ids of events of nouns whose own ids are too long to stand in them."""
    for table, kinds in _IDS_OF_NOUNS.items():
        t = _own(table).c
        shortest = MAX_ID - max(len(kind) for kind in kinds) - len(":")
        long = _theirs(table, t.id).where(func.length(t.id) > shortest, t.created_at >= since)
        for id_ in connection.execute(long, {"user": user_id}).scalars():
            yield from (id_for(kind, id_) for kind in kinds)


def _set_aside(connection: Connection, user_id: str, keys: frozenset[str]) -> Iterator[str]:
    """Events set aside that name them, whatever kept them from being read."""
    s = _own("set_aside_events").c
    found = connection.execute(select(s.digest, s.event), execution_options={"yield_per": _AT_ONCE})
    for digest, event in found:
        if named_in(event.encode(errors="surrogatepass")).is_about(frozenset({user_id}), keys):
            yield digest
