"""A thousand reports by one command: what is open, running and held after them, and left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.faults import role
from tests.benchmarks.measurement import Measurement, beside
from tests.benchmarks.processes import VARIABLE, marked
from tests.support.command import analytics

MEMORY = "leaks: memory of the last of 1,000 reports"
OPEN = "leaks: processes, files and sockets open at the last of 1,000 reports"
LEFT = "leaks: processes and files left behind by 1,000 reports"
# `make bench ONLY=leaks LEAK_REPORTS=200` for fewer.
REPORTS = int(os.environ.get("LEAK_REPORTS", "1000"))
WORKERS = 2
# As many at the beginning, when everything has been used once, and at the end are looked at.
_LOOKED_AT = REPORTS // 10
_PAUSE = 0.2
# What a heap grows by with each report and without a leak, at the most, in bytes: it has gaps. What
# is smaller than this is not seen here.
_GAPS = 3000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Held:
    """What processes hold: bytes that are no file's, and files and sockets that are open."""

    memory: int
    open: int


# By the processes' ids.
Look = dict[int, Held]


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`, one after the other."""
    wanted = [name for name in (MEMORY, OPEN, LEFT) if only.lower() in name.lower()]
    if not wanted:
        return
    home = folder / "leaks"
    home.mkdir()
    url = f"sqlite:///{home / 'usage.db'}"
    many = ("--users", str(REPORTS), "--renders", str(REPORTS * 20))
    for command in (("init",), ("demo-data", *many)):
        analytics(*command, database_url=url).check_returncode()
    say(f"{REPORTS:,} reports by two workers")
    first, last, left = _looked_at(url, home, say)
    early_on, late = _least(first), _least(last)
    early = f"reports {_LOOKED_AT // 2} to {_LOOKED_AT * 3 // 2}"
    if MEMORY in wanted:
        most = (early_on.memory + _GAPS * (REPORTS - 2 * _LOOKED_AT)) / 1e6
        yield beside(
            MEMORY,
            late.memory / 1e6,
            "MB",
            early,
            early_on.memory / 1e6,
            len(last),
            target=round(most, 1),
        )
    if OPEN in wanted:
        yield beside(OPEN, late.open, "open", early, early_on.open, len(last), target=early_on.open)
    if LEFT in wanted:
        yield beside(LEFT, float(left), "left", "nothing", 0.0, REPORTS, target=0.0)


def _least(looks: list[Look]) -> Held:
    """What those processes that were there all the time held at the least, each by itself.

    Kernels come and go, and their workers have sockets for them.
    """
    stayed = _stayed(looks)
    of_each = [[look[process] for look in looks] for process in stayed]
    return Held(
        memory=sum(min(held.memory for held in one) for one in of_each),
        open=len(stayed) + sum(min(held.open for held in one) for one in of_each),
    )


def _stayed(looks: list[Look]) -> set[int]:
    return set.intersection(*map(set, looks))


def _looked_at(url: str, home: Path, say: Say) -> tuple[list[Look], list[Look], int]:
    """What was held early and late, and how much was left when the command had ended."""
    temporary, runtime, made = (home / name for name in ("tmp", "runtime", "made"))
    for path in (temporary, runtime, made):
        path.mkdir(mode=0o700)
    mark = str(temporary)
    environment = {
        **os.environ,
        "ANALYTICS_DATABASE_URL": url,
        "JUPYTER_RUNTIME_DIR": str(runtime),
        VARIABLE: mark,
    }
    asked = ("--everyone", "--period", "30d", "--workers", str(WORKERS), "--output", str(made))
    first: list[Look] = []
    last: list[Look] = []
    start = time.perf_counter()
    with (home / "log").open("w") as log:
        command = subprocess.Popen(
            [sys.executable, "-m", "analytics_core.cli", "report", *asked],
            env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            while command.poll() is None:
                done = sum(1 for file in made.iterdir() if file.suffix == ".html")
                if _LOOKED_AT // 2 <= done < _LOOKED_AT * 3 // 2:
                    first.append(_held(mark))
                # Until one of the workers has nothing left to do.
                elif REPORTS - _LOOKED_AT <= done < REPORTS - WORKERS:
                    last.append(_held(mark))
                time.sleep(_PAUSE)
        finally:
            command.kill()
            command.wait()
    taken = time.perf_counter() - start
    if command.returncode or not first or not last:
        raise AssertionError((home / "log").read_text())
    if not _stayed(first) <= _stayed(last):
        raise AssertionError("a worker ended, and what it had held is not in what the last held")
    say(f"{REPORTS / taken:.1f} reports a second, {len(first) + len(last)} looks at what is open")
    time.sleep(1.0)
    # The preloaded process waits for the next command; its socket and lock are where it answers.
    running = [process for process in marked(mark) if role(process) != "preloaded"]
    files = [
        file
        for folder in (temporary, runtime)
        for file in folder.rglob("*")
        if not file.is_dir() and "nursery" not in file.parts
    ]
    for thing in (*running, *files):
        say(f"left behind: {thing}")
    left = len(running) + len(files)
    for process in marked(mark):
        process.kill()
    return first, last, left


def _held(mark: str) -> Look:
    return {process.id: Held(process.anonymous, process.open_files) for process in marked(mark)}
