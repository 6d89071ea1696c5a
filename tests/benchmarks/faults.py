"""Kill what stands behind the page, at random and under load: does every visitor get one again?"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from playwright.async_api import Browser, Error

from tests.benchmarks.browsing import Visit, browser, visit
from tests.benchmarks.measurement import Measurement, beside
from tests.benchmarks.processes import Process, marked
from tests.benchmarks.rivals.sites import (
    OURS,
    PERIODS,
    VOILA,
    Data,
    Running,
    Say,
    fill,
    serving,
)

AGAIN = "faults: until a page works again, median"
WITHOUT = "faults: visitors left without a page, and orphans"
# `make bench ONLY=faults FAULT_SECONDS=60` for less; stock Voila is measured for a fifth of it.
SECONDS = float(os.environ.get("FAULT_SECONDS", "300"))
VISITORS = 4
# Between two kills, in seconds.
_PAUSE = (2.0, 6.0)
# A range that is not there by then is not coming.
_PATIENCE = 8.0
_LONGEST = 60.0


@dataclass
class Course:
    """What happened to the visitors of one server."""

    kills: dict[str, int] = field(default_factory=dict)
    changes: int = 0
    again: list[float] = field(default_factory=list)
    without: int = 0
    orphans: list[str] = field(default_factory=list)


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`, one after the other."""
    wanted = [name for name in (AGAIN, WITHOUT) if only.lower() in name.lower()]
    if not wanted:
        return
    home = folder / "faults"
    home.mkdir()
    data = fill(home, say)
    courses = {}
    for site, seconds in ((OURS, SECONDS), (VOILA, SECONDS / 5)):
        say(f"{site.name}: kills for {seconds:,.0f} s while {VISITORS} visitors change ranges")
        with serving(site, data, home) as server:
            course = asyncio.run(_under_fire(server, data, seconds))
            course.orphans = [
                f"{process.id} of {process.parent}, {process.threads} threads: {process.command}"
                for process in server.stop()
                if role(process) != "preloaded"
            ]
        courses[site] = course
        kills = ", ".join(f"{number} of {what}" for what, number in course.kills.items())
        for orphan in course.orphans:
            say(f"outlived its server: {orphan}")
        say(
            f"{kills} killed; {course.changes} ranges shown, {len(course.again)} pages opened anew,"
            f" slowest after {max(course.again, default=0):,.0f} ms; {course.without} without a"
            f" page, {len(course.orphans)} orphans"
        )
    ours, stock = courses[OURS], courses[VOILA]
    if AGAIN in wanted:
        times = (median(course.again or [0.0]) for course in (ours, stock))
        mine, theirs = times
        yield beside(AGAIN, mine, "ms", VOILA.name, theirs, len(ours.again))
    if WITHOUT in wanted:
        lost, others = (float(course.without + len(course.orphans)) for course in (ours, stock))
        runs = sum(ours.kills.values())
        yield beside(WITHOUT, lost, "lost", VOILA.name, others, runs, target=0.0)


def role(process: Process) -> str | None:
    """What a process of a server is for: `preloaded`, `kernel`, or None for the server itself."""
    if "analytics_core.kernels.nursery" in process.command:
        # A fork keeps the command of what it was forked from, which has one thread alone.
        return "preloaded" if process.threads == 1 else "kernel"
    return "kernel" if "ipykernel_launcher" in process.command else None


async def _under_fire(server: Running, data: Data, seconds: float) -> Course:
    course, chance = Course(), random.Random(1)
    until = time.monotonic() + seconds
    async with browser() as opened:
        visitors = [
            asyncio.create_task(_stay(opened, server, data, course, random.Random(n), until))
            for n in range(VISITORS)
        ]
        while time.monotonic() < until:
            await asyncio.sleep(chance.uniform(*_PAUSE))
            _kill_one(server, chance, course)
        await asyncio.gather(*visitors)
    return course


def _kill_one(server: Running, chance: random.Random, course: Course) -> None:
    found: dict[str, list[Process]] = {}
    for process in marked(server.mark):
        if what := role(process):
            found.setdefault(what, []).append(process)
    if found:
        what = chance.choice(sorted(found))
        chance.choice(found[what]).kill()
        course.kills[what] = course.kills.get(what, 0) + 1


async def _stay(
    opened: Browser,
    server: Running,
    data: Data,
    course: Course,
    chance: random.Random,
    until: float,
) -> None:
    """Change ranges until the end, opening the page anew where it does not answer any more."""
    async with visit(opened, server, data) as seen:
        works = await _opens(seen)
        lost_since = time.monotonic()
        # Also after the last kill: whoever has no page then must get one.
        while time.monotonic() < until or (not works and time.monotonic() < until + _LONGEST):
            if not works:
                works = await _opens(seen)
                if works:
                    course.again.append((time.monotonic() - lost_since) * 1000)
                continue
            label = chance.choice(list(PERIODS))
            asked = time.monotonic()
            if await _changes(seen, label):
                course.changes += 1
                await asyncio.sleep(chance.uniform(0.2, 1.0))
            else:
                works, lost_since = False, asked
        course.without += not works


async def _opens(seen: Visit) -> bool:
    try:
        async with asyncio.timeout(_LONGEST / 2):
            await seen.open()
    except (Error, TimeoutError):
        return False
    return True


async def _changes(seen: Visit, period: str) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await seen.change(PERIODS[period], period)
    except (Error, TimeoutError):
        return False
    return True
