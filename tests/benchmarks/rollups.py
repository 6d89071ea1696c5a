"""The whole page's data of a typical and of the largest user, with rollups and without them.

100,000 users; the largest has 200,000 renders in the 30 days asked for. The 10 million renders are
measured beside the 1 million, in one run, where they are asked for by name (`make bench ONLY='10
million'`): loading them takes minutes.
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

from sqlalchemy import text

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.demo import DemoShape, load
from analytics_core.dal.repositories import Repositories
from analytics_core.model.daterange import DateRange, Preset
from analytics_core.model.results import Statistics
from analytics_core.services.statistics import StatisticsService
from analytics_core.services.window import Window
from tests.benchmarks.measurement import Measurement, compared
from tests.benchmarks.one_user import EMAIL, NOW, SERVER_SETTINGS, ZONE, Say
from tests.support import rows
from tests.support.postgres import PostgresServer, running_server
from tests.support.rollups import assert_same

_USERS, _LARGEST = 100_000, 200_000
_SIZES = {"1 million": 1_000_000, "10 million": 10_000_000}
_MEGABYTE = 2**20


def measure(only: str, _folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`; the largest by their name alone."""
    with_large = "10 million" in only.lower()
    if not with_large and only.lower() not in "rollups, 1 million renders":
        return
    with running_server(SERVER_SETTINGS) as server:
        small = _Filled.of(server, "1 million", say)
        yield small.memory
        yield from small.pages(say)
        if with_large:
            large = _Filled.of(server, "10 million", say)
            yield large.memory
            yield from large.pages(say)
            # In turns, as any two that are compared.
            yield large.largest_beside(small)


@dataclass(frozen=True)
class _Filled:
    """A database of so many renders, with rollups, and rows that came since."""

    size: str
    url: str
    typical: str
    memory: Measurement

    @classmethod
    def of(cls, server: PostgresServer, size: str, say: Say) -> _Filled:
        shape = DemoShape(
            users=_USERS,
            renders=_SIZES[size],
            seed=1,
            now=NOW,
            first_users_last_30_days=_LARGEST,
        )
        url = server.create_database()
        say(f"{shape.renders:,} renders of {_USERS:,} users into postgresql")
        started = time.perf_counter()
        with closing(Database(url, create=True)) as database:
            schema.upgrade(database)
            load(database, shape)
            say(f"loaded in {time.perf_counter() - started:,.0f} s")
            typical = _typical(database)
            mara = database.rows(text(f"SELECT id FROM users WHERE email = '{EMAIL}'"))[0][0]
        memory = _refreshed(
            f"rollups, {size} renders: memory of the first refresh", server, url, say
        )
        # What came since the refresh is read from the rows, as on any day.
        _work_on(url, [str(mara), typical])
        return cls(size, url, typical, memory)

    def pages(self, say: Say) -> Iterator[Measurement]:
        for name, user in (("a typical user", self.typical), ("the largest user", EMAIL)):
            with _Page(self.url, user) as page:
                say(f"{name} has {page.renders:,} renders in the range")
                assert_same(page.data(), page.from_rows())
                yield compared(
                    f"rollups, {self.size} renders: page of {name}",
                    *(page.data, "the same from rows", page.from_rows),
                )

    def largest_beside(self, other: _Filled) -> Measurement:
        with _Page(self.url, EMAIL) as ours, _Page(other.url, EMAIL) as theirs:
            return compared(
                f"rollups, {self.size} renders: the largest user beside {other.size}",
                *(ours.data, f"the same page at {other.size}", theirs.data),
            )


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


class _Page:
    """The last 30 days of one user, as a page asks for them and as the rows tell them."""

    def __init__(self, url: str, user: str) -> None:
        self._workspace = Workspace(
            Settings.read(database_url=url), Scope.everyone(), clock=lambda: NOW
        )
        dates = DateRange.preset(Preset.MONTH, self._workspace.today(ZONE), ZONE)
        assert dates is not None
        self._dates = dates
        self._scope = Scope.user(self._workspace.find_user(user).id)
        repositories = Repositories.of(self._workspace.database, self._workspace._catalog, None)
        side_by_side = self._workspace._side_by_side
        self._direct = StatisticsService(repositories, side_by_side, lambda: NOW)

    def data(self) -> Statistics:
        return self._workspace.get_analytics_data(self._scope, self._dates, zone=ZONE.key).current

    def from_rows(self) -> Statistics:
        return self._direct.collect(self._scope, Window(self._dates), compare=False).current

    @property
    def renders(self) -> int:
        return self.data().renders.total

    def __enter__(self) -> _Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._workspace.close()


def _refreshed(name: str, server: PostgresServer, url: str, say: Say) -> Measurement:
    """The most memory that a refresh takes: its own process and what the server takes for it."""
    before, own, servers = _memory_of_server(server), 0, 0
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "analytics_core.cli", "rollup", "refresh"],
        env={**os.environ, "ANALYTICS_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None:
        # The system keeps the peak itself; what it counts after the end is its parent's too.
        own = max(own, _bytes_of(Path(f"/proc/{process.pid}/status"), "VmHWM:"))
        servers = max(servers, _memory_of_server(server) - before)
        time.sleep(0.05)
    took = time.perf_counter() - started
    said = process.stdout.read().strip() if process.stdout else ""
    assert process.returncode == 0
    say(f"{said} In {took:,.1f} s.")
    megabytes = (own + servers) / _MEGABYTE
    say(f"{own / _MEGABYTE:,.0f} MB resident in its own process")
    say(f"{servers / _MEGABYTE:,.0f} MB more in the server")
    return Measurement(
        name=name,
        value=round(megabytes, 1),
        unit="MB",
        baseline=500.0,
        baseline_name="the most it may take",
        ratio=round(500 / megabytes, 2),
        runs=1,
    )


def _memory_of_server(server: PostgresServer) -> int:
    """Bytes that the processes of a server have, shared buffers aside."""
    # Its sockets are in the folder of its data.
    first = (server.sockets / "postmaster.pid").read_text().split()[0]
    return sum(
        _bytes_of(process / "smaps_rollup", "Pss_Anon:")
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and _parent_of(process) == first
    )


def _parent_of(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def _bytes_of(file: Path, name: str) -> int:
    """What the system says of a process under this name; 0 where it has gone."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
