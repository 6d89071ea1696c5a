"""What a product calls while things happen: each call puts one event into the spool and returns."""

from __future__ import annotations

import atexit
import logging
import os
import random
import subprocess
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

from analytics_core.errors import AnalyticsError, ReadOnlyDatabase, SpoolFull, SpoolUnavailable
from analytics_core.model import event as events
from analytics_core.model.event import REMEMBERED, Event, from_json, id_for, to_json
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

WriterKind: TypeAlias = Literal["process", "thread"] | None


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

    def __init__(
        self,
        settings: Settings,
        *,
        writer: WriterKind = "process",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if settings.profile is not None:
            raise ReadOnlyDatabase(
                "ANALYTICS_PROFILE names a product's own database, where nothing is recorded:"
                " unset it, with ANALYTICS_DATABASE_URL at the workspace's own"
            )
        self.settings, self._clock = settings, clock
        self.spool = Spool(settings.spool_folder, settings.spool_limit)
        self.refused: Counter[str] = Counter()
        self._complained = 0.0
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
            events.RenderCreated,
            event_id,
            ("render_created", render_id),
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
            events.RenderFinished,
            event_id,
            ("render_finished", render_id),
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
        return self._record(
            events.ApiCall,
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
            events.FileStored,
            event_id,
            ("file_stored", file_id),
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
            events.FileDeleted,
            event_id,
            ("file_deleted", file_id),
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
            events.Credits,
            event_id,
            ("credits", transaction_id),
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
            events.Activity, event_id, None, occurred_at, {"user_id": user_id, "event": event}
        )

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
        kind: Callable[..., Event],
        event_id: str | None,
        noun: tuple[str, str] | None,
        occurred_at: datetime | None,
        fields: dict[str, Any],
    ) -> bool:
        try:
            now = self._clock()
            at = now if occurred_at is None else occurred_at
            if event_id is None:
                event_id = f"{_ids.getrandbits(128):032x}" if noun is None else id_for(*noun)
            # Reading back is the check: what is written can be read by every writer.
            line = to_json(kind(id=event_id, occurred_at=at, **fields))
            from_json(line)
            if not now - REMEMBERED < at < now + AHEAD:
                old = at < now
                raise _Refused("too old" if old else "in the future", f"occurred_at is {at}")
            if b"\\u0000" in line:
                raise _Refused("invalid", "a text holds a NUL character")
            self.spool.append(line)
            self._keeper.look_after()
        except Exception as problem:
            # Recording is never a reason for a product to fail, whatever the reason is.
            self._refuse(problem)
            return False
        return True

    def _refuse(self, problem: Exception) -> None:
        match problem:
            case _Refused():
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


class _Keeper:
    """A thread that sees to it that somebody writes; started by the first event of a process."""

    def __init__(self, settings: Settings, spool: Spool, writer: WriterKind) -> None:
        self._settings, self._spool, self._kind = settings, spool, writer
        self._pid = 0
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._writer: Writer | None = None

    def look_after(self, *, now: bool = False) -> None:
        if self._kind is not None and self._pid != os.getpid():
            self._start()
        if now:
            self._wake.set()

    def _start(self) -> None:
        if self._stopped.is_set():
            return
        # A forked child has the parent's flags and none of its threads.
        self._pid = os.getpid()
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._writer = None
        threading.Thread(target=self._keep, name="analytics-recorder", daemon=True).start()

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


class _Refused(Exception):
    def __init__(self, reason: str, problem: str) -> None:
        self.reason = reason
        super().__init__(problem)


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for recorder in list(_recorders):
        recorder.close()
