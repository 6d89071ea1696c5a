"""What a product calls while things happen: each call puts one event into the spool and returns."""

from __future__ import annotations

import atexit
import logging
import math
import os
import random
import re
import subprocess
import threading
import time
import weakref
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import json

from analytics_core.errors import AnalyticsError, ReadOnlyDatabase, SpoolFull, SpoolUnavailable
from analytics_core.model.event import REMEMBERED, id_for, line_of
from analytics_core.settings import Settings
from analytics_core.telemetry.spool import Spool, has_drain
from analytics_core.telemetry.writer import Writer, start_writer

_log = logging.getLogger(__name__)

# A product's clock may be a little ahead of ours.
AHEAD = timedelta(days=1)
AT_EXIT_SECONDS = 5.0
_LOOK_SECONDS = 0.01
_COMPLAIN_SECONDS = 10.0
_KEEPER_SECONDS, _KEEPER_REST_SECONDS = 0.2, 5.0

# Ids as random as UUIDs, without a system call for each. A product may seed the generator that
# everybody shares; a forked process must not repeat its parent's.
_ids = random.Random()  # noqa: S311 - they need to differ, not to be secret
os.register_at_fork(after_in_child=_ids.seed)

_encoder = json.Encoder()
# The beginning of a call's line: what is another at each, as the encoder would write it.
_CALL = b'{"kind":"api_call","id":"%032x","occurred_at":"%b.%06dZ","duration":%r,'
# A NUL as JSON has it: behind a backslash of its own, the same signs are text.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_ABOUT = (
    *("user_id", "method", "route", "status_code"),
    *("platform", "plugin_version", "key_hash"),
)

WriterKind: TypeAlias = Literal["process", "thread"] | None


class Refused(Exception):
    """Why an event is not recorded; `reason` is one of a few, for counting."""

    def __init__(self, reason: str, problem: str) -> None:
        self.reason = reason
        super().__init__(problem)


def check_time(at: datetime, now: datetime) -> None:
    """Refuse what happened when its id is no longer remembered, or has not happened yet."""
    if not now - REMEMBERED < at < now + AHEAD:
        raise Refused("too old" if at < now else "in the future", f"occurred_at is {at}")


def check_text(line: bytes) -> None:
    """Refuse what no database takes as text."""
    if b"\\u0000" in line and _NUL.search(line):
        raise Refused("invalid", "a text holds a NUL character")


class Recorder:
    """Records what users do; safe to share between threads, and across a fork.

    Each method returns at once, never raises and never waits for the database. True means
    acknowledged: the event is in the spool's file and outlives this process. False means refused:
    the reason is counted in `refused` and told in the log. Without `occurred_at` it is now.

    An event has an id, by which it counts once however often it is told. Where the thing it is
    about has an id, the event's is made from that, and a retry needs the same `occurred_at`: the
    same id with other content is refused by the writer and reported. Else give `event_id` where a
    call may be repeated.

    `writer` says who brings events into the database: a process of its own, of which there is one
    for a spool whatever the number of recorders; a thread of this process; or None, somebody
    else's. Raises `ReadOnlyDatabase` where the settings name a product's own database.
    """

    def __init__(self, settings: Settings, *, writer: WriterKind = "process") -> None:
        if settings.profile is not None:
            raise ReadOnlyDatabase(
                "ANALYTICS_PROFILE names a product's own database, where nothing is recorded:"
                " unset it, with ANALYTICS_DATABASE_URL at the workspace's own"
            )
        self.settings = settings
        self.spool = Spool(settings.spool_folder, settings.spool_limit)
        self.refused: Counter[str] = Counter()
        self._complained = 0.0
        # The second of the last call and how it is written.
        self._second = -1, b""
        self._closed = False
        self._keeper = _Keeper(settings, self.spool, writer)
        _recorders.add(self)

    @classmethod
    def open(cls, settings: Settings | None = None, *, writer: WriterKind = "process") -> Recorder:
        """A recorder for these settings, or those of the environment."""
        return cls(settings or Settings.read(), writer=writer)

    @property
    def folder(self) -> Path:
        return self.spool.folder

    def render_created(
        self,
        user_id: str,
        *,
        render_id: str,
        type: str,
        status: str = "pending",
        quality: str | None = None,
        platform: str = "web",
        source_platform: str | None = None,
        plugin_version: str | None = None,
        project_id: str | None = None,
        credits_cost: int = 0,
        processing_time: float | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> bool:
        """A render was asked for; `processing_time` in seconds where it is done already."""
        return self._record(
            "render_created",
            event_id,
            render_id,
            occurred_at,
            {
                "user_id": user_id,
                "render_id": render_id,
                "type": type,
                "status": status,
                "quality": quality,
                "platform": platform,
                "source_platform": source_platform,
                "plugin_version": plugin_version,
                "project_id": project_id,
                "credits_cost": credits_cost,
                "processing_time": processing_time,
            },
        )

    def render_finished(
        self,
        user_id: str,
        *,
        render_id: str,
        status: str,
        processing_time: float | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> bool:
        """A render came to its end, `completed` or `failed`, after so many seconds."""
        return self._record(
            "render_finished",
            event_id,
            render_id,
            occurred_at,
            {
                "user_id": user_id,
                "render_id": render_id,
                "status": status,
                "processing_time": processing_time,
            },
        )

    def api_call(
        self,
        user_id: str | None,
        *,
        method: str,
        route: str,
        status_code: int,
        duration: float,
        platform: str | None = None,
        plugin_version: str | None = None,
        key_hash: str | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> bool:
        """A call was answered; `route` is the template, `duration` in seconds.

        Without `user_id` the writer finds the user of the key that `key_hash` is the hash of.
        """
        if occurred_at is None and event_id is None and type(duration) is float:
            like = self.calls_like(
                user_id,
                method=method,
                route=route,
                status_code=status_code,
                platform=platform,
                plugin_version=plugin_version,
                key_hash=key_hash,
            )
            return like is not None and self.another_call(like, duration)
        return self._record(
            "api_call",
            event_id,
            None,
            occurred_at,
            {
                "user_id": user_id,
                "method": method,
                "route": route,
                "status_code": status_code,
                "duration": duration,
                "platform": platform,
                "plugin_version": plugin_version,
                "key_hash": key_hash,
            },
        )

    def calls_like(
        self,
        user_id: str | None,
        *,
        method: str,
        route: str,
        status_code: int,
        platform: str | None = None,
        plugin_version: str | None = None,
        key_hash: str | None = None,
    ) -> bytes | None:
        """What calls have in common, checked, for `another_call`; None where it is refused."""
        try:
            return _checked_call(
                (user_id, method, route, status_code, platform, plugin_version, key_hash)
            )
        except Exception as problem:
            self._refuse(problem)
            return None

    def another_call(self, like: bytes, duration: float) -> bool:
        """A call like those that `calls_like` was asked about was answered just now."""
        try:
            if not 0 <= duration < math.inf:
                raise Refused("invalid", f"duration is {duration}")
            second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
            known, text = self._second
            if second != known:
                text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
                self._second = second, text
            head = _CALL % (_ids.getrandbits(128), text, microsecond, duration)
            self.spool.append(head, like)
            self._keeper.look_after()
        except Exception as problem:
            self._refuse(problem)
            return False
        return True

    def file_stored(
        self,
        user_id: str,
        *,
        file_id: str,
        name: str,
        media_type: str,
        size: int,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> bool:
        """A file of so many bytes was stored."""
        return self._record(
            "file_stored",
            event_id,
            file_id,
            occurred_at,
            {
                "user_id": user_id,
                "file_id": file_id,
                "name": name,
                "media_type": media_type,
                "size": size,
            },
        )

    def file_deleted(
        self,
        user_id: str,
        *,
        file_id: str,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> bool:
        """A stored file is gone."""
        return self._record(
            "file_deleted",
            event_id,
            file_id,
            occurred_at,
            {"user_id": user_id, "file_id": file_id},
        )

    def credits(
        self,
        user_id: str,
        *,
        transaction_id: str,
        direction: str,
        amount: int,
        category: str,
        reference_id: str | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> bool:
        """The ledger got an entry: a `debit` or a `credit` of a positive amount."""
        return self._record(
            "credits",
            event_id,
            transaction_id,
            occurred_at,
            {
                "user_id": user_id,
                "transaction_id": transaction_id,
                "direction": direction,
                "amount": amount,
                "category": category,
                "reference_id": reference_id,
            },
        )

    def activity(
        self,
        user_id: str,
        *,
        event: str,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> bool:
        """The account did something: `signup`, `login`, `logout`, …"""
        return self._record(
            "activity", event_id, None, occurred_at, {"user_id": user_id, "event": event}
        )

    def append_many(self, lines: list[bytes]) -> None:
        """Put in the lines of events that were checked elsewhere, all or none.

        Unlike the rest, this raises: `SpoolFull` and `SpoolUnavailable`.
        """
        self.spool.append_many(lines)
        self._keeper.look_after()

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until the database has all that this process recorded before, or `timeout` seconds.

        Returns whether it has. Where it has not, the events are on the disk of this machine, unless
        the log says that they could not be brought there.
        """
        until = time.monotonic() + timeout
        position = self.spool.position()
        while not self.spool.is_drained(position):
            self._keeper.look_after(now=True)
            if time.monotonic() >= until:
                self._sync()
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def close(self, timeout: float | None = None) -> bool:
        """Flush for up to `timeout` seconds, or 5, and leave the rest to the next writer."""
        if self._closed:
            return True
        self._closed = True
        done = self.flush(AT_EXIT_SECONDS if timeout is None else timeout)
        self._keeper.stop()
        self.spool.close()
        return done

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(
        self,
        kind: str,
        event_id: str | None,
        noun_id: str | None,
        occurred_at: datetime | None,
        fields: dict[str, Any],
    ) -> bool:
        try:
            now = datetime.now(UTC)
            at = now if occurred_at is None else occurred_at
            if event_id is None:
                event_id = (
                    f"{_ids.getrandbits(128):032x}" if noun_id is None else id_for(kind, noun_id)
                )
            line = _checked({"kind": kind, "id": event_id, "occurred_at": at, **fields})
            check_time(at, now)
            self.spool.append(line)
            self._keeper.look_after()
        except Exception as problem:
            # Recording is never a reason for a product to fail, whatever the reason is.
            self._refuse(problem)
            return False
        return True

    def _refuse(self, problem: Exception) -> None:
        match problem:
            case Refused():
                reason = problem.reason
            case SpoolFull():
                reason = "spool full"
            case SpoolUnavailable():
                reason = "spool unavailable"
            case _:
                reason = "invalid"
        self.refused[reason] += 1
        # A product that does it wrong does so often: the log must not become the next problem.
        now = time.monotonic()
        if now - self._complained >= _COMPLAIN_SECONDS or not self._complained:
            self._complained = now
            line = " ".join(str(problem).split()) or type(problem).__name__
            _log.error("an event was refused: %s", line)

    def _sync(self) -> None:
        try:
            self.spool.sync()
        except AnalyticsError as problem:
            _log.error("%s", problem)


def _checked(fields: dict[str, Any]) -> bytes:
    """The line of an event; raises for one that could not be counted."""
    line = line_of(fields)
    check_text(line)
    return line


@lru_cache(maxsize=4096)
def _checked_call(about: tuple[Any, ...]) -> bytes:
    """The end of a call's line, which is the same for all of a user that went to one place."""
    fields = dict(zip(_ABOUT, about, strict=True))
    head = {"kind": "api_call", "id": "-", "occurred_at": datetime.now(UTC), "duration": 0.0}
    _checked({**head, **fields})
    return _encoder.encode(fields)[1:]


class _Keeper:
    """A thread that sees to it that somebody writes; started by the first event of a process."""

    def __init__(self, settings: Settings, spool: Spool, writer: WriterKind) -> None:
        self._settings, self._spool, self._kind = settings, spool, writer
        self._is_started = False
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._writer: Writer | None = None

    def look_after(self, *, now: bool = False) -> None:
        if not self._is_started and self._kind is not None:
            self._start()
        if now:
            self._wake.set()

    def _start(self) -> None:
        if self._stopped.is_set():
            return
        self._is_started = True
        threading.Thread(target=self._keep, name="analytics-recorder", daemon=True).start()

    def after_fork(self) -> None:
        """Forget, as the child, the parent's threads, of which it has none, and their flags."""
        self._is_started = False
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._writer = None

    def _keep(self) -> None:
        process: subprocess.Popen[bytes] | None = None
        while not self._stopped.is_set():
            try:
                if not self._spool.is_drained(self._spool.position()):
                    if self._kind == "thread":
                        self._writer = self._writer or Writer.open(self._settings)
                        self._writer.drain()
                    elif not has_drain(self._spool.folder) and (
                        process is None or process.poll() is not None
                    ):
                        process = start_writer(self._settings)
            except Exception as problem:
                _log.error("nobody brings events into the database: %s", problem)
                self._stopped.wait(_KEEPER_REST_SECONDS)
            self._wake.wait(_KEEPER_SECONDS)
            self._wake.clear()
        if process is not None:
            process.poll()

    def stop(self) -> None:
        self._stopped.set()
        if self._writer is not None:
            self._writer.close()


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _all_after_fork() -> None:
    for recorder in list(_recorders):
        recorder._keeper.after_fork()


os.register_at_fork(after_in_child=_all_after_fork)


@atexit.register
def _close_all() -> None:
    for recorder in list(_recorders):
        recorder.close()
