"""The audit log: who read whose rows, exported them, ran a report of them or issued a token.

It is only ever added to: triggers refuse everything else, on both kinds of database. People stand
in it as HMACs of their ids, each with a key of their own that is kept beside; forgetting somebody
deletes their key, and the log says of nobody any more what it said of them.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from analytics_core.dal.database import Database
from analytics_core.dal.tables import (
    AuditEntryRow,
    AuditPersonRow,
    FollowedAuditEntryRow,
    FollowedAuditPersonRow,
)
from analytics_core.model.audited import Action, Audited
from analytics_core.model.scope import Scope

EVERYONE = "everyone"
_LONGEST_ID, _LONGEST_BY = 64, 255


class AuditRepository:
    """The audit log of one database, kept in `database` under its number; 0 is its own."""

    def __init__(self, database: Database, source: int = 0) -> None:
        self._database, self._source = database, source

    def record(self, at: datetime, who: str, action: Action, whose: Scope, by: str) -> None:
        """Add what somebody did; `who` is their id, or what else names them.

        Raises `DatabaseUnavailable`, and then nothing may be shown.
        """
        ids = None if whose.user_ids is None else sorted(whose.user_ids)
        with self._database.write() as transaction:
            digests = self._digests(transaction, {who, *(ids or ())})
            transaction.execute(
                insert(self._log),
                {
                    "source": self._source,
                    "at": at,
                    "who": digests[who],
                    "action": action.value,
                    "whose": EVERYONE if ids is None else " ".join(digests[one] for one in ids),
                    "by": by[:_LONGEST_BY],
                },
            )
            transaction.commit()

    def entries(self, since: datetime | None = None) -> list[Audited]:
        """What was done since then, oldest first, by name where somebody was not forgotten."""
        log, people = self._log.c, self._people.c
        asked = (
            select(log.at, log.who, log.action, log.whose, log.by)
            .where(log.source == self._source)
            .order_by(log.at, log.id)
        )
        if since is not None:
            asked = asked.where(log.at >= since)
        known = select(people.user_id, people.key).where(people.source == self._source)
        with self._database.reading():
            names = {_digest(key, id_): id_ for id_, key in self._database.rows(known)}
            found = self._database.rows(asked)
        return [
            Audited(
                at,
                names.get(who),
                Action(action),
                None if whose == EVERYONE else tuple(map(names.get, whose.split())),
                by,
            )
            for at, who, action, whose, by in found
        ]

    def _digests(self, transaction: Connection, people: Iterable[str]) -> dict[str, str]:
        """The digest of each, whose key is made where they are met first."""
        put = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        named = {one: _as_id(one) for one in people}
        p = self._people.c
        rows = [
            {"source": self._source, "user_id": id_, "key": secrets.token_hex(32)}
            for id_ in sorted(set(named.values()))
        ]
        transaction.execute(put(self._people).on_conflict_do_nothing(), rows)
        kept = select(p.user_id, p.key).where(
            p.source == self._source, p.user_id.in_(sorted(set(named.values())))
        )
        keys: dict[Any, Any] = dict(tuple(row) for row in transaction.execute(kept))
        return {one: _digest(keys[id_], id_) for one, id_ in named.items()}

    @property
    def _log(self) -> Table:
        return _table(FollowedAuditEntryRow if self._source else AuditEntryRow)

    @property
    def _people(self) -> Table:
        return _table(FollowedAuditPersonRow if self._source else AuditPersonRow)


def _digest(key: str, id_: str) -> str:
    return hmac.new(bytes.fromhex(key), id_.encode(), "sha256").hexdigest()


def _as_id(text: str) -> str:
    """What is kept for a person; what no database takes for an id is nobody's."""
    return text.encode(errors="replace").decode().replace("\0", "?")[:_LONGEST_ID]


def _table(row: Any) -> Table:
    table: Table = row.__table__
    return table
