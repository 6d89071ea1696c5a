"""Events on disk until the database has them: a folder of append-only segment files.

Every process appends to a segment of its own, which it holds a lock on while it lives. A line is a
checksum, a space and the event's JSON; appending one is a single `write`, so a line that was
acknowledged outlives the process, and with `sync` the machine. One writer at a time reads segments
from a cursor beside each, in order of their making; a segment whose process is gone (its lock is
free) is read to its end and removed. Nothing is queued in memory.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from analytics_core.errors import SpoolFull, SpoolUnavailable

MEBIBYTE = 2**20
DEFAULT_LIMIT = 1024 * MEBIBYTE
_SEGMENT = 8 * MEBIBYTE
_SUFFIX, _CURSOR_SUFFIX = ".events", ".done"
# Letters that a checksum has in hexadecimal, and the space behind it.
_PREFIX = 9
_FULL_FOR_SECONDS = 0.1


def framed(line: bytes) -> bytes:
    """A line as a segment holds it."""
    return b"%08x %b\n" % (zlib.crc32(line), line)


def unframed(frame: bytes) -> bytes | None:
    """The line of a frame without its newline; None for one that is damaged."""
    line = frame[_PREFIX:]
    return line if frame[:_PREFIX] == b"%08x " % zlib.crc32(line) else None


class Spool:
    """The end of the spool that events go into; safe between threads and across a fork.

    Makes the folder when the first event comes. `limit` is in bytes, of the whole folder; it may be
    overstepped by a little, because it is not counted at every call.
    """

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT) -> None:
        self.folder, self.limit = folder, limit
        # A small limit needs small segments: what was read is only given back in whole ones.
        self._segment_bytes = max(min(_SEGMENT, limit // 8), 1)
        self._count_every = max(min(MEBIBYTE, limit // 16), 1)
        self._start_anew()
        _spools.add(self)

    def _start_anew(self) -> None:
        self._lock, self._sync_lock = threading.Lock(), threading.Lock()
        self._file: int | None = None
        self._path = self.folder
        self._size = 0
        self._uncounted = self._count_every
        self._full_until = 0.0
        self._written = self._synced = 0
        self._folder_synced = True
        # Segments of this process that are full but not known to be on the disk.
        self._unsynced: list[Path] = []
        # All of its segments, for `is_drained`.
        self._own: list[Path] = []

    def append(self, line: bytes) -> None:
        """Put one event into the spool; it outlives this process once this returns.

        Raises `SpoolFull` and `SpoolUnavailable`.
        """
        self._append(framed(line))

    def append_many(self, lines: Iterable[bytes]) -> None:
        """Put several in with one write; all are in or none is. Raises as `append` does."""
        self._append(b"".join(map(framed, lines)))

    def _append(self, frames: bytes) -> None:
        size = len(frames)
        with self._lock:
            if self._uncounted >= self._count_every:
                self._count(size)
            file = self._file
            if file is None or self._size >= self._segment_bytes:
                file = self._open_segment()
            try:
                written = os.write(file, frames)
            except OSError as refused:
                raise SpoolUnavailable(self.folder, refused.strerror or str(refused)) from refused
            if written != size:
                # The disk is full. What follows half a line must not become part of it.
                self._take_back(file, written)
                raise SpoolFull(self.folder, "the disk is full")
            self._size += size
            self._uncounted += size
            self._written += 1

    def _take_back(self, file: int, written: int) -> None:
        try:
            os.ftruncate(file, self._size)
        except OSError:
            self._size += written
            self._close_segment()

    def _count(self, size: int) -> None:
        """Look how large the folder is; raises `SpoolFull` where it is too large."""
        now = time.monotonic()
        if now >= self._full_until:
            self._full_until = 0.0
            try:
                held = spool_bytes(self.folder)
            except OSError as refused:
                raise SpoolUnavailable(self.folder, refused.strerror or str(refused)) from refused
            if held + size > self.limit:
                self._full_until = now + _FULL_FOR_SECONDS
        if self._full_until:
            raise SpoolFull(self.folder, f"it holds its {self.limit} bytes")
        self._uncounted = 0

    def _open_segment(self) -> int:
        self._close_segment()
        # Names sort in the order of their making.
        name = f"{time.time_ns():020}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        hidden, path = self.folder / f".{name}", self.folder / name
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(hidden, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            # Locked before it can be found: an unlocked one is taken for a dead process's.
            fcntl.flock(file, fcntl.LOCK_EX)
            hidden.rename(path)
        except OSError as refused:
            raise SpoolUnavailable(self.folder, refused.strerror or str(refused)) from refused
        self._file, self._path, self._size = file, path, 0
        self._own = [*filter(Path.exists, self._own), path]
        self._folder_synced = False
        return file

    def _close_segment(self) -> None:
        if self._file is None:
            return
        if self._synced < self._written:
            self._unsynced.append(self._path)
        os.close(self._file)
        self._file = None

    def sync(self) -> None:
        """Return when all that was appended before is on the disk; threads share the waiting."""
        with self._lock:
            wanted = self._written
        with self._sync_lock:
            if self._synced >= wanted:
                return
            with self._lock:
                reached, full = self._written, self._unsynced
                self._unsynced = []
                file = None if self._file is None else os.dup(self._file)
                folder_synced, self._folder_synced = self._folder_synced, True
            try:
                try:
                    for path in full:
                        _sync_path(path)
                    if file is not None:
                        os.fdatasync(file)
                    if not folder_synced:
                        _sync_path(self.folder)
                finally:
                    if file is not None:
                        os.close(file)
            except OSError as refused:
                with self._lock:
                    self._unsynced += full
                    self._folder_synced = False
                raise SpoolUnavailable(self.folder, refused.strerror or str(refused)) from refused
            self._synced = reached

    def position(self) -> list[tuple[Path, int]]:
        """Where this process's events end: its segments, and how far each is filled."""
        with self._lock:
            filled = []
            for path in self._own:
                with suppress(FileNotFoundError):
                    filled.append((path, path.stat().st_size))
            return filled

    def is_drained(self, position: list[tuple[Path, int]]) -> bool:
        """Whether a writer has committed all that lies before a position."""
        return all(read_cursor(path) >= size or not path.exists() for path, size in position)

    def close(self) -> None:
        """Let go of the segment, which any writer may then finish."""
        with self._lock:
            self._close_segment()

    def _after_fork(self) -> None:
        # The lock belongs to the parent; closing the child's copy leaves it held.
        if self._file is not None:
            os.close(self._file)
        self._start_anew()


_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


def _all_after_fork() -> None:
    for spool in list(_spools):
        spool._after_fork()


os.register_at_fork(after_in_child=_all_after_fork)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part of a segment: its good lines, what was damaged, and where the cursor goes next."""

    segment: Path
    lines: list[bytes]
    damaged: list[bytes]
    end: int


class Drain:
    """The end of the spool that events come out of; one at a time for a folder."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder, self._lock = folder, lock

    @classmethod
    @contextmanager
    def alone(cls, folder: Path) -> Iterator[Drain | None]:
        """The only drain of a folder; None while another process or thread has it."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(folder / ".writer", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as refused:
            raise SpoolUnavailable(folder, refused.strerror or str(refused)) from refused
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield cls(folder, lock)
        finally:
            os.close(lock)

    def chunks(self, size: int = MEBIBYTE) -> Iterator[Chunk]:
        """What is there to be written, oldest segment first, about `size` bytes at a time.

        Say `done` for each, in their order: the cursor is where the next reading begins.
        """
        for segment in segments(self.folder):
            start = read_cursor(segment)
            while chunk := self._read(segment, start, size):
                yield chunk
                start = chunk.end
            self._remove_if_over(segment)

    def remove_finished(self) -> None:
        """Remove the segments that are over, after the last `done`."""
        for segment in segments(self.folder):
            self._remove_if_over(segment)

    @staticmethod
    def _read(segment: Path, start: int, size: int) -> Chunk | None:
        with suppress(FileNotFoundError), segment.open("rb") as file:
            file.seek(start)
            block = file.read(size)
            while block and b"\n" not in block and (more := file.read(size)):
                block += more
            whole = block[: block.rfind(b"\n") + 1]
            if whole:
                lines, damaged = [], []
                for frame in whole[:-1].split(b"\n"):
                    line = unframed(frame)
                    if line is None:
                        damaged.append(frame)
                    else:
                        lines.append(line)
                return Chunk(segment, lines, damaged, start + len(whole))
        return None

    @staticmethod
    def done(chunk: Chunk) -> None:
        """Move the cursor behind a chunk, once the database has it."""
        cursor = _cursor_of(chunk.segment)
        with suppress(FileNotFoundError):
            file = os.open(cursor, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(file, b"%020d\n" % chunk.end, 0)
            finally:
                os.close(file)

    @staticmethod
    def _remove_if_over(segment: Path) -> None:
        """Remove a segment that is read to its end and belongs to no living process."""
        with suppress(FileNotFoundError), segment.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            file.seek(read_cursor(segment))
            # Half a line is what a process died over; nobody was told that it is there.
            if b"\n" not in file.read():
                segment.unlink()
                _cursor_of(segment).unlink(missing_ok=True)


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first."""
    return sorted(folder.glob(f"[0-9]*{_SUFFIX}"))


def has_live_segments(folder: Path) -> bool:
    """Whether a process lives that may still append."""
    for segment in segments(folder):
        with suppress(FileNotFoundError), segment.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def has_drain(folder: Path) -> bool:
    """Whether somebody drains the folder just now."""
    try:
        lock = os.open(folder / ".writer", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def read_cursor(segment: Path) -> int:
    """How far a segment is committed, in bytes; 0 where that is not known."""
    try:
        text = _cursor_of(segment).read_bytes()
    except OSError:
        return 0
    return int(text) if re.fullmatch(rb"\d{20}\n", text) else 0


def spool_bytes(folder: Path) -> int:
    """What the spool takes on the disk."""
    total = 0
    with suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            with suppress(FileNotFoundError):
                total += entry.stat().st_size
    return total


def _cursor_of(segment: Path) -> Path:
    return segment.with_suffix(_CURSOR_SUFFIX)


def _sync_path(path: Path) -> None:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        # Written to the database and removed meanwhile.
        return
    try:
        os.fsync(file)
    finally:
        os.close(file)
