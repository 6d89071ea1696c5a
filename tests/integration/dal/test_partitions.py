"""Months of API calls are tables of their own on PostgreSQL, and nobody notices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from analytics_core import DateRange, Scope, Settings, Workspace
from analytics_core.dal.database import Database
from analytics_core.dal.ingest import IngestRepository
from analytics_core.dal.partitions import make_partitions
from analytics_core.dal.schema import WORKSPACE
from analytics_core.model.event import ApiCall, to_json
from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.rollups import refresh, verified

NOVEMBER = datetime(2026, 11, 24, 12, tzinfo=UTC)
CALLS = "SELECT tableoid::regclass::text, count(*) FROM api_calls GROUP BY 1 ORDER BY 1"


@pytest.fixture
def database(make_database: MakeDatabase) -> Iterator[Database]:
    url = make_database("postgres")
    rows.insert(url, [rows.user("mara")])
    with closing(Database(url)) as opened:
        yield opened


def make(database: Database, first: datetime, last: datetime) -> int:
    with database.write() as connection:
        made = make_partitions(connection, first, last)
        connection.commit()
    return made


def calls_by_table(database: Database) -> dict[str, int]:
    return {str(name): int(calls) for name, calls in database.rows(text(CALLS))}


def test_each_month_of_calls_lies_in_its_own_table(database: Database) -> None:
    make(database, NOVEMBER - timedelta(days=60), NOVEMBER)
    months = [NOVEMBER - timedelta(days=30 * n) for n in range(3)]
    rows.insert(database.label, [rows.call("mara", at) for at in months])
    assert calls_by_table(database) == {
        "api_calls_2026_09": 1,
        "api_calls_2026_10": 1,
        "api_calls_2026_11": 1,
    }


def test_a_call_of_a_month_that_was_not_made_is_not_lost_and_moves_there_later(
    database: Database,
) -> None:
    at = datetime(2031, 5, 31, 23, 59, 59, 999999, tzinfo=UTC)
    rows.insert(database.label, [rows.call("mara", at)])
    assert calls_by_table(database) == {"api_calls_other": 1}
    assert make(database, at, at) == 4
    assert calls_by_table(database) == {"api_calls_2031_05": 1}
    assert make(database, at, at) == 0


def test_moving_a_call_changes_no_number_and_marks_nothing(database: Database) -> None:
    at = datetime(2031, 5, 31, 12, tzinfo=UTC)
    rows.insert(database.label, [rows.call("mara", at)])
    refresh(database)
    make(database, at, at)
    assert database.rows(text("SELECT count(*) FROM rollup_marks")) == [(0,)]
    assert verified(database) == []


def test_a_question_about_a_month_reads_that_month_alone(database: Database) -> None:
    make(database, NOVEMBER - timedelta(days=200), NOVEMBER)
    plan = database.rows(
        text(
            "EXPLAIN SELECT count(*) FROM api_calls WHERE user_id = 'mara'"
            " AND occurred_at >= '2026-10-01 00:00+00' AND occurred_at < '2026-11-01 00:00+00'"
        )
    )
    told = "\n".join(line for (line,) in plan)
    assert "api_calls_2026_10" in told
    assert "api_calls_2026_09" not in told
    assert "api_calls_2026_11" not in told


def test_the_writer_makes_room_for_months_to_come(database: Database) -> None:
    later = NOVEMBER + timedelta(days=400)
    IngestRepository(database).forget(later)
    rows.insert(database.label, [rows.call("mara", later + timedelta(days=80))])
    assert calls_by_table(database) == {"api_calls_2028_03": 1}


def test_a_call_told_twice_is_counted_once_however_old_it_is(database: Database) -> None:
    old = ApiCall(
        id="old",
        user_id="mara",
        method="GET",
        route="/v1",
        status_code=200,
        duration=0.1,
        occurred_at=NOVEMBER - timedelta(days=100),
    )
    events = IngestRepository(database)
    for _ in range(2):
        events.ingest([to_json(old)], NOVEMBER, backfill=True)
    assert sum(calls_by_table(database).values()) == 1


def test_a_table_that_was_in_use_keeps_its_calls(postgres_url: str) -> None:
    with closing(Database(postgres_url, create=True)) as database:
        upgrade_to(database, "0003")
        rows.execute(
            postgres_url,
            "INSERT INTO users (id, email, is_active, created_at)"
            " VALUES ('mara', 'mara@example.com', true, now())",
            "INSERT INTO api_calls (id, user_id, method, route, status_code, duration_bucket,"
            " occurred_at) SELECT 'c' || n, 'mara', 'GET', '/v1', 200, 7,"
            " timestamptz '2026-11-24 12:00+00' - n * interval '1 day'"
            " FROM generate_series(0, 99) AS n",
        )
        refresh(database)
        upgrade_to(database, "head")
        refresh(database)
        assert calls_by_table(database) == {"api_calls_other": 100}
        make(database, NOVEMBER, NOVEMBER)
        assert calls_by_table(database) == {"api_calls_2026_11": 24, "api_calls_other": 76}
        assert verified(database) == []
    with Workspace(Settings.read(database_url=postgres_url), Scope.everyone()) as workspace:
        dates = DateRange(date(2026, 10, 1), date(2026, 11, 24), workspace.zone_of(None))
        assert workspace.get_api_usage_stats("mara", dates).total_calls == 55


def upgrade_to(database: Database, revision: str) -> None:
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(WORKSPACE.migrations))
        config.attributes.update(connection=connection, schema=WORKSPACE)
        command.upgrade(config, revision)
        connection.commit()
