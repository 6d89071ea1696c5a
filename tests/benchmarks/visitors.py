"""Many visitors at once: what each further one holds, forty held open, forty plain HTTP clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from threading import Barrier
from urllib.request import urlopen

from playwright.async_api import Error

from tests.benchmarks.browsing import Visit, browser, visit
from tests.benchmarks.measurement import Measurement, beside, percentile
from tests.benchmarks.processes import pss, wait_until_idle
from tests.benchmarks.rivals.sites import OURS, TABS, VOILA, Data, Running, Say, fill, serving

MEMORY = "visitors: memory of each further one"
HELD = "visitors: first chart of 40 held open, 95th percentile"
ERRORS = "visitors: errors of 40 held open"
PLAIN = "visitors: last byte of the first SVG, 40 HTTP clients at once, slowest"
FURTHER = 8
MANY = 40
_LONGEST = 300.0
_TWO_READY = {"ANALYTICS_WARM_KERNELS": "2", "ANALYTICS_MOST_WARM_KERNELS": "2"}
# Not an icon, nor a card's small line.
CHART = b'<path class="mark line"'
# What this harness forbids the browser to ask others for is nobody's error.
_FORBIDDEN = "ERR_NAME_NOT_RESOLVED"


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`, one after the other."""
    names = (MEMORY, HELD, ERRORS, PLAIN)
    wanted = [name for name in names if only.lower() in name.lower()]
    if not wanted:
        return
    home = folder / "visitors"
    home.mkdir()
    data = fill(home, say)
    if MEMORY in wanted:
        yield _memory(data, home, say)
    if HELD in wanted or ERRORS in wanted:
        for one in _held_open(data, home, say):
            if one.name in wanted:
                yield one
    if PLAIN in wanted:
        yield _plain(data, home, say)


def _memory(data: Data, folder: Path, say: Say) -> Measurement:
    """Proportional memory of all processes of a server, of nine visitors less that of one."""
    say(f"{FURTHER} visitors beside one, each having opened every tab")
    each = {}
    for site in (OURS, VOILA):
        with serving(site, data, folder, **_TWO_READY) as server:
            each[site] = asyncio.run(_held(server, data))
        say(f"{site.name}: {each[site]:.1f} MB")
    return beside(MEMORY, each[OURS], "MB", VOILA.name, each[VOILA], FURTHER, target=30.0)


async def _held(server: Running, data: Data) -> float:
    async with browser() as opened, AsyncExitStack() as stack:
        sizes = []
        for visitors in (1, FURTHER):
            for _ in range(visitors):
                seen = await stack.enter_async_context(visit(opened, server, data))
                await seen.open()
                await _look_around(seen)
            # Ready kernels belong to no visitor yet, and as many are counted both times.
            await asyncio.to_thread(wait_until_idle, server.mark)
            sizes.append(pss(server.mark))
        return (sizes[1] - sizes[0]) / FURTHER / 1e6


async def _look_around(seen: Visit) -> None:
    for tab in (*TABS[1:], TABS[0]):
        await seen.open_tab(tab)


def _held_open(data: Data, folder: Path, say: Say) -> Iterator[Measurement]:
    say(f"{MANY} visitors, one arriving each second, each opening every tab, all staying")
    late, wrong = {}, {}
    for site in (OURS, VOILA):
        with serving(site, data, folder) as server:
            firsts, errors = asyncio.run(_arriving(server, data))
        late[site], wrong[site] = percentile(firsts, 95), errors
        say(f"{site.name}: median {median(firsts):,.0f} ms, {len(errors)} errors")
        for error in dict.fromkeys(errors):
            say(f"  {errors.count(error)} times {error}")
    yield beside(HELD, late[OURS], "ms", VOILA.name, late[VOILA], MANY, target=1_500.0)
    ours, stock = (float(len(wrong[site])) for site in (OURS, VOILA))
    yield beside(ERRORS, ours, "errors", VOILA.name, stock, MANY, target=0.0)


async def _arriving(server: Running, data: Data) -> tuple[list[float], list[str]]:
    """When each visitor saw a chart; one that never did counts as long as was waited for it."""
    errors: list[str] = []
    async with browser() as opened, AsyncExitStack() as stack:

        async def stay(after: float) -> float:
            await asyncio.sleep(after)
            seen = await stack.enter_async_context(visit(opened, server, data))
            first = _LONGEST * 1000
            try:
                async with asyncio.timeout(_LONGEST):
                    first = await seen.open()
                    await _look_around(seen)
            except (Error, TimeoutError) as missed:
                errors.append(str(missed) or "nothing to see")
            errors.extend(error for error in seen.errors if _FORBIDDEN not in error)
            return first

        firsts = await asyncio.gather(*(stay(float(n)) for n in range(MANY)))
    return firsts, errors


def _plain(data: Data, folder: Path, say: Say) -> Measurement:
    say(f"{MANY} HTTP clients at once")
    slowest = {}
    for site in (OURS, VOILA):
        with serving(site, data, folder) as server:
            # Nothing is imported before the first visitor of all.
            _download(server, Barrier(1))
            wait_until_idle(server.mark)
            with ThreadPoolExecutor(MANY) as clients:
                taken = list(clients.map(_download, [server] * MANY, [Barrier(MANY)] * MANY))
        drawn = [svg for svg, _ in taken if svg is not None]
        slowest[site] = max(drawn) if len(drawn) == MANY else max(whole for _, whole in taken)
        if len(drawn) < MANY:
            say(f"{site.name}: an SVG for {len(drawn)} of {MANY}; the page's last byte counts")
    return beside(PLAIN, slowest[OURS], "ms", VOILA.name, slowest[VOILA], MANY, target=1_500.0)


def _download(server: Running, together: Barrier) -> tuple[float | None, float]:
    """Milliseconds to the last byte of the first chart's SVG, if there is one, and of the page.

    A page that never ends, as stock Voila's whose kernel is silent, counts as long as was waited.
    """
    together.wait()
    start = time.perf_counter()
    body, svg = b"", None
    with urlopen(server.link, timeout=_LONGEST) as answer:
        while time.perf_counter() - start < _LONGEST and (block := answer.read1(65_536)):
            body += block
            if svg is None and (chart := body.find(CHART)) >= 0 and b"</svg>" in body[chart:]:
                svg = (time.perf_counter() - start) * 1000
    return svg, (time.perf_counter() - start) * 1000
