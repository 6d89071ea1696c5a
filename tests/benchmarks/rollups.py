"""The whole page's data of a typical and of the largest user, with rollups and without them.

100,000 users; the largest has 200,000 renders in the 30 days asked for. The 10 million renders are
measured where they are asked for by name (`make bench ONLY='10 million'`): loading them takes
minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.demo import DemoShape, load
from analytics_core.dal.repositories import Repositories
from analytics_core.model.daterange import DateRange, Preset
from analytics_core.services.statistics import StatisticsService
from analytics_core.services.window import Window
from tests.benchmarks.measurement import Measurement, compared
from tests.benchmarks.one_user import EMAIL, NOW, SERVER_SETTINGS, ZONE, Say
from tests.support import rows
from tests.support.postgres import running_server
from tests.support.rollups import assert_same

_USERS, _LARGEST = 100_000, 200_000
_SIZES = {"1 million": 1_000_000, "10 million": 10_000_000}
_MEGABYTE = 2**20


def measure(only: str, _folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`."""
    for size, renders in _SIZES.items():
        asked_by_name = "10 million" in only
        if only.lower() in f"rollups, {size} renders" and (size == "1 million" or asked_by_name):
            yield from _at(size, renders, say)


def _at(size: str, renders: int, say: Say) -> Iterator[Measurement]:
    shape = DemoShape(
        users=_USERS, renders=renders, seed=1, now=NOW, first_users_last_30_days=_LARGEST
    )
    with running_server(SERVER_SETTINGS) as server:
        url = server.create_database()
        say(f"{renders:,} renders of {_USERS:,} users into postgresql")
        started = time.perf_counter()
        with closing(Database(url, create=True)) as database:
            schema.upgrade(database)
            load(database, shape)
            say(f"loaded in {time.perf_counter() - started:,.0f} s")
            typical = _typical(database)
        yield _refreshed(f"rollups, {size} renders: memory of the first refresh", url, say)
        # What came since the refresh is read from the rows, as on any day.
        with closing(Database(url)) as database:
            mara = database.rows(text(f"SELECT id FROM users WHERE email = '{EMAIL}'"))[0][0]
            _work_on(url, [str(mara), typical])
        for name, user in (("a typical user", typical), ("the largest user", EMAIL)):
            yield _page(f"rollups, {size} renders: page of {name}", url, user)


def _typical(database: Database) -> str:
    """The user in the middle, by number of renders."""
    middle = (
        "SELECT user_id FROM (SELECT user_id, count(*) AS n FROM renders GROUP BY user_id) AS c"
        " ORDER BY n, user_id OFFSET (SELECT count(DISTINCT user_id) / 2 FROM renders) LIMIT 1"
    )
    return str(database.rows(text(middle))[0][0])


def _work_on(url: str, users: list[str]) -> None:
    at = [NOW - timedelta(minutes=n) for n in range(100)]
    rows.insert(url, (rows.render(user, moment) for user in users for moment in at))


def _page(name: str, url: str, user: str) -> Measurement:
    with Workspace(
        Settings.read(database_url=url), Scope.everyone(), clock=lambda: NOW
    ) as workspace:
        dates = DateRange.preset(Preset.MONTH, workspace.today(ZONE), ZONE)
        assert dates is not None
        scope = Scope.user(workspace.find_user(user).id)

        def ours() -> Any:
            return workspace.get_analytics_data(scope, dates, zone=ZONE.key).current

        repositories = Repositories.of(workspace.database, workspace._catalog, None)
        direct = StatisticsService(repositories, workspace._side_by_side, lambda: NOW)

        def from_rows() -> Any:
            return direct.collect(scope, Window(dates), compare=False).current

        assert_same(ours(), from_rows())
        return compared(name, ours, "the same from rows", from_rows)


def _refreshed(name: str, url: str, say: Say) -> Measurement:
    """The most memory that a refresh takes: its own process and what the server takes for it."""
    before, peak = _memory_of_server(), Peak()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "analytics_core.cli", "rollup", "refresh"],
        env={**os.environ, "ANALYTICS_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None:
        peak.client = max(peak.client, _memory_of(Path(f"/proc/{process.pid}")))
        peak.server = max(peak.server, _memory_of_server() - before)
        time.sleep(0.05)
    took = time.perf_counter() - started
    said = process.stdout.read().strip() if process.stdout else ""
    assert process.returncode == 0
    say(f"{said} In {took:,.1f} s.")
    client, server = peak.client / _MEGABYTE, peak.server / _MEGABYTE
    say(f"{client:,.0f} MB in its own process, {server:,.0f} MB in the server")
    return Measurement(
        name=name,
        value=round(client + server, 1),
        unit="MB",
        baseline=500.0,
        baseline_name="the most it may take",
        ratio=round(500 / (client + server), 2),
        runs=1,
    )


@dataclass
class Peak:
    """The most bytes that were seen."""

    client: int = 0
    server: int = 0


def _memory_of_server() -> int:
    """Bytes that the processes of all PostgreSQL servers here have, shared buffers aside."""
    return sum(
        _memory_of(process)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and _name_of(process) == "postgres"
    )


def _name_of(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return ""


def _memory_of(process: Path) -> int:
    """Bytes of a process that are not of files or shared memory; 0 where it has gone."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:"))
