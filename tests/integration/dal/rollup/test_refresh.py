"""Who is rolled, and that refreshes may come at any time, twice at once, and be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from analytics_core.dal import schema
from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.marking import is_marking
from analytics_core.dal.rollup.refresh import Refreshed, RollupRefresh
from analytics_core.model.daterange import DateRange, read_zone
from tests.support import rows
from tests.support.rollups import assert_same, refresh, statistics, verified

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
OCTOBER = DateRange(date(2026, 10, 1), date(2026, 10, 31), read_zone("Europe/Madrid"))


@pytest.fixture
def database(workspace_url: str) -> Iterator[Database]:
    """Mara has many renders and Noor few."""
    renders = [rows.render("mara", NOON + n * timedelta(minutes=7)) for n in range(300)]
    rows.insert(
        workspace_url,
        [rows.user("mara"), rows.user("noor"), rows.render("noor", NOON), *renders],
    )
    opened = Database(workspace_url)
    yield opened
    opened.close()


def rolled(database: Database) -> list[tuple[str, str]]:
    found = database.rows(text("SELECT noun, user_id FROM rolled_users ORDER BY 1, 2"))
    return [(noun, user) for noun, user in found]


def renders_of(database: Database, user: str) -> int:
    page = statistics(database, Kept.own(database), user, OCTOBER, NOON)
    assert_same(page, statistics(database, None, user, OCTOBER, NOON))
    return page.renders.total


def test_only_who_has_many_rows_is_kept_added_up(database: Database) -> None:
    refresh(database, worth=100)
    assert rolled(database) == [("renders", "mara")]
    assert (renders_of(database, "mara"), renders_of(database, "noor")) == (300, 1)


def test_who_comes_to_have_many_rows_is_kept_from_then_on(database: Database) -> None:
    refresh(database, worth=100)
    more = [rows.render("noor", NOON + n * timedelta(hours=1)) for n in range(120)]
    rows.insert(database.label, more)
    assert refresh(database, worth=100).users == 1
    assert rolled(database) == [("renders", "mara"), ("renders", "noor")]
    assert renders_of(database, "noor") == 121


def test_a_workspace_without_rollups_has_no_triggers(database: Database) -> None:
    with database.read() as connection:
        assert not is_marking(connection)


def test_a_second_refresh_has_nothing_to_do(database: Database) -> None:
    assert refresh(database, worth=100).users == 1
    assert refresh(database, worth=100) == Refreshed()


def test_rows_that_come_after_a_refresh_are_on_the_page_at_once(database: Database) -> None:
    refresh(database, worth=100)
    rows.insert(database.label, [rows.render("mara", NOON)])
    assert renders_of(database, "mara") == 301


def test_pages_read_cells_and_not_rows(database: Database) -> None:
    refresh(database, worth=100)
    rows.execute(database.label, "UPDATE rollup_cells SET count = count * 2")
    kept = Kept.own(database)
    assert statistics(database, kept, "mara", OCTOBER, NOON).renders.total == 600
    assert len(verified(database)) > 100


def test_a_day_without_calls_is_told_by_renders_of_plugins(database: Database) -> None:
    days = [NOON + n * timedelta(days=1) for n in range(3)]
    plugin = [rows.render("noor", day, source_platform="sketchup") for day in days]
    rows.insert(database.label, [*plugin, rows.call("noor", days[0]), rows.call("noor", days[2])])
    refresh(database)
    dates = DateRange(days[0].date(), days[2].date(), read_zone("UTC"))
    page = statistics(database, Kept.own(database), "noor", dates, NOON)
    assert_same(page, statistics(database, None, "noor", dates, NOON))
    assert page.api.by_day == (1, 1, 1)


def test_cells_lie_in_the_order_of_their_key(database: Database) -> None:
    if database.dialect != "postgresql":
        pytest.skip("SQLite's tables are in the order of their rows' numbers")
    refresh(database, worth=100)
    keys = database.rows(
        text("SELECT dimension, width, start, member FROM rollup_cells ORDER BY ctid")
    )
    assert keys == sorted(keys)
    assert len(keys) > 100


def test_verification_names_what_is_missing_and_what_is_too_much(database: Database) -> None:
    refresh(database, worth=100)
    rows.execute(
        database.label,
        "DELETE FROM rollup_cells WHERE dimension = 'render_type' AND width = 86400",
        "UPDATE rollup_cells SET member = 'x' WHERE dimension = 'render_quality' AND width = 86400",
    )
    found = verified(database)
    assert {(one.dimension, one.member, one.kept is None) for one in found} == {
        ("render_type", "1", True),
        ("render_quality", "1", True),
        ("render_quality", "x", False),
    }


def test_rows_loaded_in_bulk_are_noticed(database: Database) -> None:
    """A load takes triggers off, as rows by the million would mark far too much."""
    from analytics_core.dal.rollup.marking import stop_marking

    refresh(database, worth=100)
    with database.write() as transaction:
        stop_marking(transaction)
        transaction.commit()
    rows.insert(database.label, [rows.render("mara", NOON)])
    refresh(database, worth=100)
    assert renders_of(database, "mara") == 301
    assert verified(database) == []


def test_two_refreshes_at_once_take_turns(database: Database) -> None:
    url = database.label

    def run(_: int) -> Refreshed:
        other = Database(url)
        try:
            return refresh(other, worth=100)
        finally:
            other.close()

    with ThreadPoolExecutor(2) as threads:
        done = sum(threads.map(run, range(2)), Refreshed())
    assert done.users == 1
    assert verified(database) == []
    assert renders_of(database, "mara") == 300


def test_writers_do_not_wait_for_a_refresh(postgres_workspace: str) -> None:
    """On PostgreSQL: a refresh holds its lock while somebody records."""
    database = Database(postgres_workspace)
    rows.insert(postgres_workspace, [rows.user("mara")])
    refresh(database)
    with Kept.own(database).refreshing():
        rows.execute(postgres_workspace, "SET lock_timeout = '1s'")
        rows.insert(postgres_workspace, [rows.render("mara", NOON)])
    database.close()


@pytest.fixture
def postgres_workspace(make_database: object) -> str:
    return make_database("postgres")  # type: ignore[operator, no-any-return]


_KILLED = """
import sys, time
from datetime import datetime, UTC
from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.refresh import RollupRefresh
database = Database(sys.argv[1])
print("begun", flush=True)
kept = Kept.own(database)
for _ in RollupRefresh(kept, database, own_catalog(), datetime.now(UTC), worth=1).run():
    pass
"""


def test_a_refresh_that_is_killed_leaves_nothing_wrong(database: Database) -> None:
    days = [rows.render("mara", NOON - n * timedelta(hours=9)) for n in range(500)]
    rows.insert(database.label, days)
    url = database.engine.url.render_as_string(hide_password=False)
    for blow in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED, url], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(blow * 0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        rows.insert(database.label, [rows.render("mara", NOON)])
        assert renders_of(database, "mara") == renders_of(database, "mara")
    refresh(database)
    assert verified(database) == []
    assert database.rows(text("SELECT count(*) FROM rollup_marks")) == [(0,)]


def test_a_step_is_small(database: Database) -> None:
    """So that a refresh holds little in memory, and loses little when it is killed."""
    days = [rows.render("mara", NOON - timedelta(days=n)) for n in range(400)]
    rows.insert(database.label, days)
    kept = Kept.own(database)
    steps = RollupRefresh(kept, database, own_catalog(), NOON, worth=100).run()
    assert max(step.days for step in steps) == 31


def test_cells_that_older_code_made_are_made_again(database: Database) -> None:
    refresh(database, worth=100)
    before = "0005"
    with database.write() as connection:
        # What later ones made.
        for table in ("audit_log", "audit_people"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text(f"UPDATE analytics_workspace_version SET version_num = '{before}'"))
        connection.execute(text("DELETE FROM rollup_cells WHERE width = 21600"))
        connection.commit()
    schema.upgrade(database)
    assert rolled(database) == []
    assert renders_of(database, "mara") == 300
    refresh(database, worth=100)
    assert rolled(database) == [("renders", "mara")]
    assert renders_of(database, "mara") == 300
    assert verified(database) == []
