"""Bringing events from the spool into the database, again and again until it takes them.

One writer works for a folder at a time, whoever it is: a process that recorders start, a thread,
or `analytics spool drain`. A chunk of a segment is written, then the cursor is moved; where it is
killed in between, the next writer gives the same chunk again, which counts nothing twice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_random_exponential,
)

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.ingest import Ingested, IngestRepository
from analytics_core.errors import AnalyticsError, DatabaseUnavailable, SchemaMismatch
from analytics_core.settings import Settings
from analytics_core.telemetry.spool import Chunk, Drain, has_live_segments

_LONGEST_WAIT_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_FORGET_EVERY = timedelta(hours=1)
# Nobody records any more: the next recorder starts another.
_LINGER_SECONDS = 2.0
_STATUS = ".status"


class Trouble(msgspec.Struct, frozen=True):
    """Why the last writer cannot write, and since when it has tried."""

    error: str
    since: datetime


class Writer:
    """Writes the events of one spool into one database; `stop` ends it from another thread."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._folder, self._clock = database, folder, clock
        self._events = IngestRepository(database)
        self._stopped = threading.Event()
        self._checked = False
        self._forget_at = clock()
        self._trouble: Trouble | None = None

    @classmethod
    def open(cls, settings: Settings) -> Writer:
        database = Database(settings.database_url.get_secret_value())
        return cls(database, settings.spool_folder)

    def drain(self) -> Ingested | None:
        """Write what is there, waiting for the database as long as it takes, or until `stop`.

        None where another writer is at it. Raises `SpoolUnavailable`.
        """
        with Drain.alone(self._folder) as drain:
            return None if drain is None else self._drain(drain)

    def follow(self, *, while_used: bool = False) -> None:
        """Write what comes until `stop`; with `while_used`, as long as somebody records."""
        used_at = time.monotonic()
        while not self._stopped.is_set():
            with Drain.alone(self._folder) as drain:
                while drain and not self._stopped.is_set():
                    written = self._drain(drain)
                    if written != Ingested() or has_live_segments(self._folder):
                        used_at = time.monotonic()
                    elif while_used and time.monotonic() - used_at > _LINGER_SECONDS:
                        return
                    if written == Ingested():
                        self._stopped.wait(_LOOK_SECONDS)
            if while_used:
                # The other writer follows too.
                return
            self._stopped.wait(1)

    def stop(self) -> None:
        """Give up waiting; what is not written stays in the spool."""
        self._stopped.set()

    def close(self) -> None:
        self.stop()
        self._database.close()

    def _drain(self, drain: Drain) -> Ingested:
        done = Ingested()
        # A server has time for one while the next is being read; SQLite has one writer.
        at_once = 2 if self._database.dialect == "postgresql" else 1
        chunks = drain.chunks()
        under_way: deque[tuple[Chunk, Future[Ingested | None]]] = deque()
        with ThreadPoolExecutor(at_once) as hands:
            while True:
                while len(under_way) < at_once and (chunk := next(chunks, None)):
                    under_way.append((chunk, hands.submit(self._write, chunk)))
                if not under_way:
                    break
                # In their order, so that the cursor never passes what is not committed.
                chunk, result = under_way.popleft()
                written = result.result()
                if written is None:
                    break
                drain.done(chunk)
                done += written
        drain.remove_finished()
        if self._clock() >= self._forget_at and done != Ingested():
            self._forget_at = self._clock() + _FORGET_EVERY
            self._events.forget(self._clock())
        return done

    def _write(self, chunk: Chunk) -> Ingested | None:
        """One chunk, however long it takes; None when stopped."""
        retrying = Retrying(
            sleep=sleep_using_event(self._stopped),
            stop=stop_when_event_set(self._stopped),
            wait=wait_random_exponential(multiplier=0.05, max=_LONGEST_WAIT_SECONDS),
            retry=retry_if_exception_type((DatabaseUnavailable, SchemaMismatch)),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            written = retrying(self._write_once, chunk)
        except (DatabaseUnavailable, SchemaMismatch):
            return None
        if self._trouble is not None:
            self._trouble = None
            (self._folder / _STATUS).unlink(missing_ok=True)
        return written

    def _write_once(self, chunk: Chunk) -> Ingested:
        if not self._checked:
            schema.check(self._database)
            self._checked = True
        return self._events.ingest(chunk.lines, self._clock(), damaged=chunk.damaged)

    def _tell(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        since = self._trouble.since if self._trouble else self._clock()
        self._trouble = Trouble(" ".join(str(error).split()), since)
        hidden = self._folder / f"{_STATUS}.new"
        try:
            hidden.write_bytes(msgspec.json.encode(self._trouble))
            hidden.replace(self._folder / _STATUS)
        except OSError:
            # The disk that has no room for the events has none for the complaint.
            return


def read_trouble(folder: Path) -> Trouble | None:
    """What keeps the writer from writing, if anything does."""
    try:
        return msgspec.json.decode((folder / _STATUS).read_bytes(), type=Trouble)
    except (OSError, msgspec.DecodeError):
        return None


def start_writer(settings: Settings) -> subprocess.Popen[bytes]:
    """A process that writes as long as somebody records; it outlives the one that starts it."""
    return subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", __name__],
        env={**_environment(), **settings.to_environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        # Whoever waits for the output of the process that records shall not wait for this one.
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ANALYTICS_")}


def main() -> int:
    """The process that `start_writer` starts."""
    writer = Writer.open(Settings.read())
    try:
        writer.follow(while_used=True)
    except AnalyticsError:
        return 1
    finally:
        writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
