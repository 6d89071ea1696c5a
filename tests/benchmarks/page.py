"""The page in a cold browser: its first chart, when it answers, and how fast ranges change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.benchmarks.browsing import browser, visit
from tests.benchmarks.measurement import Measurement, beside, percentile
from tests.benchmarks.processes import wait_until_idle
from tests.benchmarks.rivals.sites import (
    OURS,
    PERIODS,
    RIVALS,
    VOILA,
    Data,
    Running,
    Say,
    Site,
    fill,
    serving,
)

RUNS = 10
CHANGES = 33
FIRST = "page: first chart, cold browser"
ANSWERS = "page: fully interactive, cold browser"
RANGE = "range change: new marks on screen, 95th percentile"
# In milliseconds, and how many times better than stock.
TARGETS = {FIRST: (400.0, 10.0), ANSWERS: (1_500.0, None), RANGE: (150.0, None)}
_OTHER = "7d"


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`, one after the other."""
    wanted = [name for name in (FIRST, ANSWERS, RANGE) if only.lower() in name.lower()]
    if not wanted:
        return
    home = folder / "page"
    home.mkdir()
    data = fill(home, say)
    if FIRST in wanted or ANSWERS in wanted:
        for one in _opened(data, home, say):
            if one.name.startswith(tuple(wanted)):
                yield one
    if RANGE in wanted:
        yield _changed(data, home, say)


def _opened(data: Data, folder: Path, say: Say) -> Iterator[Measurement]:
    sites = (OURS, VOILA, *RIVALS)
    say(f"{RUNS} visits of each, in turns: {', '.join(site.name for site in sites)}")
    taken: dict[Site, list[tuple[float, float]]] = {site: [] for site in sites}
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(site, data, folder)) for site in sites]
        for server in servers:
            # The first visitor of all finds nothing imported, in any of them.
            asyncio.run(_visited(server, data))
        for _ in range(RUNS):
            for server in servers:
                wait_until_idle(server.mark)
                taken[server.site].append(asyncio.run(_visited(server, data)))
    for name, times in (
        (FIRST, {site: [first for first, _ in pairs] for site, pairs in taken.items()}),
        (ANSWERS, {site: [answers for _, answers in pairs] for site, pairs in taken.items()}),
    ):
        for site in sites[1:]:
            say(f"{name}, {site.name}: {', '.join(f'{time:,.0f}' for time in times[site])}")
        say(f"{name}, ours: {', '.join(f'{time:,.0f}' for time in times[OURS])}")
        for site in sites[1:]:
            target, ratio = TARGETS[name]
            yield beside(
                name,
                median(times[OURS]),
                "ms",
                site.name,
                median(times[site]),
                RUNS,
                target=target,
                target_ratio=ratio if site is VOILA else 1.0 if name == FIRST else None,
            )


async def _visited(server: Running, data: Data) -> tuple[float, float]:
    """First chart and answer of one visit with a new browser, in milliseconds."""
    async with browser() as opened, visit(opened, server, data) as seen:
        first = await seen.open()
        return first, await seen.answers(PERIODS[_OTHER], _OTHER)


def _changed(data: Data, folder: Path, say: Say) -> Measurement:
    say(f"{CHANGES} changes of range on one page, ours and stock Voila's")
    times = {}
    for site in (OURS, VOILA):
        with serving(site, data, folder) as server:
            times[site] = asyncio.run(_ranges(server, data))
        say(f"{site.name}: median {median(times[site]):,.0f} ms, slowest {max(times[site]):,.0f}")
    ours, stock = (percentile(times[site], 95) for site in (OURS, VOILA))
    target, ratio = TARGETS[RANGE]
    return beside(RANGE, ours, "ms", VOILA.name, stock, CHANGES, target=target, target_ratio=ratio)


async def _ranges(server: Running, data: Data) -> Sequence[float]:
    async with browser() as opened, visit(opened, server, data) as seen:
        await seen.open()
        await seen.answers(PERIODS[_OTHER], _OTHER)
        # The page goes on loading what it did not need first.
        await asyncio.sleep(2)
        periods = [period for period in PERIODS if period != _OTHER] + [_OTHER]
        taken = []
        for n in range(CHANGES):
            period = periods[n % len(periods)]
            taken.append(await seen.change(PERIODS[period], period))
            # As somebody who looks at what they asked for.
            await asyncio.sleep(0.5)
        return taken
