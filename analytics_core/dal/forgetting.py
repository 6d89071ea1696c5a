"""Forgetting a person, and everything that is held about one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Executable, delete, func, select, text, update

from analytics_core.dal.catalog import Catalog, own_catalog, spelled_as_stored
from analytics_core.dal.database import Database
from analytics_core.dal.held import OWN_TABLES, STATE_TABLES, Held, Person, find_person, key_hashes
from analytics_core.dal.profile import Profile
from analytics_core.dal.question import Questioner
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.tables import ProjectRow, RenderRow, UserRow
from analytics_core.dal.tombstones import EMAIL, KEY, USER, Tombstones
from analytics_core.dal.users import UserRepository
from analytics_core.errors import NothingKept, UnknownUser
from analytics_core.model.named import without_keys
from analytics_core.model.scope import Scope

_AT_ONCE = 5_000
# A host's are not for anybody to see either, however its profile reads them.
_SECRET = frozenset({"key_hash"})


@dataclass(frozen=True, slots=True)
class Remembered:
    """Somebody as far as they are known: no id where only a tombstone of their address is left."""

    id: str | None
    email: str | None
    forgotten_at: datetime | None


@dataclass(frozen=True)
class HeldRows:
    """The rows of one table that are about a person, each as its columns; read once."""

    name: str
    left_out: tuple[str, ...]
    rows: Iterator[dict[str, Any]] = field(repr=False)


class PersonRepository:
    """Everything of one person in the workspace's own database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept = Kept.own(database)
        catalog = own_catalog()
        self._users = UserRepository(catalog, Questioner(database, catalog, catalog))
        self.tombstones = Tombstones(database)

    def find(self, email_or_id: str) -> Remembered:
        """Somebody who is there or was forgotten; raises `UnknownUser` for anybody else."""
        return _find(self._users, self.tombstones, email_or_id, email_or_id)

    def counts(self, user_id: str, now: datetime) -> dict[str, int]:
        """How many rows of each table are theirs."""
        with self._database.read() as connection:
            person = find_person(connection, user_id, now)
            return _counts(connection, OWN_TABLES, person)

    def forget(self, who: Remembered, now: datetime, by: str) -> dict[str, int]:
        """Remove everything of theirs and leave tombstones; how many rows of each table went.

        All of it or nothing. Whoever writes rows of theirs meanwhile is waited for, or waits and is
        refused then. Raises `DatabaseUnavailable` where others hold on too long.
        """
        with self._database.write() as transaction:
            self._kept.take_turn(transaction)
            if self._database.dialect == "postgresql":
                # Who brings events has read it, and all they write is seen from here on.
                lock = "LOCK TABLE tombstone_keys IN ACCESS EXCLUSIVE MODE"
                transaction.execute(text(lock))
            names = [(kind, name) for kind, name in ((USER, who.id), (EMAIL, who.email)) if name]
            gone: dict[str, int] = {}
            if who.id is not None:
                # Whoever adds a row that refers to them is waited for.
                user = select(UserRow.id).where(UserRow.id == who.id).with_for_update()
                transaction.execute(user)
                person = find_person(transaction, who.id, now)
                names += [(KEY, key) for key in person.key_hashes]
                self._let_go_of_projects(transaction, person)
                gone = _delete(transaction, OWN_TABLES, person)
            self.tombstones.add(transaction, names, now, by)
            transaction.commit()
        return gone

    @staticmethod
    def _let_go_of_projects(transaction: Connection, person: Person) -> None:
        """Renders that others made in projects of theirs stay, in no project."""
        theirs = select(ProjectRow.id).where(ProjectRow.user_id == person.id)
        transaction.execute(
            update(RenderRow)
            .where(RenderRow.project_id.in_(theirs), RenderRow.user_id != person.id)
            .values(project_id=None)
        )

    @contextmanager
    def everything(self, user_id: str, now: datetime) -> Iterator[Iterator[HeldRows]]:
        """All that is held about them, table by table, as of one moment."""
        with self._database.read() as connection:
            person = find_person(connection, user_id, now)
            yield _everything(connection, OWN_TABLES, person)

    def key_hashes(self, user_id: str) -> frozenset[str]:
        """The hashes of their keys, by which events name them too."""
        return frozenset(row[0] for row in self._database.rows(key_hashes(), {"user": user_id}))


class FollowedPersonRepository:
    """Everything of one person of a product's database: what is kept of it, and what it has.

    `catalog` is of the whole of it, those who were forgotten included.
    """

    def __init__(
        self, kept: Kept | None, host: Database, catalog: Catalog, profile: Profile
    ) -> None:
        self._kept_somewhere, self._host, self._catalog = kept, host, catalog
        self._profile = profile
        self._users = UserRepository(catalog, Questioner(host, catalog, catalog))

    @property
    def _kept(self) -> Kept:
        """Where it is kept; raises `NothingKept`."""
        if self._kept_somewhere is None:
            raise NothingKept(self._host.label)
        return self._kept_somewhere

    @property
    def tombstones(self) -> Tombstones:
        return Tombstones(self._kept.database, self._kept.source)

    def find(self, email_or_id: str) -> Remembered:
        """Somebody who is there or was forgotten; raises `UnknownUser` for anybody else."""
        id_type = self._catalog.users.c.id.type
        is_id = self._catalog.may_be_id(email_or_id, id_type)
        id_ = spelled_as_stored(email_or_id, id_type) if is_id else email_or_id
        return _find(self._users, self.tombstones, email_or_id, id_)

    def counts(self, user_id: str, now: datetime) -> dict[str, int]:
        """How many rows of each table of the state database are theirs."""
        with self._kept.database.read() as connection:
            return _counts(connection, STATE_TABLES, self._person(user_id))

    def forget(self, who: Remembered, now: datetime, by: str) -> dict[str, int]:
        """Remove all that is kept of them and leave tombstones, all of it or nothing.

        From then on nothing here reads the rows that the host has. Raises `DatabaseUnavailable`.
        """
        with self._kept.refreshing() as transaction:
            names = [(kind, name) for kind, name in ((USER, who.id), (EMAIL, who.email)) if name]
            gone = _delete(transaction, STATE_TABLES, self._person(who.id)) if who.id else {}
            self.tombstones.add(transaction, names, now, by)
            transaction.commit()
        return gone

    def left_at_host(self, user_id: str) -> dict[str, int]:
        """How many rows of theirs each table of the profile has, by the host's own names."""
        found: dict[str, int] = {}
        with self._host.read() as connection:
            for noun, owner in self._owners():
                table = self._profile.tables[noun]
                name = f"{table.db_schema}.{table.table}" if table.db_schema else table.table
                rows = select(func.count()).where(owner == user_id)
                found[name] = found.get(name, 0) + int(connection.execute(rows).scalar_one())
        return found

    @contextmanager
    def everything(self, user_id: str, now: datetime) -> Iterator[Iterator[HeldRows]]:
        """All that the profile reads of them and all that is kept, each as of one moment."""
        with self._host.read() as host:
            if self._kept_somewhere is None:
                yield self._at_host(host, user_id)
                return
            with self._kept.database.read() as state:
                kept = _everything(state, STATE_TABLES, self._person(user_id))
                yield chain(self._at_host(host, user_id), kept)

    def _at_host(self, host: Connection, user_id: str) -> Iterator[HeldRows]:
        for noun, owner in self._owners():
            selectable = getattr(self._catalog, noun)
            computed = {"facets", "changed_at"}
            columns = [c for c in selectable.c if c.name not in _SECRET | computed]
            left_out = tuple(sorted(_SECRET & set(selectable.c.keys())))
            asked = select(*columns).where(owner == user_id)
            yield HeldRows(noun, left_out, _read(host, asked, {}))

    def _owners(self) -> Iterator[tuple[str, Any]]:
        for noun in self._profile.tables:
            yield noun, getattr(self._catalog, noun).c["id" if noun == "users" else "user_id"]

    def _person(self, user_id: str) -> Person:
        return Person(user_id, source=self._kept.source)


def _find(users: UserRepository, tombstones: Tombstones, email_or_id: str, id_: str) -> Remembered:
    try:
        user = users.get_one(email_or_id, Scope.everyone())
    except UnknownUser:
        if since := tombstones.since(USER, id_):
            return Remembered(id_, None, since)
        if since := tombstones.since(EMAIL, email_or_id):
            return Remembered(None, email_or_id, since)
        raise
    return Remembered(user.id, user.email, tombstones.since(USER, user.id))


def _counts(connection: Connection, tables: Any, person: Person) -> dict[str, int]:
    dialect = connection.dialect.name
    parameters = person.parameters(dialect)
    return {
        held.table.name: int(connection.execute(held.count(dialect), parameters).scalar_one())
        for held in tables
    }


def _delete(transaction: Connection, tables: Any, person: Person) -> dict[str, int]:
    dialect = transaction.dialect.name
    parameters = person.parameters(dialect)
    gone: dict[str, int] = {}
    for held in tables:
        statement = delete(held.table).where(held.is_theirs(dialect))
        gone[held.table.name] = transaction.execute(statement, parameters).rowcount
    return gone


def _everything(connection: Connection, tables: Any, person: Person) -> Iterator[HeldRows]:
    dialect = connection.dialect.name
    parameters = person.parameters(dialect)
    held: Held
    for held in tables:
        rows = _read(connection, held.rows(dialect), parameters)
        if held.table.name == "set_aside_events":
            rows = ({**row, "event": without_keys(row["event"].encode())} for row in rows)
        yield HeldRows(held.table.name, held.secret, rows)


def _read(
    connection: Connection, asked: Executable, parameters: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Rows in portions, from the server too."""
    found = connection.execute(asked, parameters, execution_options={"yield_per": _AT_ONCE})
    names = list(found.keys())
    for row in found:
        yield dict(zip(names, row, strict=True))
