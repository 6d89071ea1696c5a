"""Old records go day by day, whole, and no number is wrong afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from analytics_core import DateRange, Scope, Settings, Workspace
from analytics_core.dal.database import Database
from analytics_core.dal.ingest import NOT_KEPT, Ingested, IngestRepository
from analytics_core.dal.partitions import make_partitions
from analytics_core.dal.retention import RetentionRepository
from analytics_core.model.daterange import read_zone
from analytics_core.model.event import ApiCall, to_json
from analytics_core.model.keeping import Kind
from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.rollups import crashing, refresh, verified
from tests.support.usage import differences

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIRST_KEPT = date(2026, 9, 10)
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
EVERYTHING = DateRange(date(2026, 7, 1), date(2026, 11, 24), read_zone("UTC"))


@pytest.fixture
def database(workspace_url: str) -> Iterator[Database]:
    """Calls of each second day from July on, which the aggregate was told of, but for some."""
    with closing(Database(workspace_url)) as opened:
        fill(opened)
        yield opened


def fill(database: Database) -> None:
    with database.write() as connection:
        make_partitions(connection, NOON, NOW)
        connection.commit()
    days = [NOON + n * timedelta(days=2) for n in range(70)]
    made = [rows.user("mara"), rows.user("noor")]
    for user, calls in (("mara", 3), ("noor", 1)):
        for n, at in enumerate(days):
            made += [rows.call(user, at + k * timedelta(minutes=7)) for k in range(calls)]
            # What a product writes itself, the aggregate may not know.
            if n % 10:
                made.append(rows.stored_day(user, at.date(), api_calls=calls))
    rows.insert(database.label, made)


def let_go(database: Database, first_day: date = FIRST_KEPT, kind: Kind = Kind.API_CALLS) -> int:
    return sum(RetentionRepository(database).let_go(kind, first_day))


def by_day(database: Database, user: str = "mara") -> tuple[int, ...]:
    with Workspace(Settings.read(database_url=database.label), Scope.everyone()) as workspace:
        return tuple(workspace.get_api_usage_stats(user, EVERYTHING).by_day)


def calls_before(database: Database, day: date = FIRST_KEPT) -> int:
    return RetentionRepository(database).going(Kind.API_CALLS, day)


@pytest.mark.parametrize("rolled", [False, True], ids=["rows", "rolled"])
def test_days_whose_calls_are_gone_are_counted_by_the_aggregate(
    database: Database, rolled: bool
) -> None:
    if rolled:
        refresh(database)
    before = {user: by_day(database, user) for user in ("mara", "noor")}
    assert calls_before(database) == 36 * 4
    assert let_go(database) == 36 * 4
    assert calls_before(database) == 0
    assert database.rows(text("SELECT count(*) FROM api_calls")) == [(34 * 4,)]
    assert {user: by_day(database, user) for user in ("mara", "noor")} == before
    assert verified(database) == []
    assert not differences_of_calls_before(database)
    refresh(database)
    assert {user: by_day(database, user) for user in ("mara", "noor")} == before
    assert verified(database) == []
    assert let_go(database) == 0


def differences_of_calls_before(database: Database) -> list[Any]:
    return [day for day in differences(database) if day.date < FIRST_KEPT]


def test_whole_months_go_as_tables(make_database: MakeDatabase) -> None:
    with closing(Database(make_database("postgres"))) as database:
        fill(database)
        steps = list(RetentionRepository(database).let_go(Kind.API_CALLS, FIRST_KEPT))
        assert steps == [16 * 4, 15 * 4, 5 * 4]
        tables = database.rows(text("SELECT to_regclass('api_calls_2026_07')::text"))
        assert tables == [(None,)]
        assert list(RetentionRepository(database).let_go(Kind.API_CALLS, FIRST_KEPT)) == []


def test_the_aggregate_never_shrinks(database: Database) -> None:
    rows.execute(database.label, "UPDATE usage_tracking SET api_calls = 1000")
    let_go(database)
    assert database.rows(
        text("SELECT DISTINCT api_calls FROM usage_tracking WHERE api_calls > 3")
    ) == [(1000,)]


def test_a_late_call_of_a_day_that_is_gone_does_not_stand_for_the_day(database: Database) -> None:
    let_go(database)
    before = by_day(database)
    late = [
        ApiCall(
            id=f"late-{n}",
            user_id="mara",
            method="GET",
            route="/v1",
            status_code=200,
            duration=0.1,
            occurred_at=datetime(2026, 9, 9 + n, 23, 59, tzinfo=UTC),
        )
        for n in range(2)
    ]
    events = IngestRepository(database)
    done = events.ingest([to_json(one) for one in late], NOW, backfill=True)
    assert done == Ingested(counted=1, set_aside=1)
    assert [one.reason for one in events.set_aside(2)] == [NOT_KEPT]
    assert [n for n, (a, b) in enumerate(zip(before, by_day(database), strict=True)) if a != b] == [
        (FIRST_KEPT - date(2026, 7, 1)).days
    ]


def test_calls_that_come_while_it_works_are_counted_or_set_aside(database: Database) -> None:
    before = sum(by_day(database))
    told = [
        ApiCall(
            id=f"meanwhile-{n}",
            user_id="mara",
            method="GET",
            route="/v1",
            status_code=200,
            duration=0.1,
            occurred_at=NOON + timedelta(days=n * 7 % 130),
        )
        for n in range(400)
    ]
    events, done, met = IngestRepository(database), Ingested(), False
    with ThreadPoolExecutor(1) as hand:
        going = hand.submit(let_go, database)
        for n in range(0, len(told), 10):
            met |= going.running()
            batch = [to_json(one) for one in told[n : n + 10]]
            done += events.ingest(batch, NOW, backfill=True)
            met |= going.running()
        going.result()
    assert met
    assert (done.repeated, done.forgotten) == (0, 0)
    assert done.counted + done.set_aside == len(told)
    assert sum(by_day(database)) == before + done.counted
    assert calls_before(database) == 0
    assert verified(database) == []


def test_keeping_longer_again_brings_nothing_back_and_loses_nothing(database: Database) -> None:
    let_go(database)
    before = by_day(database)
    assert let_go(database, date(2026, 8, 1)) == 0
    assert RetentionRepository(database).horizon(Kind.API_CALLS) == FIRST_KEPT
    assert by_day(database) == before


def test_a_crash_anywhere_leaves_whole_days_and_it_goes_on(database: Database) -> None:
    refresh(database)
    before = by_day(database)
    for after in (1, 4, 5, 7, 9, 12, 15):
        with crashing(database, after):
            let_go(database)
        assert by_day(database) == before
        assert verified(database) == []
    let_go(database)
    assert calls_before(database) == 0
    assert by_day(database) == before


def test_only_activity_that_no_number_counts_goes(database: Database) -> None:
    words = ("login", "signup", "logout", "render", "credit_purchase")
    rows.insert(database.label, [rows.activity("mara", NOON, event=word) for word in words])
    rows.insert(database.label, [rows.activity("mara", NOW, event="logout")])
    assert let_go(database, kind=Kind.ACTIVITY) == 3
    left = database.rows(text("SELECT event FROM account_activity ORDER BY event"))
    assert left == [("login",), ("logout",), ("signup",)]


def test_events_that_were_set_aside_go(database: Database) -> None:
    events = IngestRepository(database)
    events.ingest([b"{}"], NOON)
    events.ingest([b"[]"], NOW)
    assert let_go(database, kind=Kind.SET_ASIDE) == 1
    assert [one.event for one in events.set_aside(5)] == ["[]"]


@given(
    first_day=st.dates(date(2026, 6, 20), date(2026, 11, 20)),
    zone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/Los_Angeles"]),
    cut=st.dates(date(2026, 7, 2), date(2026, 11, 20)),
)
@settings(max_examples=5)
def test_ranges_always_add_up(shared_url: str, first_day: date, zone: str, cut: date) -> None:
    with closing(Database(shared_url)) as database:
        rows.insert(shared_url, [], replace=True)
        fill(database)
        let_go(database, first_day)
        with Workspace(Settings.read(database_url=shared_url), Scope.everyone()) as workspace:

            def calls(first: date, last: date) -> int:
                dates = DateRange(first, last, workspace.zone_of(None, zone))
                return workspace.get_api_usage_stats("mara", dates).total_calls

            start, end = date(2026, 6, 29), date(2026, 11, 24)
            whole = calls(start, end)
            assert whole == 70 * 3
            assert calls(start, cut - timedelta(days=1)) + calls(cut, end) == whole
