"""What the middleware costs: each request, and a route that works for a millisecond."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import fastapi
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder
from analytics_core.telemetry.middleware import ASGIApiCalls, call
from tests.benchmarks.measurement import Measurement
from tests.support import rows

CPU = "middleware, CPU of each request"
RATE = "middleware, route of 1 ms"
REQUESTS, ROUNDS = 200, 41
ROUTE_REQUESTS, ROUTE_ROUNDS = 100, 25
TARGET_MICROSECONDS, TARGET_SHARE = 15.0, 0.05
KEY = "rk_live_0123456789abcdef0123456789abcdef"
HEADERS = [
    (name.encode(), value.encode())
    for name, value in {
        "host": "api.example.com",
        "user-agent": "SketchUp/2026 (plugin)",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "connection": "keep-alive",
        "content-type": "application/json",
        "content-length": "0",
        "authorization": f"Bearer {KEY}",
        "x-source-platform": "sketchup",
        "x-plugin-version": "2.4.0",
    }.items()
]

Say = Callable[[str], None]


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`, one after the other."""
    wanted = [name for name in (CPU, RATE) if only.lower() in name.lower()]
    if not wanted:
        return
    url = f"sqlite:///{folder / 'middleware.db'}"
    with closing(Database(url, create=True)) as database:
        schema.upgrade(database)
    key = rows.key("mara", key_hash=call.sha256_hex(KEY.encode()))
    rows.insert(url, [rows.user("mara"), key])
    with Recorder(Settings.read(database_url=url, spool=folder / "middleware")) as recorder:
        if CPU in wanted:
            yield asyncio.run(_cpu(recorder, say))
        if RATE in wanted:
            yield asyncio.run(_rate(recorder, say))


async def _cpu(recorder: Recorder, say: Say) -> Measurement:
    """CPU of this process beyond that of the same application without, the writer being another."""
    say(f"{ROUNDS} rounds of {REQUESTS} requests, without and with it, in turns")
    plain = _product(0.0)
    exporter = {
        "tracer_provider": TracerProvider(),
        "meter_provider": MeterProvider([InMemoryMetricReader()]),
    }
    ways = [plain, ASGIApiCalls(plain, recorder), OpenTelemetryMiddleware(plain, **exporter)]
    spent = await _in_turns(ways, REQUESTS, ROUNDS, time.process_time)
    # Differences within a round: what else the machine does is the same for all of it.
    ours, theirs = (
        median(with_it - without for with_it, without in zip(times, spent[0], strict=True)) * 1e6
        for times in spent[1:]
    )
    say(f"target: at most {TARGET_MICROSECONDS} µs, {_met(ours <= TARGET_MICROSECONDS)}")
    return Measurement(
        name=CPU,
        value=round(ours, 2),
        unit="µs",
        baseline=round(theirs, 2),
        baseline_name="OpenTelemetry's ASGI middleware",
        ratio=round(theirs / ours, 2),
        runs=ROUNDS,
    )


async def _rate(recorder: Recorder, say: Say) -> Measurement:
    """Requests a second of a route that burns a millisecond of CPU."""
    say(f"{ROUTE_ROUNDS} rounds of {ROUTE_REQUESTS} requests to a route of 1 ms, in turns")
    plain = _product(0.001)
    ways = [plain, ASGIApiCalls(plain, recorder)]
    without, with_it = (
        1 / median(times)
        for times in await _in_turns(ways, ROUTE_REQUESTS, ROUTE_ROUNDS, time.perf_counter)
    )
    off = 1 - with_it / without
    say(f"{off:.1%} off; target: at most {TARGET_SHARE:.0%}, {_met(off <= TARGET_SHARE)}")
    return Measurement(
        name=RATE,
        value=round(with_it, 1),
        unit="/s",
        baseline=round(without, 1),
        baseline_name="the same route without",
        ratio=round(with_it / without, 3),
        runs=ROUTE_ROUNDS,
    )


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _product(seconds: float) -> Any:
    app = fastapi.FastAPI()

    @app.post("/v1/renders/{render_id}")
    async def render(render_id: int) -> dict[str, int]:
        # CPU of this thread, so that what is measured with a clock is work and not waiting.
        end = time.thread_time() + seconds
        while seconds and time.thread_time() < end:
            pass
        return {"id": render_id}

    return app


async def _in_turns(
    ways: list[Any], requests: int, rounds: int, clock: Callable[[], float]
) -> list[list[float]]:
    """Seconds of one request by each way, for each round; the first, a warm-up, is left out."""
    spent: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds + 1):
        for times, app in zip(spent, ways, strict=True):
            start = clock()
            for n in range(requests):
                await app(_scope(n), _receive, _send)
            times.append((clock() - start) / requests)
    return [times[1:] for times in spent]


def _scope(n: int) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": f"/v1/renders/{n}",
        "raw_path": b"/v1/renders/%d" % n,
        "query_string": b"",
        "root_path": "",
        "headers": HEADERS,
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Any) -> None:
    """Take it, as a server would, and send nothing."""
