"""Recorded events on their way into the tables: whole batches, each in one transaction.

A batch remembers the ids of its events, writes their rows and adds to the daily aggregates, all of
it or nothing; so it may be given again after any crash. Statements take a whole batch as one JSON
text, which both kinds of database read as rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import msgspec
import psycopg
from sqlalchemy import Connection, delete, exists, func, select, text
from sqlalchemy import exc as sql_errors

from analytics_core.dal.database import Database
from analytics_core.dal.partitions import make_partitions
from analytics_core.dal.row_security import is_active
from analytics_core.dal.tables import (
    EndingRow,
    FileRow,
    HorizonRow,
    RecordedEventRow,
    RenderRow,
    SetAsideEventRow,
    microseconds,
)
from analytics_core.dal.tombstones import KEY, USER, Tombstones
from analytics_core.model.event import (
    REMEMBERED,
    Activity,
    ApiCall,
    Credits,
    Event,
    FileDeleted,
    FileStored,
    RenderCreated,
    RenderFinished,
    from_json,
    id_for,
)
from analytics_core.model.keeping import Kind
from analytics_core.model.latency import bucket_of
from analytics_core.model.named import Named, named_in
from analytics_core.model.vocabulary import TransactionKind

OTHER_CONTENT = "its id was told before with other content"
DAMAGED = "the line in the spool is damaged"
NOT_KEPT = "API calls of its day are kept no longer"
UNKNOWN_KEY = "unknown key"
_REASON_LENGTH = 255
# A key may be made up by whoever calls: of what came with unknown ones so much is kept.
_MOST_OF_UNKNOWN_KEYS = 100_000
# Fewer rows are quicker asked for in one statement.
_WORTH_A_COPY = 50

Rows: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a batch: events counted, told before, set aside, and of nobody any more."""

    counted: int = 0
    repeated: int = 0
    set_aside: int = 0
    forgotten: int = 0

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(
            self.counted + other.counted,
            self.repeated + other.repeated,
            self.set_aside + other.set_aside,
            self.forgotten + other.forgotten,
        )


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that cannot be counted, as JSON, and why."""

    reason: str
    event: str
    set_aside_at: datetime


class _Refused(Exception):
    """The database is well and will never take this batch."""


@dataclass(slots=True)
class _Told:
    """An event of the batch; `owner` is whose it is, `is_new` whether its noun is."""

    event: Any
    line: bytes
    digest: str
    owner: str
    is_new: bool = True


@dataclass(slots=True)
class _Batch:
    now: datetime
    told: list[_Told] = field(default_factory=list)
    by_kind: dict[type[Any], list[_Told]] = field(default_factory=dict)
    repeated: int = 0
    forgotten: int = 0
    aside: dict[str, tuple[str | None, str, bytes]] = field(default_factory=dict)
    # Key -> when it was used last.
    used: dict[str, datetime] = field(default_factory=dict)
    # Renders and files that events of the batch tell of, those told before too.
    nouns: dict[str, set[str]] = field(default_factory=lambda: {"render": set(), "file": set()})
    # User and UTC day -> renders, credits, API calls, bytes.
    usage: dict[tuple[str, date], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0])
    )

    def set_aside(self, line: bytes, reason: str, user_id: str | None = None) -> None:
        self.aside.setdefault(_digest(line), (user_id, reason[:_REASON_LENGTH], line))


class IngestRepository:
    """The one way of recorded events into a workspace's own database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._on_postgresql = database.dialect == "postgresql"
        self._copies: bool | None = None
        self._tombstones = Tombstones(database)

    def ingest(
        self,
        lines: Sequence[bytes],
        now: datetime,
        *,
        damaged: Sequence[bytes] = (),
        backfill: bool = False,
    ) -> Ingested:
        """Count what has not been counted, in one transaction, or several if one is refused.

        With `backfill`, and for what is older than ids are remembered, the rows' own ids say what
        was counted. Raises `DatabaseUnavailable`, after which the same may be given again.
        """
        batch = _Batch(now)
        for line in damaged:
            batch.set_aside(line, DAMAGED)
        events = self._read(batch, lines)
        try:
            self._write(batch, events, backfill)
        except _Refused as refused:
            if len(lines) == 1 and not damaged:
                return self._give_up(lines[0], str(refused), now)
            # Which of them it is shows when each half is tried alone; what is good is not lost.
            middle = len(lines) // 2
            parts = (lines[:middle], ()), (lines[middle:], damaged)
            done = [
                self.ingest(part, now, damaged=bad, backfill=backfill)
                for part, bad in parts
                if part or bad
            ]
            return sum(done, Ingested())
        if any(batch.nouns.values()):
            self._apply_ends(batch.nouns)
        return Ingested(len(batch.told), batch.repeated, len(batch.aside), batch.forgotten)

    def retry(self, now: datetime) -> Ingested:
        """Try again what was set aside; what is counted now is set aside no longer."""
        a = SetAsideEventRow
        found = self._database.rows(select(a.digest, a.event).where(a.reason != DAMAGED))
        done = Ingested()
        for digest, event in found:
            one = self.ingest([event.encode()], now)
            done += one
            if not one.set_aside:
                with self._database.write() as transaction:
                    transaction.execute(delete(a).where(a.digest == digest))
                    transaction.commit()
        return done

    def set_aside(self, most: int) -> list[SetAside]:
        """What was set aside, newest first."""
        a = SetAsideEventRow
        newest = select(a.reason, a.event, a.set_aside_at).order_by(a.set_aside_at.desc())
        return [SetAside(*row) for row in self._database.rows(newest.limit(most))]

    def set_aside_by_reason(self) -> dict[str, int]:
        a = SetAsideEventRow
        counts = select(a.reason, func.count()).group_by(a.reason).order_by(a.reason)
        return {row[0]: row[1] for row in self._database.rows(counts)}

    def waiting_endings(self, before: datetime) -> int:
        """How many ends were told before then of renders and files that nobody has told of."""
        e = EndingRow
        waiting = (
            select(func.count())
            .select_from(e)
            .where(e.occurred_at < before, ~_has_row("render"), ~_has_row("file"))
        )
        return int(self._database.rows(waiting)[0][0])

    def forget(self, now: datetime, *, unknown_keys: int = _MOST_OF_UNKNOWN_KEYS) -> None:
        """Forget the ids of events that are too old to be told again, and make room for months to
        come.

        Of calls that were set aside for their unknown keys the newest `unknown_keys` stay.
        """
        before = now - REMEMBERED
        a = SetAsideEventRow
        too_many = (
            select(a.digest)
            .where(a.reason == UNKNOWN_KEY)
            .order_by(a.set_aside_at.desc(), a.digest)
            .offset(unknown_keys)
        )
        with self._database.write() as transaction:
            r, e = RecordedEventRow, EndingRow
            transaction.execute(delete(r).where(r.occurred_at < before))
            applied = _has_row("render") | _has_row("file")
            transaction.execute(delete(e).where(e.occurred_at < before, applied))
            transaction.execute(delete(a).where(a.digest.in_(too_many)))
            make_partitions(transaction, now, now)
            transaction.commit()

    # --- reading ---

    @staticmethod
    def _read(batch: _Batch, lines: Sequence[bytes]) -> list[tuple[Event, bytes, str]]:
        """The events of lines, each id once; what is none is set aside."""
        events: list[tuple[Event, bytes, str]] = []
        digests: dict[str, str] = {}
        for line in lines:
            try:
                event = from_json(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
                batch.set_aside(line, f"it cannot be read: {wrong}")
                continue
            match event:
                case RenderCreated() | RenderFinished():
                    batch.nouns["render"].add(event.render_id)
                case FileStored() | FileDeleted():
                    batch.nouns["file"].add(event.file_id)
            digest = _digest(line)
            known = digests.setdefault(event.id, digest)
            if known != digest:
                batch.set_aside(line, OTHER_CONTENT, event.user_id)
            elif len(digests) > len(events):
                events.append((event, line, digest))
            else:
                batch.repeated += 1
        return events

    # --- writing ---

    def _write(self, batch: _Batch, events: list[tuple[Event, bytes, str]], backfill: bool) -> None:
        with self._database.write() as transaction:
            try:
                events = self._leave_forgotten(transaction, batch, events)
                self._take_known(transaction, batch, events)
                self._leave_repeated(transaction, batch, backfill)
                self._add_renders(transaction, batch)
                self._add_calls(transaction, batch)
                self._add_files(transaction, batch)
                self._add_credits(transaction, batch)
                self._add_activity(transaction, batch)
                self._keep_ends(transaction, batch)
                self._add_usage(transaction, batch)
                self._freshen_keys(transaction, batch)
                self._put_aside(transaction, batch)
                transaction.commit()
            except (sql_errors.IntegrityError, sql_errors.DataError) as refused:
                raise _Refused(str(refused.orig).partition("\n")[0]) from refused

    def _leave_forgotten(
        self, transaction: Connection, batch: _Batch, events: list[tuple[Event, bytes, str]]
    ) -> list[tuple[Event, bytes, str]]:
        """Leave out what is about people who were forgotten, and set nothing of it aside.

        Having asked, this transaction and one that forgets somebody exclude each other.
        """
        recogniser = self._tombstones.recogniser(transaction)
        if recogniser is None:
            return events
        named = [_named(event) for event, _, _ in events]
        aside = {digest: named_in(line) for digest, (_, _, line) in batch.aside.items()}
        users: dict[str, str] = {}
        keys: dict[str, str] = {}
        for one in (*named, *aside.values()):
            users.update((recogniser.digest(USER, user), user) for user in one.users)
            keys.update((recogniser.digest(KEY, key), key) for key in one.keys)
        statement = f"SELECT digest FROM tombstones WHERE source = 0 AND digest IN ({self._list})"  # noqa: S608 - our own words
        wanted = {"list": _json(sorted({*users, *keys}))}
        found = set(transaction.execute(text(statement), wanted).scalars())
        gone = [
            frozenset(name for digest, name in names.items() if digest in found)
            for names in (users, keys)
        ]
        for digest, one in aside.items():
            if one.is_about(*gone):
                del batch.aside[digest]
                batch.forgotten += 1
        kept = [told for told, one in zip(events, named, strict=True) if not one.is_about(*gone)]
        batch.forgotten += len(events) - len(kept)
        return kept

    def _take_known(
        self, transaction: Connection, batch: _Batch, events: list[tuple[Event, bytes, str]]
    ) -> None:
        """Find whose the events are; what belongs to nobody we know is set aside."""
        hashes = {e.key_hash for e, _, _ in events if isinstance(e, ApiCall) and e.key_hash}
        keys = self._keys(transaction, hashes)
        users = self._known(transaction, "users", (e.user_id for e, _, _ in events if e.user_id))
        projects = self._known(
            transaction,
            "projects",
            (e.project_id for e, _, _ in events if isinstance(e, RenderCreated) and e.project_id),
        )
        first_kept = self._first_kept(transaction, events)
        for event, line, digest in events:
            owner = event.user_id
            if isinstance(event, ApiCall) and _utc_day(event.occurred_at) < first_kept:
                # Its id is not known any more, and it must not stand for all the calls of its day.
                batch.set_aside(line, NOT_KEPT, owner)
                continue
            if isinstance(event, ApiCall) and event.key_hash:
                key, of_key = keys.get(event.key_hash, (None, None))
                owner = owner or of_key
                if owner is None:
                    batch.set_aside(line, UNKNOWN_KEY)
                    continue
                if key and owner == of_key:
                    used = batch.used.get(key, event.occurred_at)
                    batch.used[key] = max(used, event.occurred_at)
            if owner is None or (owner == event.user_id and owner not in users):
                batch.set_aside(line, "unknown user", owner)
            elif isinstance(event, RenderCreated) and (event.project_id or None) not in projects | {
                None
            }:
                batch.set_aside(line, "unknown project", owner)
            else:
                batch.told.append(_Told(event, line, digest, owner))

    @staticmethod
    def _first_kept(transaction: Connection, events: list[tuple[Event, bytes, str]]) -> date:
        """The first day of which API calls are kept, which does not change in this transaction."""
        if not any(isinstance(event, ApiCall) for event, _, _ in events):
            return date.min
        h = HorizonRow
        known = select(h.first_day).where(h.kind == Kind.API_CALLS)
        return transaction.execute(known).scalar() or date.min

    def _known(self, transaction: Connection, table: str, ids: Iterable[str]) -> set[str]:
        wanted = sorted(set(ids))
        if not wanted:
            return set()
        statement = f"SELECT id FROM {table} WHERE id IN ({self._list})"  # noqa: S608 - our names
        return set(transaction.execute(text(statement), {"list": _json(wanted)}).scalars())

    def _keys(self, transaction: Connection, hashes: set[str]) -> dict[str, tuple[str, str]]:
        if not hashes:
            return {}
        statement = (
            "SELECT key_hash, id, user_id FROM plugin_api_keys"  # noqa: S608 - our own words
            f" WHERE key_hash IN ({self._list})"
        )
        found = transaction.execute(text(statement), {"list": _json(sorted(hashes))})
        return {key_hash: (id_, user_id) for key_hash, id_, user_id in found}

    def _leave_repeated(self, transaction: Connection, batch: _Batch, backfill: bool) -> None:
        """Remember the batch's ids, and leave out what was remembered before."""
        before = batch.now - REMEMBERED
        ids: dict[str, tuple[str, datetime]] = {}
        nouns: dict[str, _Told] = {}
        for told in batch.told:
            event = told.event
            if backfill or event.occurred_at < before:
                # Its id is not remembered, or not for long: its row says whether it counts.
                told.is_new = False
                continue
            ids[event.id] = (told.digest, event.occurred_at)
            noun = _noun_id(event)
            if noun and noun != event.id:
                nouns[event.id] = told
        fresh = self._remember(transaction, ids)
        digests = self._digests(transaction, ids.keys() - fresh)
        kept = []
        for told in batch.told:
            known = digests.get(told.event.id) if told.event.id in ids else None
            if known is None:
                kept.append(told)
            elif known in ("", told.digest):
                batch.repeated += 1
            else:
                batch.set_aside(told.line, OTHER_CONTENT, told.owner)
        batch.told = kept
        for told in kept:
            batch.by_kind.setdefault(type(told.event), []).append(told)
        # The same noun under an id of its own: the one it would have had is taken with it.
        taken = {
            _noun_id(told.event): ("", told.event.occurred_at)
            for id_, told in nouns.items()
            if id_ in fresh
        }
        first = self._remember(transaction, {n: v for n, v in taken.items() if n})
        for id_, told in nouns.items():
            if id_ in fresh:
                noun = _noun_id(told.event)
                told.is_new = noun in first
                first.discard(noun or "")

    def _remember(self, transaction: Connection, ids: dict[str, tuple[str, datetime]]) -> set[str]:
        """Add ids, in an order in which writers cannot wait for each other; those that are new."""
        return self._insert(
            transaction,
            "recorded_events",
            {"id": "text", "digest": "text", "occurred_at": "instant"},
            [
                {"id": id_, "digest": digest, "occurred_at": self._at(at)}
                for id_, (digest, at) in sorted(ids.items())
            ],
        )

    def _digests(self, transaction: Connection, ids: Iterable[str]) -> dict[str, str]:
        wanted = sorted(ids)
        if not wanted:
            return {}
        statement = f"SELECT id, digest FROM recorded_events WHERE id IN ({self._list})"  # noqa: S608
        found = transaction.execute(text(statement), {"list": _json(wanted)})
        return {row.id: row.digest for row in found}

    def _add_renders(self, transaction: Connection, batch: _Batch) -> None:
        told = _first_by(batch, RenderCreated, lambda event: event.render_id)
        if not told:
            return
        columns = {
            **dict.fromkeys(("id", "user_id", "project_id", "type", "status", "quality"), "text"),
            **dict.fromkeys(("platform", "source_platform", "plugin_version"), "text"),
            "credits_cost": "integer",
            "processing_time": "double precision",
            "created_at": "instant",
        }
        rows = []
        for id_, one in sorted(told.items()):
            event = one.event
            row = {name: getattr(event, name) for name in columns if hasattr(event, name)}
            rows.append(
                {
                    **row,
                    "id": id_,
                    "user_id": one.owner,
                    "created_at": self._at(event.occurred_at),
                }
            )
        inserted = self._insert(transaction, "renders", columns, rows)
        # The product may have written the row itself: it is counted where the row is.
        actual = self._actual(transaction, "renders", told.keys() - inserted, "1")
        days = {id_: (one.owner, _utc_day(one.event.occurred_at)) for id_, one in told.items()}
        days.update({id_: (owner, day) for id_, (owner, day, _) in actual.items()})
        counted = self._insert(
            transaction,
            "recorded_renders",
            {"render_id": "text", "occurred_at": "instant", "amounts_told": "integer"},
            [
                {
                    "render_id": id_,
                    "occurred_at": self._at(one.event.occurred_at),
                    "amounts_told": 0,
                }
                for id_, one in sorted(told.items())
            ],
            key="render_id",
        )
        for id_ in counted:
            batch.usage[days[id_]][0] += 1

    def _add_calls(self, transaction: Connection, batch: _Batch) -> None:
        told = _first_by(batch, ApiCall, lambda event: event.id)
        # Those whose ids are not remembered; their rows say whether they were counted.
        old = (id_ for id_, one in told.items() if not one.is_new)
        for id_ in self._known(transaction, "api_calls", old):
            del told[id_]
        columns = {
            **dict.fromkeys(("id", "user_id", "method", "route"), "text"),
            "status_code": "integer",
            "duration_bucket": "integer",
            "platform": "text",
            "plugin_version": "text",
            "occurred_at": "instant",
        }
        rows = [
            {
                "id": id_,
                "user_id": one.owner,
                "method": one.event.method,
                "route": one.event.route,
                "status_code": one.event.status_code,
                "duration_bucket": bucket_of(one.event.duration * 1000),
                "platform": one.event.platform,
                "plugin_version": one.event.plugin_version,
                "occurred_at": self._at(one.event.occurred_at),
            }
            for id_, one in told.items()
        ]
        days = Counter(
            (told[id_].owner, _utc_day(told[id_].event.occurred_at))
            for id_ in self._insert(
                transaction, "api_calls", columns, rows, unique="id, occurred_at"
            )
        )
        for day, calls in days.items():
            batch.usage[day][2] += calls

    def _add_files(self, transaction: Connection, batch: _Batch) -> None:
        told = _first_by(batch, FileStored, lambda event: event.file_id)
        columns = {
            **dict.fromkeys(("id", "user_id", "name", "media_type"), "text"),
            "size": "bigint",
            "created_at": "instant",
        }
        rows = [
            {
                "id": id_,
                "user_id": one.owner,
                "name": one.event.name,
                "media_type": one.event.media_type,
                "size": one.event.size,
                "created_at": self._at(one.event.occurred_at),
            }
            for id_, one in sorted(told.items())
        ]
        inserted = self._insert(transaction, "files", columns, rows)
        for id_ in inserted:
            one = told[id_]
            batch.usage[one.owner, _utc_day(one.event.occurred_at)][3] += one.event.size
        new = {id_ for id_, one in told.items() if one.is_new}
        there = self._actual(transaction, "files", new - inserted, "size")
        for owner, day, size in there.values():
            batch.usage[owner, day][3] += size

    def _add_credits(self, transaction: Connection, batch: _Batch) -> None:
        told = _first_by(batch, Credits, lambda event: event.transaction_id)
        columns = {
            **dict.fromkeys(("id", "user_id", "kind", "category", "reference_id"), "text"),
            "amount": "integer",
            "created_at": "instant",
        }
        rows = [
            {
                "id": id_,
                "user_id": one.owner,
                "kind": one.event.direction,
                "category": one.event.category,
                "reference_id": one.event.reference_id,
                "amount": one.event.amount,
                "created_at": self._at(one.event.occurred_at),
            }
            for id_, one in sorted(told.items())
        ]
        inserted = self._insert(transaction, "credit_transactions", columns, rows)
        for id_ in inserted:
            one = told[id_]
            if one.event.direction == TransactionKind.DEBIT:
                batch.usage[one.owner, _utc_day(one.event.occurred_at)][1] += one.event.amount
        new = {id_ for id_, one in told.items() if one.is_new}
        spent = "CASE kind WHEN 'debit' THEN amount ELSE 0 END"
        there = self._actual(transaction, "credit_transactions", new - inserted, spent)
        for owner, day, amount in there.values():
            batch.usage[owner, day][1] += amount

    def _add_activity(self, transaction: Connection, batch: _Batch) -> None:
        told = _first_by(batch, Activity, lambda event: event.id)
        columns = {"id": "text", "user_id": "text", "event": "text", "created_at": "instant"}
        rows = [
            {
                "id": id_,
                "user_id": one.owner,
                "event": one.event.event,
                "created_at": self._at(one.event.occurred_at),
            }
            for id_, one in sorted(told.items())
        ]
        self._insert(transaction, "account_activity", columns, rows)

    def _keep_ends(self, transaction: Connection, batch: _Batch) -> None:
        """Keep what was told last of each end, also where its beginning has not been told."""
        last: dict[tuple[str, str, str], Any] = {}
        for noun, kind in (("render", RenderFinished), ("file", FileDeleted)):
            for told in batch.by_kind.get(kind, ()):
                event = told.event
                key = (noun, getattr(event, f"{noun}_id"), told.owner)
                if key not in last or _order(event) > _order(last[key]):
                    last[key] = event
        columns = {
            **dict.fromkeys(("noun", "noun_id", "user_id", "event_id", "status"), "text"),
            "processing_time": "double precision",
            "occurred_at": "instant",
        }
        rows = [
            {
                "noun": noun,
                "noun_id": id_,
                "user_id": owner,
                "event_id": event.id,
                "status": getattr(event, "status", None),
                "processing_time": getattr(event, "processing_time", None),
                "occurred_at": self._at(event.occurred_at),
            }
            for (noun, id_, owner), event in sorted(last.items(), key=lambda item: item[0])
        ]
        if rows:
            bytewise = ' COLLATE "C"' if self._on_postgresql else ""
            self._run(
                transaction,
                f"""
                INSERT INTO endings ({", ".join(columns)}) SELECT * FROM ({{rows}}) AS told
                WHERE true ON CONFLICT (noun, noun_id, user_id) DO UPDATE SET
                    event_id = excluded.event_id, status = excluded.status,
                    processing_time = excluded.processing_time,
                    occurred_at = excluded.occurred_at
                WHERE excluded.occurred_at > endings.occurred_at OR (
                    excluded.occurred_at = endings.occurred_at
                    AND excluded.event_id{bytewise} > endings.event_id{bytewise})
                """,  # noqa: S608 - our own words
                columns,
                rows,
            )

    def _apply_ends(self, nouns: dict[str, set[str]]) -> None:
        """Bring rows in line with their ends, in a transaction that sees all that is committed.

        Within the batch's own, a beginning and an end that two writers bring at the same time would
        miss each other. What a crash leaves out comes again, because the batch does.
        """
        differs = "IS DISTINCT FROM" if self._on_postgresql else "IS NOT"
        ends = {
            "render": f"""
                UPDATE renders SET status = e.status, processing_time = e.processing_time
                FROM endings AS e WHERE e.noun = 'render' AND e.noun_id = renders.id
                AND e.user_id = renders.user_id AND renders.id IN ({self._list})
                AND (e.status {differs} renders.status
                    OR e.processing_time {differs} renders.processing_time)
                """,  # noqa: S608 - our own words
            "file": f"""
                UPDATE files SET deleted_at = e.occurred_at
                FROM endings AS e WHERE e.noun = 'file' AND e.noun_id = files.id
                AND e.user_id = files.user_id AND files.id IN ({self._list})
                AND e.occurred_at {differs} files.deleted_at
                """,  # noqa: S608 - our own words
        }
        with self._database.write() as transaction:
            for noun, ids in nouns.items():
                if ids:
                    transaction.execute(text(ends[noun]), {"list": _json(sorted(ids))})
            transaction.commit()

    def _add_usage(self, transaction: Connection, batch: _Batch) -> None:
        measures = ("renders_created", "credits_spent", "api_calls", "storage_used")
        columns = {"user_id": "text", "date": "date", **dict.fromkeys(measures, "bigint")}
        rows = [
            {
                "user_id": owner,
                "date": day.isoformat(),
                **dict(zip(measures, amounts, strict=True)),
            }
            for (owner, day), amounts in sorted(batch.usage.items())
            if any(amounts)
        ]
        if rows:
            added = ", ".join(
                f"{name} = usage_tracking.{name} + excluded.{name}" for name in measures
            )
            self._run(
                transaction,
                f"""
                INSERT INTO usage_tracking ({", ".join(columns)}) SELECT * FROM ({{rows}}) AS told
                WHERE true ON CONFLICT (user_id, date) DO UPDATE SET {added}
                """,  # noqa: S608 - our own words
                columns,
                rows,
            )

    def _freshen_keys(self, transaction: Connection, batch: _Batch) -> None:
        if batch.used:
            self._run(
                transaction,
                """
                UPDATE plugin_api_keys SET last_used_at = told.last_used_at FROM ({rows}) AS told
                WHERE plugin_api_keys.id = told.id AND (
                    plugin_api_keys.last_used_at IS NULL
                    OR plugin_api_keys.last_used_at < told.last_used_at)
                """,
                {"id": "text", "last_used_at": "instant"},
                [
                    {"id": key, "last_used_at": self._at(at)}
                    for key, at in sorted(batch.used.items())
                ],
            )

    def _put_aside(self, transaction: Connection, batch: _Batch) -> None:
        columns = {
            **dict.fromkeys(("digest", "user_id", "reason", "event"), "text"),
            "set_aside_at": "instant",
        }
        rows = [
            {
                "digest": digest,
                "user_id": user_id,
                "reason": reason,
                # What is not text is shown as it is escaped; PostgreSQL knows no NUL.
                "event": line.decode(errors="backslashreplace").replace("\0", "\\0"),
                "set_aside_at": self._at(batch.now),
            }
            for digest, (user_id, reason, line) in sorted(batch.aside.items())
        ]
        self._insert(transaction, "set_aside_events", columns, rows, key="digest")

    def _give_up(self, line: bytes, reason: str, now: datetime) -> Ingested:
        batch = _Batch(now)
        batch.set_aside(line, f"the database refuses it: {reason}")
        with self._database.write() as transaction:
            self._put_aside(transaction, batch)
            transaction.commit()
        return Ingested(set_aside=1)

    # --- statements over a whole batch ---

    @property
    def _list(self) -> str:
        """A subquery of the texts in the JSON list `:list`."""
        if self._on_postgresql:
            return "SELECT json_array_elements_text(CAST(:list AS json))"
        return "SELECT value FROM json_each(:list)"

    def _rows(self, columns: dict[str, str]) -> str:
        """A subquery of the objects in the JSON list `:rows`, with columns of these types."""
        if self._on_postgresql:
            typed = ", ".join(
                f"{name} {'timestamptz' if kind == 'instant' else kind}"
                for name, kind in columns.items()
            )
            return f"SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS r({typed})"  # noqa: S608
        values = ", ".join(f"value ->> '{name}' AS {name}" for name in columns)
        return f"SELECT {values} FROM json_each(:rows)"  # noqa: S608 - our own names

    def _run(
        self, transaction: Connection, statement: str, columns: dict[str, str], rows: Rows
    ) -> Any:
        whole = statement.replace("{rows}", self._rows(columns))
        return transaction.execute(text(whole), {"rows": _json(rows)})

    def _insert(
        self,
        transaction: Connection,
        table: str,
        columns: dict[str, str],
        rows: Rows,
        key: str = "id",
        unique: str | None = None,
    ) -> set[str]:
        """Put rows in where there is none with their key; the keys of those that went in.

        `unique` is what the table itself holds to be unique, where that is not the key.
        """
        if not rows:
            return set()
        statement = (
            f"INSERT INTO {table} ({', '.join(columns)})"  # noqa: S608 - our own names
            f" SELECT * FROM ({{rows}}) AS told WHERE true ON CONFLICT ({unique or key}) DO NOTHING"
        )
        # Nearly always all are new; then nobody has to be told which.
        if len(rows) >= _WORTH_A_COPY and self._may_copy(transaction):
            attempt = transaction.begin_nested()
            try:
                _copy(transaction, table, columns, rows)
            except psycopg.Error:
                # Some are there, or break a rule, or the server is gone: asking tells which.
                attempt.rollback()
            else:
                attempt.commit()
                return {row[key] for row in rows}
        attempt = transaction.begin_nested()
        if self._run(transaction, statement, columns, rows).rowcount == len(rows):
            attempt.commit()
            return {row[key] for row in rows}
        attempt.rollback()
        some = self._run(transaction, f"{statement} RETURNING {key}", columns, rows)
        return set(some.scalars())

    def _may_copy(self, transaction: Connection) -> bool:
        """Whether PostgreSQL takes rows by COPY: not of whom row-level security holds back."""
        if self._copies is None:
            self._copies = self._on_postgresql and not is_active(transaction, "renders")
        return self._copies

    def _actual(
        self, transaction: Connection, table: str, ids: Iterable[str], amount: str
    ) -> dict[str, tuple[str, date, int]]:
        """Owner, UTC day and amount of rows that were there before, by id."""
        wanted = sorted(ids)
        if not wanted:
            return {}
        statement = (
            f"SELECT id, user_id, created_at, {amount} FROM {table}"  # noqa: S608 - our own names
            f" WHERE id IN ({self._list})"
        )
        found = transaction.execute(text(statement), {"list": _json(wanted)})
        return {id_: (owner, _utc_day(self._instant(at)), value) for id_, owner, at, value in found}

    def _at(self, instant: datetime) -> datetime | int:
        return instant if self._on_postgresql else microseconds(instant)

    @staticmethod
    def _instant(stored: datetime | int) -> datetime:
        if isinstance(stored, datetime):
            return stored
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=stored)


def _copy(transaction: Connection, table: str, columns: dict[str, str], rows: Rows) -> None:
    """Put rows in, all or none, for half of what reading them from JSON costs the server."""
    raw: Any = transaction.connection.driver_connection
    command = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    with raw.cursor() as cursor, cursor.copy(command) as copy:
        copy.set_types(["timestamptz" if kind == "instant" else kind for kind in columns.values()])
        for row in rows:
            copy.write_row([row[name] for name in columns])


def _has_row(noun: str) -> Any:
    """Whether there is a row of this noun for an ending."""
    row = RenderRow if noun == "render" else FileRow
    e = EndingRow
    return exists().where(e.noun == noun, row.id == e.noun_id, row.user_id == e.user_id)


def _first_by(batch: _Batch, kind: type[Any], key: Callable[[Any], str]) -> dict[str, _Told]:
    """The events of a kind by the id of their row; of several for one row, the first."""
    first: dict[str, _Told] = {}
    for told in batch.by_kind.get(kind, ()):
        first.setdefault(key(told.event), told)
    return first


def _named(event: Event) -> Named:
    key = event.key_hash if isinstance(event, ApiCall) else None
    return Named(*(frozenset(() if name is None else (name,)) for name in (event.user_id, key)))


def _noun_id(event: Event) -> str | None:
    """The id that the event of a noun has unless it was given another."""
    match event:
        case FileStored():
            return id_for("file_stored", event.file_id)
        case Credits():
            return id_for("credits", event.transaction_id)
    return None


def _order(event: Event) -> tuple[datetime, str]:
    return event.occurred_at, event.id


def _utc_day(instant: datetime) -> date:
    # Nearly all of them say so themselves.
    return instant.date() if instant.tzinfo is UTC else instant.astimezone(UTC).date()


def _digest(line: bytes) -> str:
    return hashlib.blake2b(line, digest_size=16).hexdigest()


_encode = msgspec.json.Encoder().encode


def _json(value: Any) -> str:
    return _encode(value).decode()
