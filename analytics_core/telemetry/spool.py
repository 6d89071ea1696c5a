"""Events on disk until the database has them: a folder of segment files, each filled once.

Every process fills a segment of its own, which it holds a lock on while it lives. A line is a
checksum, a space and the event's JSON. A segment is allocated whole and mapped into the process:
appending is a copy into pages that the system has, so a line that was acknowledged outlives the
process, and with `sync` the machine. What is not written yet is NUL, which no line holds: whoever
reads stops at the first one, and so sees each line in full or not at all. One writer at a time
reads segments from a cursor beside each, in order of their making; a segment whose process is gone
(its lock is free) is read to its end and removed. Nothing is queued in memory.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
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
from typing import BinaryIO

from analytics_core.errors import SpoolFull, SpoolUnavailable

MEBIBYTE = 2**20
DEFAULT_LIMIT = 1024 * MEBIBYTE
# Allocated for each process that records, however little it has to tell.
_SEGMENT = MEBIBYTE
_SUFFIX, _CURSOR_SUFFIX = ".events", ".done"
# Letters that a checksum has in hexadecimal, and the space behind it.
_PREFIX = 9
_BLANK = b"\0"
_NEWLINE = ord("\n")
_ENDS = re.compile(rb"[\n\0]")
# So much is read before it is known whether there is more.
_GLANCE = 4096
_FULL_FOR_SECONDS = 0.1


def framed(line: bytes, rest: bytes = b"") -> bytes:
    """A line as a segment holds it, but for its newline; it may come in two parts."""
    return b"%08x %b%b" % (zlib.crc32(rest, zlib.crc32(line)), line, rest)


def unframed(frame: bytes) -> bytes | None:
    """The line of a frame; None for one that is damaged."""
    line = frame[_PREFIX:]
    return line if frame[:_PREFIX] == b"%08x " % zlib.crc32(line) else None


class Spool:
    """The end of the spool that events go into; safe between threads and across a fork.

    Makes the folder when the first event comes. `limit` is in bytes, of the whole folder, counted
    whenever a segment is allocated.
    """

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT) -> None:
        self.folder, self.limit = folder, limit
        # A small limit needs small segments: what was read is only given back in whole ones.
        self._segment_bytes = max(min(_SEGMENT, limit // 8), 1)
        self._start_anew()
        _spools.add(self)

    def _start_anew(self) -> None:
        self._lock, self._sync_lock = threading.Lock(), threading.Lock()
        self._file: int | None = None
        self._map: mmap.mmap | None = None
        self._path = self.folder
        # How far the segment is filled, and how large it is.
        self._filled = self._room = 0
        self._full, self._full_until = "", 0.0
        self._written = self._synced = 0
        self._folder_synced = True
        # Segments of this process that are full but not known to be on the disk.
        self._unsynced: list[Path] = []
        # All that are over and how far each was filled, for `is_drained`.
        self._own: list[tuple[Path, int]] = []

    def make_folder(self) -> None:
        """Make the folder, in a way that outlives the machine; raises `SpoolUnavailable`."""
        missing = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in missing:
                _sync_path(path.parent)
        except OSError as refused:
            raise SpoolUnavailable(self.folder, refused.strerror or str(refused)) from refused

    def check_room(self) -> None:
        """Raise, as `append` would just now, without appending and without waiting for who does."""
        try:
            held = spool_bytes(self.folder)
            disk = os.statvfs(self.folder)
        except OSError as refused:
            raise SpoolUnavailable(self.folder, refused.strerror or str(refused)) from refused
        if held + self._segment_bytes > self.limit:
            raise SpoolFull(self.folder, f"it holds its {self.limit} bytes")
        if disk.f_bavail * disk.f_frsize < self._segment_bytes:
            raise SpoolFull(self.folder, "the disk is full")
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise SpoolUnavailable(self.folder, os.strerror(errno.EACCES))

    def append(self, line: bytes, rest: bytes = b"") -> None:
        """Put one event into the spool; it outlives this process once this returns.

        A line, which may come in two parts, holds neither newline nor NUL, as no JSON does. Raises
        `SpoolFull` and `SpoolUnavailable`.
        """
        frame = framed(line, rest)
        self._append(len(frame) + 1, (frame,))

    def append_many(self, lines: Iterable[bytes]) -> None:
        """Put several in; all are in or none is, unless the process dies. Raises as `append`."""
        frames = [framed(line) for line in lines]
        self._append(sum(map(len, frames)) + len(frames), frames)

    def _append(self, size: int, frames: Iterable[bytes]) -> None:
        with self._lock:
            start = self._filled
            segment = self._map
            if segment is None or start + size > self._room:
                segment = self._open_segment(size)
                start = 0
            # First, so that nothing is ever put over what a writer may have read.
            self._filled = start + size
            for frame in frames:
                # A copy has no order, and a process may die in it: without its newline, which
                # comes by itself and last, what there is then is half a line.
                end = start + len(frame)
                segment[start:end] = frame
                segment[end] = _NEWLINE
                start = end + 1
            self._written += 1

    def _open_segment(self, size: int) -> mmap.mmap:
        """Go on in a new segment that has room for so much."""
        now = time.monotonic()
        if now < self._full_until:
            raise SpoolFull(self.folder, self._full)
        self._close_segment()
        room = max(self._segment_bytes, size)
        # Names sort in the order of their making.
        name = f"{time.time_ns():020}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        hidden, path = self.folder / f".{name}", self.folder / name
        self.make_folder()
        try:
            self._full = ""
            if spool_bytes(self.folder) + room > self.limit:
                self._full = f"it holds its {self.limit} bytes"
            else:
                self._file, self._map = _allocated(hidden, path, room)
        except OSError as refused:
            if refused.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise SpoolUnavailable(self.folder, refused.strerror or str(refused)) from refused
            self._full = "the disk is full"
        if self._full or self._map is None:
            self._full_until = now + _FULL_FOR_SECONDS
            raise SpoolFull(self.folder, self._full)
        self._path, self._filled, self._room = path, 0, room
        self._own = [(path, size) for path, size in self._own if path.exists()]
        self._folder_synced = False
        return self._map

    def _close_segment(self) -> None:
        if self._file is None or self._map is None:
            return
        if self._synced < self._written:
            self._unsynced.append(self._path)
        self._own.append((self._path, self._filled))
        self._map.close()
        # Room that is not given back now is when the segment is removed.
        with suppress(OSError):
            os.ftruncate(self._file, self._filled)
        os.close(self._file)
        self._file = self._map = None

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
            if self._file is None:
                return [*self._own]
            return [*self._own, (self._path, self._filled)]

    def is_drained(self, position: list[tuple[Path, int]]) -> bool:
        """Whether a writer has committed all that lies before a position."""
        return all(read_cursor(path) >= size or not path.exists() for path, size in position)

    def close(self) -> None:
        """Let go of the segment, which any writer may then finish."""
        with self._lock:
            self._close_segment()

    def _after_fork(self) -> None:
        # The lock belongs to the parent; closing the child's copy leaves it held.
        if self._file is not None and self._map is not None:
            self._map.close()
            os.close(self._file)
        self._start_anew()


def _allocated(hidden: Path, path: Path, size: int) -> tuple[int, mmap.mmap]:
    """A new file that is locked and has its room on the disk, and where it is mapped."""
    file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        # Locked before it can be found: an unlocked one is taken for a dead process's.
        fcntl.flock(file, fcntl.LOCK_EX)
        # A disk that is full is so here. Met by a copy into the map, it would end the process.
        os.posix_fallocate(file, 0, size)
        mapped = mmap.mmap(file, size)
        hidden.rename(path)
    except BaseException:
        os.close(file)
        hidden.unlink(missing_ok=True)
        raise
    return file, mapped


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
            block = file.read(min(_GLANCE, size))
            if _BLANK not in block:
                block += file.read(size - len(block))
            while block and not _ENDS.search(block) and (more := file.read(size)):
                block += more
            whole = _whole_lines(block.partition(_BLANK)[0])
            if not whole and not _is_held(file):
                # Nobody fills the gap any more, if there is one: what lies behind it is read too.
                file.seek(start)
                whole = _whole_lines(file.read())
            if whole:
                lines, damaged = [], []
                for frame in _frames(whole):
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
            if _is_held(file):
                return
            file.seek(read_cursor(segment))
            # Half a line is what a process died over; nobody was told that it is there.
            if b"\n" not in file.read():
                segment.unlink()
                _cursor_of(segment).unlink(missing_ok=True)


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first."""
    return sorted(folder.glob(f"[0-9]*{_SUFFIX}"))


def waiting(folder: Path) -> Iterator[bytes]:
    """The lines that the database does not have yet, oldest segment first; damaged ones too."""
    for segment in segments(folder):
        with suppress(FileNotFoundError), segment.open("rb") as file:
            file.seek(read_cursor(segment))
            for block in file:
                if block.endswith(b"\n"):
                    for frame in _frames(block):
                        yield unframed(frame) or frame[_PREFIX:]


def has_live_segments(folder: Path) -> bool:
    """Whether a process lives that may still append."""
    for segment in segments(folder):
        with suppress(FileNotFoundError), segment.open("rb") as file:
            if _is_held(file):
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


def _frames(block: bytes) -> list[bytes]:
    return [frame for frame in block.replace(_BLANK, b"\n").split(b"\n") if frame]


def _whole_lines(block: bytes) -> bytes:
    return block[: block.rfind(b"\n") + 1]


def _is_held(segment: BinaryIO) -> bool:
    """Whether a segment belongs to a living process; else it is nobody's until it is closed."""
    try:
        fcntl.flock(segment, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


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
