"""What recording costs: the caller of it, and the database that takes it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import posthog
from sqlalchemy import text

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.model.event import ApiCall, to_json
from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder
from analytics_core.telemetry.spool import Spool
from analytics_core.telemetry.writer import Writer
from tests.benchmarks.measurement import Measurement
from tests.support import rows
from tests.support.postgres import running_server

CALLS = 50_000
EVENTS, UPSERTS = 150_000, 2_000
USERS = 100
POSTHOG, UPSERT = "PostHog's capture()", "one upsert per event"
MEDIAN = "Recorder call, median"
LATE = "Recorder call, 99th percentile"
DURABLE = "events made durable, PostgreSQL"
# As one_user, but for what makes a commit quick by making it unsafe: every one is flushed.
SERVER_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "synchronous_commit": "on"}

Say = Callable[[str], None]


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`, one after the other."""
    wanted = [name for name in (MEDIAN, LATE, DURABLE) if only.lower() in name.lower()]
    if not wanted:
        return
    with running_server(SERVER_SETTINGS) as server:
        url = server.create_database()
        with closing(Database(url, create=True)) as database:
            schema.upgrade(database)
        rows.insert(url, [rows.user(f"u{n}") for n in range(USERS)])
        if MEDIAN in wanted or LATE in wanted:
            for one in _calls(url, folder, say):
                if one.name in wanted:
                    yield one
        if DURABLE in wanted:
            yield _durable(url, folder, say)


def _calls(url: str, folder: Path, say: Say) -> Iterator[Measurement]:
    settings = Settings.read(database_url=url, spool=folder / "calls")
    say(f"{CALLS:,} calls of each, while a writer brings them into PostgreSQL")

    def ours(n: int) -> None:
        recorder.api_call(
            f"u{n % USERS}",
            method="POST",
            route="/v1/renders",
            status_code=201,
            duration=0.125,
            platform="sketchup",
            plugin_version="2.4.0",
        )

    def theirs(n: int) -> None:
        client.capture(
            "api_call",
            distinct_id=f"u{n % USERS}",
            properties={
                "method": "POST",
                "route": "/v1/renders",
                "status_code": 201,
                "duration": 0.125,
                "platform": "sketchup",
                "plugin_version": "2.4.0",
            },
        )

    # One after the other: the threads of either would disturb the calls of the other.
    with Recorder(settings) as recorder:
        own = _microseconds(ours)
    with _sink() as address:
        client = posthog.Posthog("phc_local", host=address, max_queue_size=10 * CALLS)
        other = _microseconds(theirs)
        client.shutdown()
    for name, share in ((MEDIAN, 0.5), (LATE, 0.99)):
        value, baseline = (times[int(share * len(times))] for times in (own, other))
        yield Measurement(
            name=name,
            value=round(value, 2),
            unit="µs",
            baseline=round(baseline, 2),
            baseline_name=POSTHOG,
            ratio=round(baseline / value, 2),
            runs=CALLS,
        )


def _microseconds(call: Callable[[int], None]) -> list[float]:
    """What each call took, one directly after the other, sorted."""
    taken = []
    for n in range(CALLS):
        start = time.perf_counter_ns()
        call(n)
        taken.append((time.perf_counter_ns() - start) / 1000)
    return sorted(taken)


class _Taking(BaseHTTPRequestHandler):
    """Takes all that is sent and keeps nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _sink() -> Iterator[str]:
    """The address of a server on this machine, in a process of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taking)
    process = multiprocessing.get_context("fork").Process(target=server.serve_forever)
    process.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        process.kill()
        process.join()
        server.server_close()


def _durable(url: str, folder: Path, say: Say) -> Measurement:
    """Events a second, from a full spool until the last of them is committed."""
    settings = Settings.read(database_url=url, spool=folder / "durable")
    say(f"{EVENTS:,} API calls out of a spool, {UPSERTS:,} by upserts")
    spool = Spool(settings.spool_folder)
    for n in range(EVENTS):
        spool.append(to_json(_call(n)))
    spool.close()
    with closing(Writer.open(settings)) as writer:
        start = time.perf_counter()
        done = writer.drain()
        seconds = time.perf_counter() - start
    if done is None or done.counted != EVENTS:
        raise AssertionError(f"{EVENTS} events were not counted: {done}")
    ours, theirs = EVENTS / seconds, _upserts(url)
    return Measurement(
        name=DURABLE,
        value=round(ours),
        unit="/s",
        baseline=round(theirs),
        baseline_name=UPSERT,
        ratio=round(ours / theirs, 2),
        runs=1,
    )


def _call(n: int, name: str = "event") -> ApiCall:
    return ApiCall(
        id=f"{name}{n:027}",
        user_id=f"u{n % USERS}",
        method="POST",
        route="/v1/renders",
        status_code=201,
        duration=0.125,
        platform="sketchup",
        plugin_version="2.4.0",
        occurred_at=datetime.now(UTC),
    )


def _upserts(url: str) -> float:
    """The same by the shortest way that counts each once: a row and an upsert, committed."""
    row = text(
        "INSERT INTO api_calls (id, user_id, method, route, status_code, duration_bucket, platform,"
        " plugin_version, occurred_at) VALUES (:id, :user_id, :method, :route, :status_code, 120,"
        " :platform, :plugin_version, :occurred_at) ON CONFLICT (id, occurred_at) DO NOTHING"
    )
    upsert = text(
        "INSERT INTO usage_tracking (user_id, date, api_calls) VALUES (:user_id, :date, 1)"
        " ON CONFLICT (user_id, date) DO UPDATE SET api_calls = usage_tracking.api_calls + 1"
    )
    names = ("id", "user_id", "method", "route", "status_code", "platform", "plugin_version")
    with closing(Database(url)) as database:
        start = time.perf_counter()
        for n in range(UPSERTS):
            call = _call(n, "upsert")
            values = {name: getattr(call, name) for name in names}
            with database.write() as transaction:
                if transaction.execute(row, {**values, "occurred_at": call.occurred_at}).rowcount:
                    day = {"user_id": call.user_id, "date": call.occurred_at.date()}
                    transaction.execute(upsert, day)
                transaction.commit()
        return UPSERTS / (time.perf_counter() - start)
