"""Whatever is killed or taken away, what was acknowledged is counted, and counted once.

Real processes: producers under load, a writer, and one that refreshes rollups, which are killed
while the database is stopped, locked, full or unwritable. CRASHES in the environment says how many
blows fall, CRASH_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from tests.support import rows
from tests.support.command import analytics
from tests.support.postgres import RestartableServer, restartable_server
from tests.support.producers import USERS
from tests.support.reference import ROOT
from tests.support.refresher import WORTH
from tests.support.rollups import refresh, verified
from tests.support.usage import differences

BLOWS = int(os.environ.get("CRASHES", "20"))
SEED = int(os.environ.get("CRASH_SEED", time.time_ns() % 2**32))
TABLES = ("renders", "credit_transactions", "files", "api_calls")


class Product:
    """Two producers and a writer on one spool, and who refreshes rollups; each is started again
    after it was killed.
    """

    def __init__(self, url: str, folder: Path, chance: random.Random) -> None:
        self.url, self.folder, self.chance = url, folder, chance
        self.log = folder / "acknowledged"
        self.environment = {
            **os.environ,
            "ANALYTICS_DATABASE_URL": url,
            "ANALYTICS_SPOOL": str(folder / "spool"),
            "PYTHONPATH": str(ROOT),
        }
        self.producers = [self._start_producer() for _ in range(2)]
        self.writer = self.start_writer()
        self.refresher = self._start_refresher()

    def _start_producer(self) -> subprocess.Popen[bytes]:
        seed = str(self.chance.randrange(2**32))
        return self._start("tests.support.producers", str(self.log), seed)

    def _start_refresher(self) -> subprocess.Popen[bytes]:
        return self._start("tests.support.refresher", self.url)

    def start_writer(self, most_bytes: int | None = None) -> subprocess.Popen[bytes]:
        """A writer; where asked for, one whose files cannot grow beyond a size."""

        def limit() -> None:
            if most_bytes is not None:
                # Else the signal would end the process, as no full disk does.
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

        return self._start("analytics_core.cli", "spool", "drain", "--follow", before=limit)

    def _start(
        self, module: str, *arguments: str, before: Callable[[], None] | None = None
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            preexec_fn=before,
        )

    def kill_writer(self, most_bytes: int | None = None) -> None:
        _kill(self.writer)
        self.writer = self.start_writer(most_bytes)

    def kill_refresher(self) -> None:
        _kill(self.refresher)
        self.refresher = self._start_refresher()

    def kill_producer(self) -> None:
        n = self.chance.randrange(len(self.producers))
        _kill(self.producers[n])
        self.producers[n] = self._start_producer()

    def acknowledged(self) -> list[tuple[str, str]]:
        # The last line may be half a line, where its producer was killed.
        lines = self.log.read_text().rpartition("\n")[0].splitlines()
        told = [tuple(line.split()) for line in lines]
        return [(pair[0], pair[1]) for pair in told if len(pair) == 2]

    def finish(self) -> None:
        """Stop producing, and let a writer have the time it needs."""
        for producer in self.producers:
            _kill(producer)
        _kill(self.writer)
        _kill(self.refresher)
        subprocess.run(
            [sys.executable, "-m", "analytics_core.cli", "spool", "drain"],
            env=self.environment,
            check=True,
            timeout=60,
            capture_output=True,
        )

    def kill_all(self) -> None:
        for process in (*self.producers, self.writer, self.refresher):
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()


@pytest.fixture
def chance() -> random.Random:
    return random.Random(SEED)


def prepare(url: str) -> None:
    with closing(Database(url, create=True)) as database:
        schema.upgrade(database)
    rows.insert(url, [rows.user(name) for name in USERS])


def assert_counted_once(product: Product) -> None:
    told = Counter(product.acknowledged())
    with closing(Database(product.url)) as database:
        there = {
            (table, id_)
            for table in TABLES
            for (id_,) in database.rows(text(f"SELECT id FROM {table}"))
        }
        assert len(told) > 500
        assert told.keys() - there == set()
        # A call that was killed before it returned may be there all the same, and whole.
        assert len(there) - len(told) <= BLOWS + 2
        assert differences(database) == []
        (sums,) = database.rows(
            text(
                "SELECT sum(renders_created), sum(credits_spent), sum(api_calls), sum(storage_used)"
                " FROM usage_tracking"
            )
        )
        by_table = Counter(table for table, _ in there)
        assert sums == (
            by_table["renders"],
            2 * by_table["credit_transactions"],
            by_table["api_calls"],
            10 * by_table["files"],
        )
        assert database.rows(text("SELECT count(*) FROM set_aside_events")) == [(0,)]
        assert_rolled_up(database)


def assert_rolled_up(database: Database) -> None:
    """What the refreshes between blows left is right, and after one more nothing is left to do."""
    assert verified(database) == []
    refresh(database, worth=WORTH)
    assert database.rows(text("SELECT count(*) FROM rolled_users"))[0][0] >= len(TABLES)
    assert database.rows(text("SELECT count(*) FROM rollup_marks")) == [(0,)]
    done = analytics("rollup", "verify", database_url=database.label)
    assert (done.returncode, done.stdout) == (0, "The rollups equal a recomputation.\n")


@pytest.fixture
def server() -> Iterator[RestartableServer]:
    with restartable_server() as running:
        yield running


def test_postgresql_that_stops_and_processes_that_are_killed_lose_nothing(
    server: RestartableServer, tmp_path: Path, chance: random.Random
) -> None:
    url = server.create_database()
    prepare(url)
    product = Product(url, tmp_path, chance)
    try:
        blows = ["writer", "server", "producer", "server and writer", "refresher"]
        for n in range(BLOWS):
            time.sleep(chance.random() * 0.5)
            blow = blows[n % len(blows)]
            if "server" in blow:
                server.stop_at_once()
            if "writer" in blow:
                product.kill_writer()
            if "producer" in blow:
                product.kill_producer()
            if "refresher" in blow:
                product.kill_refresher()
            if "server" in blow:
                time.sleep(chance.random() * 0.2)
                server.start()
        product.finish()
        assert_counted_once(product)
    finally:
        product.kill_all()


def test_sqlite_that_is_locked_full_or_unwritable_loses_nothing(
    tmp_path: Path, chance: random.Random
) -> None:
    path = tmp_path / "analytics.db"
    prepare(f"sqlite:///{path}")
    product = Product(f"sqlite:///{path}", tmp_path, chance)
    try:
        blows = ["writer", "locked", "full", "producer", "unwritable", "refresher"]
        for n in range(BLOWS):
            time.sleep(chance.random() * 0.5)
            match blows[n % len(blows)]:
                case "writer":
                    product.kill_writer()
                case "producer":
                    product.kill_producer()
                case "refresher":
                    product.kill_refresher()
                case "locked":
                    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
                        other.execute("BEGIN EXCLUSIVE")
                        time.sleep(chance.random() * 0.5)
                case "full":
                    # No file of the writer may grow beyond what the database has now.
                    product.kill_writer(most_bytes=path.stat().st_size)
                    time.sleep(0.6)
                    product.kill_writer()
                case "unwritable":
                    hidden = tmp_path / "hidden.db"
                    _kill(product.writer)
                    path.rename(hidden)
                    # A folder in its place: nobody, root included, can write there.
                    path.mkdir()
                    product.writer = product.start_writer()
                    time.sleep(chance.random())
                    path.rmdir()
                    hidden.rename(path)
        product.finish()
        assert_counted_once(product)
    finally:
        product.kill_all()
        with suppress(OSError):
            (tmp_path / "hidden.db").rename(path)
