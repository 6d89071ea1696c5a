"""The processes of one server: whatever it started, however far away, and what they hold."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Where a server has its temporary files, a folder of its own: the mark of all that it starts. Of
# what could be set it is the one that a nursery, which is nobody's child, is given too.
VARIABLE = "TMPDIR"
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One that runs; `started` tells it from a later one with the same id."""

    id: int
    parent: int
    started: int
    threads: int
    command: str

    @property
    def pss(self) -> int:
        """Its proportional share of memory in bytes; 0 once it has ended."""
        return self._memory("Pss")

    @property
    def anonymous(self) -> int:
        """Its memory that is no file's in bytes, whoever shares it; 0 once it has ended."""
        return self._memory("Anonymous")

    def _memory(self, kind: str) -> int:
        try:
            lines = (_PROC / str(self.id) / "smaps_rollup").read_text().splitlines()
        except OSError:
            return 0
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))

    @property
    def open_files(self) -> int:
        """How many files, pipes and sockets it has open; none once it has ended."""
        try:
            return len(os.listdir(_PROC / str(self.id) / "fd"))
        except OSError:
            return 0

    @property
    def ticks(self) -> int:
        """The processor time it has used, in clock ticks."""
        found = _stat(self.id)
        return int(found[11]) + int(found[12]) if found else 0

    def kill(self) -> None:
        now = _stat(self.id)
        if now and int(now[19]) == self.started:
            os.kill(self.id, signal.SIGKILL)


def marked(mark: str) -> list[Process]:
    """Those that run with this mark in their environment, and their descendants."""
    running = list(_running())
    wanted = f"{VARIABLE}={mark}".encode()
    kept = {process.id for process in running if wanted in _environment(process.id)}
    grown = True
    while grown:
        found = {process.id for process in running if process.parent in kept} - kept
        kept |= found
        grown = bool(found)
    return [process for process in running if process.id in kept]


def pss(mark: str) -> int:
    return sum(process.pss for process in marked(mark))


def wait_until_idle(mark: str, most: float = 15.0) -> None:
    """Wait until a server has done what it does after a visit: ending kernels, filling pools."""
    until = time.monotonic() + most
    before = _ticks(mark)
    while time.monotonic() < until:
        time.sleep(0.5)
        after = _ticks(mark)
        # Below a twentieth of a core, and nothing came or went.
        if before.keys() == after.keys() and sum(after.values()) - sum(before.values()) <= 2:
            return
        before = after


def _ticks(mark: str) -> dict[int, int]:
    return {process.id: process.ticks for process in marked(mark)}


def _running() -> Iterator[Process]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (found := _stat(int(entry.name))) and found[0] != "Z":
            try:
                told = (entry / "cmdline").read_text(errors="replace")
            except OSError:
                continue
            numbers = (int(found[at]) for at in (1, 19, 17))
            yield Process(int(entry.name), *numbers, told.replace("\0", " ").strip())


def _stat(process: int) -> list[str] | None:
    """What follows the name in /proc/PID/stat; None once the process is gone."""
    try:
        told = (_PROC / str(process) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return told.rpartition(")")[2].split()


def _environment(process: int) -> list[bytes]:
    try:
        return (_PROC / str(process) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
