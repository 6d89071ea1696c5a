"""A render is counted once, whoever tells it, and whatever happens the product goes on."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from analytics_core.dal.database import Database
from analytics_core.dal.tables import RecordedRenderRow, UsageTrackingRow
from analytics_core.telemetry import UsageRecorder, record_render_creation
from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.host import connect

NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)
DAY = NOON.date()


@pytest.fixture
def url(workspace_url: str) -> str:
    """A workspace database in which Mara and Noor are known."""
    rows.insert(workspace_url, [rows.user("mara"), rows.user("noor")])
    return workspace_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def recorder(database: Database) -> UsageRecorder:
    return UsageRecorder(database)


def aggregates(database: Database) -> dict[tuple[str, date], tuple[int, int, int]]:
    """Renders, credits and API calls by user and day."""
    u = UsageTrackingRow
    statement = select(u.user_id, u.date, u.renders_created, u.credits_spent, u.api_calls)
    return {(user, day): tuple(amounts) for user, day, *amounts in database.rows(statement)}  # type: ignore[misc]


def record(recorder: UsageRecorder, render_id: str, **changes: Any) -> bool:
    told = {"user_id": "mara", "credits_cost": 2, "is_api_call": False, "occurred_at": NOON}
    return recorder.record_render_creation(render_id=render_id, **(told | changes))


def test_a_render_adds_to_its_users_day(recorder: UsageRecorder, database: Database) -> None:
    assert record(recorder, "a", credits_cost=3)
    assert record(recorder, "b", credits_cost=4, is_api_call=True)
    assert aggregates(database) == {("mara", DAY): (2, 7, 1)}


def test_a_render_told_again_counts_once(recorder: UsageRecorder, database: Database) -> None:
    assert record(recorder, "a")
    assert record(recorder, "a", credits_cost=9, is_api_call=True)
    assert aggregates(database) == {("mara", DAY): (1, 2, 0)}


def test_the_day_is_the_one_in_utc(recorder: UsageRecorder, database: Database) -> None:
    west = timezone(timedelta(hours=-5))
    record(recorder, "a", occurred_at=datetime(2026, 10, 31, 19, 30, tzinfo=west))
    record(recorder, "b", occurred_at=datetime(2026, 10, 31, 18, 30, tzinfo=west))
    assert set(aggregates(database)) == {("mara", date(2026, 11, 1)), ("mara", date(2026, 10, 31))}


def test_what_is_added_keeps_what_was_there(url: str, recorder: UsageRecorder) -> None:
    rows.insert(url, [rows.stored_day("mara", DAY, renders_created=5, storage_used=700)])
    record(recorder, "a")
    database = Database(url)
    assert database.rows(
        select(UsageTrackingRow.renders_created, UsageTrackingRow.storage_used)
    ) == [(6, 700)]
    database.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"occurred_at": datetime(2026, 10, 31)}, "time zone"),  # noqa: DTZ001
        ({"occurred_at": "2026-10-31"}, "time zone"),
        ({"occurred_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))}, "range"),
        ({"credits_cost": -1}, "credits_cost"),
        ({"credits_cost": 1.5}, "credits_cost"),
        ({"credits_cost": None}, "credits_cost"),
        ({"credits_cost": 10**30}, ""),
        ({"user_id": ""}, "user_id"),
        ({"user_id": None}, "user_id"),
        ({"user_id": "nobody"}, "unknown user"),
        ({"user_id": "x' OR '1'='1"}, "unknown user"),
        ({"user_id": "\x00"}, ""),
    ],
)
def test_what_cannot_be_recorded_is_one_line_in_the_log(
    recorder: UsageRecorder,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    wrong: dict[str, Any],
    told: str,
) -> None:
    assert not record(recorder, "a\nb", **wrong)
    (entry,) = caplog.records
    assert entry.levelno == logging.ERROR
    assert entry.name == "analytics_core.telemetry.recording"
    assert told in entry.getMessage()
    assert "\n" not in entry.getMessage()
    assert not aggregates(database)
    assert not database.rows(select(RecordedRenderRow.render_id))


def test_a_render_that_could_not_be_recorded_can_be_told_again(
    url: str, recorder: UsageRecorder, database: Database
) -> None:
    assert not record(recorder, "a", user_id="late")
    rows.insert(url, [rows.user("late")])
    assert record(recorder, "a", user_id="late")
    assert aggregates(database) == {("late", DAY): (1, 2, 0)}


def test_a_products_own_database_is_never_written_to(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    host = Database(url, read_only=True)
    assert not record(UsageRecorder(host), "a")
    assert "only read" in caplog.text
    assert not aggregates(host)
    host.close()


def test_a_database_that_is_not_there_is_no_reason_to_fail(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    recorder = UsageRecorder(Database(f"sqlite:///{tmp_path / 'gone.db'}"))
    assert not record(recorder, "a")
    assert "not available" in caplog.text
    recorder.close()


def hold(url: str) -> Any:
    """A connection that has written Mara's day and does not commit."""
    statement = (
        "INSERT INTO usage_tracking (user_id, date) VALUES ('mara', '2026-10-31')"
        " ON CONFLICT (user_id, date) DO UPDATE SET api_calls = usage_tracking.api_calls"
    )
    if url.startswith("sqlite"):
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute(statement)
        return other
    server = connect(url)
    server.execute(statement)
    return server


def test_a_lock_that_is_never_given_back_is_not_waited_for_longer_than_said(
    url: str, recorder: UsageRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(hold(url)):
        started = time.monotonic()
        assert not record(recorder, "a")
        assert 4 < time.monotonic() - started < 9
    assert "was not recorded" in caplog.text
    assert record(recorder, "a")


def test_many_threads_lose_nothing(recorder: UsageRecorder, database: Database) -> None:
    # Every render is told twice, by different threads.
    ids = [f"r{n}" for n in range(80)] * 2
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda id_: record(recorder, id_, is_api_call=True), ids))
    assert all(told)
    assert aggregates(database) == {("mara", DAY): (80, 160, 80)}


def _record_in_a_process(url: str, ids: list[str]) -> bool:
    recorder = UsageRecorder(Database(url))
    return sum(record(recorder, id_) for id_ in ids) == len(ids)


def test_many_processes_lose_nothing(url: str, database: Database) -> None:
    # Neighbours tell half of each other's renders too.
    shares = [[f"r{n}" for n in range(40 * p, 40 * p + 60)] for p in range(3)]
    with multiprocessing.get_context("spawn").Pool(3) as processes:
        assert all(processes.starmap(_record_in_a_process, [(url, ids) for ids in shares]))
    assert aggregates(database) == {("mara", DAY): (140, 280, 0)}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d"]),
            st.sampled_from(["mara", "noor"]),
            st.integers(0, 9),
            st.booleans(),
            st.datetimes(datetime(2026, 10, 30), datetime(2026, 11, 2), timezones=st.just(UTC)),  # noqa: DTZ001
        ),
        max_size=12,
    )
)
def test_the_aggregate_is_the_sum_of_what_was_first_told(
    shared_url: str, told: list[tuple[str, str, int, bool, datetime]]
) -> None:
    rows.insert(shared_url, [rows.user("mara"), rows.user("noor")], replace=True)
    with closing(Database(shared_url)) as database:
        recorder = UsageRecorder(database)
        for render_id, user_id, cost, api, at in told:
            assert recorder.record_render_creation(
                user_id, cost, api, render_id=render_id, occurred_at=at
            )
        counted = aggregates(database)
    first: dict[str, tuple[str, int, bool, datetime]] = {}
    for render_id, *rest in told:
        first.setdefault(render_id, tuple(rest))  # type: ignore[arg-type]
    expected: dict[tuple[str, date], tuple[int, int, int]] = {}
    for user_id, cost, api, at in first.values():
        renders, credits, calls = expected.get((user_id, at.date()), (0, 0, 0))
        expected[user_id, at.date()] = (renders + 1, credits + cost, calls + api)
    assert counted == expected


def test_the_one_call_finds_the_database_by_the_settings(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch, forgotten: None
) -> None:
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", url)
    assert record_render_creation("mara", 2, True, render_id="a", occurred_at=NOON)
    assert aggregates(database) == {("mara", DAY): (1, 2, 1)}


def test_the_one_call_refuses_a_products_own_database(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch, forgotten: None
) -> None:
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", url)
    monkeypatch.setenv("ANALYTICS_PROFILE", "renderiq")
    assert not record_render_creation("mara", 2, True, render_id="a", occurred_at=NOON)
    assert not aggregates(database)


def test_settings_that_cannot_be_read_are_no_reason_to_fail(
    monkeypatch: pytest.MonkeyPatch, forgotten: None, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", "no url at all")
    assert not record_render_creation("mara", 2, True, render_id="a", occurred_at=NOON)
    assert "'a' was not recorded" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_records_over_connections_of_its_own(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch, forgotten: None
) -> None:
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", url)
    _record_many("before")
    child = multiprocessing.get_context("fork").Process(target=_record_many, args=("child",))
    child.start()
    _record_many("parent")
    child.join()
    assert child.exitcode == 0
    assert aggregates(database) == {("mara", DAY): (120, 240, 0)}


def _record_many(name: str) -> None:
    for n in range(40):
        assert record_render_creation("mara", 2, False, render_id=f"{name}-{n}", occurred_at=NOON)


@pytest.fixture
def forgotten() -> Iterator[None]:
    """A process that has recorded nothing yet, before and after."""
    from analytics_core.telemetry import recording

    recording._start_anew()
    yield
    recording._start_anew()


def test_a_server_that_went_away_and_came_back_is_found_again(make_database: MakeDatabase) -> None:
    url = make_database("postgres")
    rows.insert(url, [rows.user("mara")])
    with closing(Database(url)) as database, connect(url) as admin:
        recorder = UsageRecorder(database)
        assert record(recorder, "a")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert record(recorder, "b")
        assert aggregates(database) == {("mara", DAY): (2, 4, 0)}
