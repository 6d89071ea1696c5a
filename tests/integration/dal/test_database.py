"""Connections: few, given back, read-only where reading, and nothing a pooler would break."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal import database as database_module
from analytics_core.dal.database import MAX_CONNECTIONS, Database
from analytics_core.errors import DatabaseUnavailable, ReadOnlyDatabase
from tests.support import rows
from tests.support.host import connect
from tests.support.postgres import PostgresServer
from tests.support.rows import insert

ONE = text("SELECT 1")


@pytest.fixture
def database(workspace_url: str) -> Iterator[Database]:
    database = Database(workspace_url)
    yield database
    database.close()


@pytest.fixture
def postgres(make_database) -> Iterator[Database]:
    database = Database(make_database("postgres"))
    yield database
    database.close()


def others(postgres_server: PostgresServer, url: str, what: str = "count(*)") -> object:
    """What PostgreSQL knows of the connections to a database, asked from another one."""
    with connect(postgres_server.url("postgres")) as observer:
        return observer.execute(
            f"SELECT {what} FROM pg_stat_activity WHERE datname = %s",
            [postgres_server.name_of(url)],
        ).fetchone()[0]


# --- transactions ---


def test_what_is_not_committed_is_rolled_back(database: Database) -> None:
    with database.write() as connection:
        connection.execute(
            text("INSERT INTO recorded_renders (render_id, occurred_at) VALUES ('r', '2026-01-01')")
        )
    assert database.rows(text("SELECT count(*) FROM recorded_renders")) == [(0,)]


def test_nothing_is_written_while_reading(postgres: Database) -> None:
    with (
        pytest.raises(DatabaseUnavailable, match="read-only transaction"),
        postgres.read() as connection,
    ):
        connection.execute(text("CREATE TABLE sneaked (id integer)"))


def test_what_is_written_while_reading_a_file_is_gone_afterwards(make_database) -> None:
    database = Database(make_database("sqlite"))
    with database.read() as connection:
        connection.execute(
            text("INSERT INTO recorded_renders (render_id, occurred_at) VALUES ('r', 1)")
        )
    assert database.rows(text("SELECT count(*) FROM recorded_renders")) == [(0,)]
    database.close()


def test_a_products_own_database_is_never_written(workspace_url: str) -> None:
    host = Database(workspace_url, read_only=True)
    with pytest.raises(ReadOnlyDatabase, match="only read"), host.write():
        pytest.fail("nothing may come here")


def test_writing_is_possible_again_after_reading_on_the_same_connection(
    database: Database,
) -> None:
    database.rows(ONE)
    insert(database.label, [rows.user("mara")])
    with database.write() as connection:
        connection.execute(text("DELETE FROM users"))
        connection.commit()
    assert database.rows(text("SELECT count(*) FROM users")) == [(0,)]


def test_a_row_that_breaks_a_rule_is_no_trouble_of_the_database(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(
            text("INSERT INTO usage_tracking (user_id, date) VALUES ('nobody', '2026-01-01')")
        )


def test_questions_within_reading_share_a_transaction(postgres: Database) -> None:
    transaction = text("SELECT pg_current_snapshot()::text, now()")
    with postgres.reading():
        first = postgres.rows(transaction)
        time.sleep(0.01)
        assert postgres.rows(transaction) == first
    assert postgres.rows(transaction) != first


def test_numbers_come_back_as_numbers(postgres: Database) -> None:
    row = postgres.rows(text("SELECT sum(x), avg(x) FROM (VALUES (1::bigint), (2)) AS v(x)"))[0]
    assert row == (3, 1.5)
    assert [type(value) for value in row] == [int, float]


# --- connections ---


def test_a_process_holds_at_most_two_connections(
    postgres: Database, postgres_server: PostgresServer
) -> None:
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, int(str(others(postgres_server, postgres.label))))

    def ask() -> None:
        for _ in range(3):
            postgres.rows(text("SELECT pg_sleep(0.02)"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(8) as askers:
        for asked in [askers.submit(ask) for _ in range(8)]:
            asked.result()
    done.set()
    watcher.join()
    assert most == MAX_CONNECTIONS == 2


def test_a_page_holds_at_most_two_connections_too(
    make_database, postgres_server: PostgresServer
) -> None:
    url = make_database("postgres")
    insert(url, [rows.user("mara")])
    with Workspace.open(Settings.read(database_url=url), Scope.everyone()) as workspace:
        with ThreadPoolExecutor(8) as visitors:
            for page in [
                visitors.submit(workspace.get_analytics_data, "mara", "30d", compare=True)
                for _ in range(8)
            ]:
                page.result()
        assert int(str(others(postgres_server, url))) <= MAX_CONNECTIONS


def test_connections_are_given_back_when_nobody_asks(
    postgres: Database, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "IDLE", timedelta(seconds=0.2))
    postgres.rows(ONE)
    assert others(postgres_server, postgres.label) == 1
    deadline = time.monotonic() + 20
    while others(postgres_server, postgres.label) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert others(postgres_server, postgres.label) == 0
    assert postgres.rows(ONE) == [(1,)]


def test_a_connection_in_use_is_not_given_back(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "IDLE", timedelta(seconds=0.1))
    postgres.rows(ONE)
    with postgres.read() as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        time.sleep(0.5)
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar() == own


def test_closing_gives_back_all_connections(make_database, postgres_server: PostgresServer) -> None:
    url = make_database("postgres")
    database = Database(url)
    database.rows(ONE)
    database.close()
    deadline = time.monotonic() + 20
    while others(postgres_server, url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert others(postgres_server, url) == 0


def test_a_server_that_was_restarted_costs_no_failure(
    postgres: Database, postgres_server: PostgresServer
) -> None:
    postgres.rows(ONE)
    others(postgres_server, postgres.label, "pg_terminate_backend(max(pid))")
    assert postgres.rows(ONE) == [(1,)]


# --- what a pooler in transaction mode would break ---


def test_no_statement_is_prepared_however_often_it_is_asked(make_database) -> None:
    url = make_database("postgres")
    insert(url, [rows.user("mara")])
    with (
        Workspace.open(Settings.read(database_url=url), Scope.everyone()) as workspace,
        # In one transaction, because rolling back would forget what it had prepared.
        workspace.database.reading(),
    ):
        for _ in range(12):
            workspace.get_render_stats("mara", "30d")
        assert workspace.database.rows(text("SELECT * FROM pg_prepared_statements")) == []


def test_no_setting_of_a_session_is_changed(postgres: Database) -> None:
    with postgres.write() as connection:
        connection.execute(text("DELETE FROM users"))
        connection.commit()
    changed = postgres.rows(text("SELECT name FROM pg_settings WHERE source = 'session'"))
    # Of this transaction alone: `BEGIN … READ ONLY` says so, and the next one begins anew.
    assert sorted(changed) == [("transaction_isolation",), ("transaction_read_only",)]
    with postgres.write() as connection:
        assert connection.execute(text("SHOW default_transaction_read_only")).scalar() == "off"
        assert connection.execute(text("SHOW transaction_read_only")).scalar() == "off"


def test_no_connection_stays_in_a_transaction(
    postgres: Database, postgres_server: PostgresServer
) -> None:
    postgres.rows(ONE)
    with suppress(DatabaseUnavailable):
        postgres.rows(text("SELECT * FROM nowhere"))
    assert others(postgres_server, postgres.label, "array_agg(DISTINCT state)") == ["idle"]


# --- failures, in plain words ---


def test_a_table_that_went_away_is_told(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"gone") as told:
        database.rows(text("SELECT * FROM gone"))
    assert len(str(told.value).splitlines()) == 1


def test_nobody_at_the_address_is_told_with_the_address() -> None:
    database = Database("postgresql://mara:hush@127.0.0.1:1/product")
    with pytest.raises(DatabaseUnavailable, match="refused") as told:
        database.rows(ONE)
    assert "127.0.0.1:1/product" in str(told.value)
    assert "hush" not in str(told.value)


def test_of_several_addresses_that_fail_the_reason_is_told_too() -> None:
    database = Database("postgresql://mara:hush@/product?host=127.0.0.1,127.0.0.2&port=1,1")
    with pytest.raises(DatabaseUnavailable, match="refused"):
        database.rows(ONE)


def test_a_damaged_file_is_told(make_database) -> None:
    url = make_database("sqlite")
    path = Path(url.removeprefix("sqlite:///"))
    path.write_bytes(b"This is no database, or none any more." * 200)
    before = path.read_bytes()
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        Database(url).rows(text("SELECT * FROM users"))
    assert path.read_bytes() == before


def test_a_file_damaged_in_its_middle_is_told(make_database) -> None:
    url = make_database("sqlite")
    insert(url, [rows.user(f"user-{n}") for n in range(500)])
    path = Path(url.removeprefix("sqlite:///"))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\x17" * len(content[4096 * 2 :])
    path.write_bytes(content)
    with pytest.raises(DatabaseUnavailable, match="malformed"):
        Database(url).rows(text("SELECT count(name), max(email) FROM users"))


def test_reading_makes_no_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nothing.db'}")
    with pytest.raises(DatabaseUnavailable, match="no such file"):
        database.rows(ONE)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_replaced_is_opened_anew(make_database) -> None:
    first, second = make_database("sqlite"), make_database("sqlite")
    insert(first, [rows.user("mara")])
    count, database = text("SELECT count(*) FROM users"), Database(second)
    assert database.rows(count) == [(0,)]
    Path(first.removeprefix("sqlite:///")).replace(second.removeprefix("sqlite:///"))
    assert database.rows(count) == [(1,)]
    database.close()


def test_a_writer_waits_for_another(make_database) -> None:
    url = make_database("sqlite")
    slow, quick = Database(url), Database(url)
    at = datetime.now(UTC).timestamp()

    def write_slowly() -> None:
        with slow.write() as connection:
            connection.execute(
                text("INSERT INTO recorded_renders (render_id, occurred_at) VALUES ('slow', 1)")
            )
            begun.set()
            time.sleep(0.3)
            connection.commit()

    begun = threading.Event()
    with ThreadPoolExecutor(1) as other:
        writing = other.submit(write_slowly)
        begun.wait()
        with quick.write() as connection:
            connection.execute(
                text("INSERT INTO recorded_renders (render_id, occurred_at) VALUES ('quick', :at)"),
                {"at": at},
            )
            connection.commit()
        writing.result()
    assert quick.rows(text("SELECT count(*) FROM recorded_renders")) == [(2,)]
    slow.close()
    quick.close()
