"""Who was forgotten: enough to recognise them when they come back, and not who they were.

A tombstone is an HMAC-SHA-256 of a user's id, of their e-mail address or of the hash of a key of
theirs. PostgreSQL computes the same from its own functions, so that a product's rows are recognised
where they are, whatever happens to them there.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    String,
    Table,
    all_,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from analytics_core.dal.database import Database
from analytics_core.dal.tables import (
    FollowedTombstoneKeyRow,
    FollowedTombstoneRow,
    TombstoneKeyRow,
    TombstoneRow,
)

USER, EMAIL, KEY = "user", "email", "key"
# What a question about users of whom none was forgotten says, to spare the database the digests.
DIGESTS = "forgotten"
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Makes the digests of one database's tombstones."""

    key: bytes

    def digest(self, kind: str, text: str) -> str:
        message = f"{kind}\0{text}".encode(errors="surrogatepass")
        return hmac.digest(self.key, message, "sha256").hex()

    @property
    def inner(self) -> bytes:
        """What comes before a user's id in the first of the two hashes that an HMAC is."""
        return bytes(byte ^ 0x36 for byte in self._block) + f"{USER}\0".encode()

    @property
    def outer(self) -> bytes:
        return bytes(byte ^ 0x5C for byte in self._block)

    @property
    def _block(self) -> bytes:
        return self.key.ljust(_BLOCK, b"\0")


@dataclass
class Tombstones:
    """The tombstones of one database, kept in `database` under its number; 0 is its own."""

    database: Database
    source: int = 0
    # The product's database whose rows are recognised.
    looked_at: Database | None = None
    _recogniser: Recogniser | None = field(default=None, init=False)

    # --- recognising ---

    def recogniser(self, connection: Connection | None = None) -> Recogniser | None:
        """What makes digests; None where nobody was ever forgotten."""
        keys = self._keys.c
        found = self._ask(select(keys.key).where(keys.source == self.source), connection)
        return Recogniser(bytes.fromhex(found[0][0])) if found else None

    def since(self, kind: str, text: str) -> datetime | None:
        """When somebody was forgotten whom this names; None where nobody was."""
        recogniser = self.recogniser()
        if recogniser is None:
            return None
        t = self._stones.c
        asked = select(t.forgotten_at).where(
            t.source == self.source, t.digest == recogniser.digest(kind, text)
        )
        found = self._ask(asked)
        return found[0][0] if found else None

    def count(self) -> int:
        """How many people were forgotten."""
        t = self._stones.c
        asked = select(func.count()).where(t.source == self.source, t.kind == USER)
        return int(self._ask(asked)[0][0])

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of these users who were forgotten."""
        digests = self._digests()
        recogniser = self._known_recogniser() if digests else None
        if recogniser is None:
            return set()
        return {id_ for id_ in ids if bytes.fromhex(recogniser.digest(USER, id_)) in digests}

    def spare(self, owner: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition, on PostgreSQL, that a row of a product's is of nobody who was forgotten.

        Who was forgotten is asked whenever a statement with this condition runs. Where nobody was,
        the planner takes the condition out.
        """
        forgotten = bindparam(DIGESTS, callable_=self._digests, type_=ARRAY(LargeBinary))
        inner = bindparam("forgotten_inner", callable_=self._inner, type_=LargeBinary)
        outer = bindparam("forgotten_outer", callable_=self._outer, type_=LargeBinary)
        text = func.convert_to(func.coalesce(owner.cast(String), ""), literal("UTF8"))
        first = func.sha256(inner.concat(text), type_=LargeBinary)
        digest = func.sha256(outer.concat(first), type_=LargeBinary)
        nobody: ColumnElement[bool] = func.cardinality(forgotten) == literal_column("0")
        return or_(nobody, digest != all_(forgotten))

    def _digests(self) -> list[bytes]:
        def ask() -> list[bytes]:
            t = self._stones.c
            asked = select(t.digest).where(t.source == self.source, t.kind == USER)
            return [bytes.fromhex(digest) for (digest,) in self._ask(asked)]

        # Once in a transaction of questions.
        return self.looked_at.once(("forgotten",), ask) if self.looked_at else ask()

    def _known_recogniser(self) -> Recogniser | None:
        # Once it is there, it stays.
        if self._recogniser is None:
            self._recogniser = self.recogniser()
        return self._recogniser

    def _inner(self) -> bytes:
        known = self._known_recogniser()
        return known.inner if known else b""

    def _outer(self) -> bytes:
        known = self._known_recogniser()
        return known.outer if known else b""

    # --- forgetting ---

    def add(
        self, connection: Connection, names: Iterable[tuple[str, str]], now: datetime, by: str
    ) -> None:
        """Set tombstones for kinds and texts; those that are there stay as they are."""
        put = postgresql.insert if self.database.dialect == "postgresql" else sqlite.insert
        recogniser = self.recogniser(connection)
        if recogniser is None:
            recogniser = Recogniser(secrets.token_bytes(32))
            connection.execute(
                insert(self._keys), {"source": self.source, "key": recogniser.key.hex()}
            )
        rows = [
            {
                "source": self.source,
                "digest": recogniser.digest(kind, text),
                "kind": kind,
                "forgotten_at": now,
                "forgotten_by": by,
            }
            for kind, text in names
        ]
        if rows:
            connection.execute(put(self._stones).on_conflict_do_nothing(), rows)

    def _ask(self, statement: Any, connection: Connection | None = None) -> list[Any]:
        if connection is not None:
            return list(connection.execute(statement))
        return self.database.rows(statement)

    @property
    def _stones(self) -> Table:
        return _table(FollowedTombstoneRow if self.source else TombstoneRow)

    @property
    def _keys(self) -> Table:
        return _table(FollowedTombstoneKeyRow if self.source else TombstoneKeyRow)


def _table(row: Any) -> Table:
    table: Table = row.__table__
    return table
