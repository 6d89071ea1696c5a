"""What the collector acknowledges, with the database and the writer on the same cores.

The load comes from wrk, which Debian has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.settings import Settings
from analytics_core.telemetry.health import read_health
from analytics_core.telemetry.writer import Writer
from tests.benchmarks.measurement import Measurement
from tests.benchmarks.recorder import SERVER_SETTINGS, USERS
from tests.support import rows
from tests.support.collecting import KEY, running_collector
from tests.support.postgres import running_server

ACKNOWLEDGED = "collector, events acknowledged durable, batches of 100"
SINGLE = "the same, each event in a request of its own"
BATCH, SECONDS, CONNECTIONS = 100, 15, 16
_SCRIPT = Path(__file__).with_suffix(".lua")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk was told: events, requests that failed, seconds, and milliseconds for a request."""

    acknowledged: int
    failed: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.acknowledged / self.seconds


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """The one measurement, if its name contains `only`."""
    if only.lower() not in ACKNOWLEDGED.lower():
        return
    if not shutil.which("wrk"):
        say("wrk is missing (Debian: apt-get install wrk): the collector is not measured")
        return
    with running_server(SERVER_SETTINGS) as server:
        url = server.create_database()
        with closing(Database(url, create=True)) as database:
            schema.upgrade(database)
        rows.insert(url, [rows.user(f"u{n}") for n in range(USERS)])
        settings = Settings.read(database_url=url, spool=folder / "collected")
        say(f"wrk, {CONNECTIONS} connections for {SECONDS} s of each, while a writer writes")
        with running_collector(url, settings.spool_folder) as collector:
            # Once unmeasured: the writer's process starts with the first event.
            warm_up = _load(collector.address, "warm", BATCH, 3)
            single = _load(collector.address, "single", 1, SECONDS)
            _drain(settings)
            before = _counted(url)
            batches = _load(collector.address, "batches", BATCH, SECONDS)
            meanwhile = _counted(url) - before
        _drain(settings)
        told = warm_up.acknowledged + single.acknowledged + batches.acknowledged
        _check(url, told, CONNECTIONS * (2 * BATCH + 1))
        say(
            f"{batches.acknowledged:,} acknowledged, half within {batches.p50:.0f} ms and 99 of 100"
            f" within {batches.p99:.0f} ms; {meanwhile:,} were in the database by then; at the end"
            " every one, once"
        )
    yield Measurement(
        name=ACKNOWLEDGED,
        value=round(batches.rate),
        unit="/s",
        baseline=round(single.rate),
        baseline_name=SINGLE,
        ratio=round(batches.rate / single.rate, 2),
        runs=1,
    )


def _load(address: str, run: str, batch: int, seconds: int) -> Load:
    done = subprocess.run(
        [
            "wrk",
            *("--threads", "1", "--connections", str(CONNECTIONS)),
            *("--duration", f"{seconds}s", "--timeout", "10s"),
            *("--script", str(_SCRIPT), address),
        ],
        env={**os.environ, "KEY": KEY, "USERS": str(USERS), "BATCH": str(batch), "RUN": run},
        check=True,
        capture_output=True,
        text=True,
    )
    found = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    load = Load(
        int(found["acknowledged"]),
        int(found["failed"]),
        *(float(found[name]) for name in ("seconds", "p50", "p99")),
    )
    if load.failed or not load.acknowledged:
        raise AssertionError(f"the collector did not take all of it: {done.stdout}")
    return load


def _drain(settings: Settings) -> None:
    """Wait until the collector's writer, or else this process, has written all there is."""
    with closing(Writer.open(settings)) as writer, closing(Database(_url(settings))) as database:
        while read_health(settings.spool_folder, database).waiting:
            writer.drain()
            time.sleep(0.1)


def _url(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


def _counted(url: str) -> int:
    with closing(Database(url)) as database:
        return int(database.rows(text("SELECT count(*) FROM api_calls"))[0][0])


def _check(url: str, acknowledged: int, unanswered: int) -> None:
    """Every event that was acknowledged is there once; wrk hangs up on what is under way."""
    there = _counted(url)
    with closing(Database(url)) as database:
        (counted,) = database.rows(text("SELECT sum(api_calls) FROM usage_tracking"))
    if not acknowledged <= there <= acknowledged + unanswered or counted[0] != there:
        raise AssertionError(f"{acknowledged} acknowledged, {there} there, {counted[0]} counted")
