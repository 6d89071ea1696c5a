"""Events become rows and daily aggregates, each once, in whatever order and however often told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import event as sql_events
from sqlalchemy import text

from analytics_core.dal.database import Database
from analytics_core.dal.ingest import OTHER_CONTENT, Ingested, IngestRepository
from analytics_core.dal.recorded_renders import RecordedRenderRepository
from analytics_core.dal.usage_tracking import UsageAmounts
from analytics_core.model.event import (
    Activity,
    ApiCall,
    Credits,
    Event,
    FileDeleted,
    FileStored,
    RenderCreated,
    RenderFinished,
    to_json,
)
from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.usage import differences, tables

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)
DAY = NOON.date()


@pytest.fixture
def database(workspace_url: str) -> Iterator[Database]:
    rows.insert(workspace_url, [rows.user("mara"), rows.user("noor")])
    opened = Database(workspace_url)
    yield opened
    opened.close()


@pytest.fixture
def events(database: Database) -> IngestRepository:
    return IngestRepository(database)


def created(id_: str = "render_created:r", **changes: Any) -> RenderCreated:
    told = {"id": id_, "user_id": "mara", "render_id": "r", "type": "image", "occurred_at": NOON}
    return RenderCreated(**(told | changes))


def finished(id_: str = "render_finished:r", **changes: Any) -> RenderFinished:
    told = {"id": id_, "user_id": "mara", "render_id": "r", "status": "completed"}
    return RenderFinished(
        **(told | {"processing_time": 3.5, "occurred_at": NOON + timedelta(minutes=1)} | changes)
    )


def call(id_: str = "call", **changes: Any) -> ApiCall:
    told = {"id": id_, "user_id": "mara", "method": "POST", "route": "/v1/renders"}
    return ApiCall(**(told | {"status_code": 201, "duration": 0.1, "occurred_at": NOON} | changes))


def stored(id_: str = "file_stored:f", **changes: Any) -> FileStored:
    told = {"id": id_, "user_id": "mara", "file_id": "f", "name": "villa.png", "size": 700}
    return FileStored(**(told | {"media_type": "image/png", "occurred_at": NOON} | changes))


def deleted(id_: str = "file_deleted:f", **changes: Any) -> FileDeleted:
    told = {"id": id_, "user_id": "mara", "file_id": "f", "occurred_at": NOON + timedelta(days=1)}
    return FileDeleted(**(told | changes))


def spent(id_: str = "credits:t", **changes: Any) -> Credits:
    told = {"id": id_, "user_id": "mara", "transaction_id": "t", "direction": "debit", "amount": 4}
    return Credits(**(told | {"category": "render", "occurred_at": NOON} | changes))


def tell(events: IngestRepository, *told: Event, **options: Any) -> Ingested:
    return events.ingest([to_json(one) for one in told], NOW, **options)


def usage(database: Database) -> list[tuple[Any, ...]]:
    return tables(database)["usage_tracking"]


def reasons(events: IngestRepository) -> list[str]:
    return [one.reason for one in events.set_aside(10)]


def test_events_become_rows_and_the_aggregate_of_their_day(
    events: IngestRepository, database: Database
) -> None:
    login = Activity(id="login", user_id="mara", event="login", occurred_at=NOON)
    done = tell(events, created(), finished(), call(), stored(), deleted(), spent(), login)
    assert done == Ingested(counted=7)
    assert {name: len(found) for name, found in tables(database).items()} == {
        "renders": 1,
        "api_calls": 1,
        "files": 1,
        "credit_transactions": 1,
        "account_activity": 1,
        "usage_tracking": 1,
        "set_aside_events": 0,
    }
    ((user, _, *amounts),) = usage(database)
    assert (user, amounts) == ("mara", [1, 4, 1, 700])
    assert database.rows(text("SELECT status, processing_time FROM renders")) == [
        ("completed", 3.5)
    ]
    assert not differences(database)


def many(number: int) -> list[Event]:
    """So many events of each kind that makes a row, nothing left out and nothing filled in."""
    told: list[Event] = []
    for n in range(number):
        full = {"platform": "canvas", "source_platform": "revit", "plugin_version": "ü2"}
        told += [
            created(f"c{n}", render_id=f"r{n}"),
            created(f"d{n}", render_id=f"s{n}", quality="high", processing_time=3, **full),
            call(f"a{n}", platform="revit", occurred_at=NOON + timedelta(microseconds=n)),
            stored(f"f{n}", file_id=f"f{n}", size=2**40 + n),
            spent(f"t{n}", transaction_id=f"t{n}", reference_id="r"),
            Activity(id=f"l{n}", user_id="noor", event="login", occurred_at=NOON),
        ]
    return told


def test_many_events_at_once_come_in_as_few_do(
    events: IngestRepository, database: Database, make_database: MakeDatabase
) -> None:
    told = many(60)
    assert tell(events, *told) == Ingested(counted=360)
    other_url = make_database("sqlite" if database.dialect == "sqlite" else "postgres")
    rows.insert(other_url, [rows.user("mara"), rows.user("noor")])
    with closing(Database(other_url)) as other:
        for n in range(0, len(told), 6):
            tell(IngestRepository(other), *told[n : n + 6])
        assert tables(database) == tables(other)
    assert not differences(database)


def test_one_repeated_and_one_impossible_among_many_take_nothing_from_the_others(
    events: IngestRepository, database: Database, workspace_url: str
) -> None:
    rows.execute(workspace_url, "CREATE UNIQUE INDEX one_of_a_size ON files (size)")
    told = many(60)
    tell(events, told[200])
    twin = stored("twin", file_id="twin", size=2**40)
    assert tell(events, *told, twin) == Ingested(counted=359, repeated=1, set_aside=1)
    assert not differences(database)


def test_the_same_event_again_counts_nothing(events: IngestRepository, database: Database) -> None:
    told = (created(), call(), stored(), spent())
    tell(events, *told, *told)
    before = tables(database)
    assert tell(events, *told) == Ingested(repeated=4)
    assert tables(database) == before


def test_the_same_id_with_other_content_is_kept_for_somebody_to_look_at(
    events: IngestRepository, database: Database
) -> None:
    tell(events, spent(amount=4))
    assert tell(events, spent(amount=5)) == Ingested(set_aside=1)
    assert tell(events, call("x"), call("x", status_code=500)) == Ingested(counted=1, set_aside=1)
    assert reasons(events) == [OTHER_CONTENT] * 2
    ((_, _, *amounts),) = usage(database)
    assert amounts == [0, 4, 1, 0]


def test_ends_wait_for_their_beginnings(events: IngestRepository, database: Database) -> None:
    tell(events, finished(), deleted())
    assert events.waiting_endings(NOW) == 2
    tell(events, created(), stored())
    assert events.waiting_endings(NOW) == 0
    assert database.rows(text("SELECT status FROM renders")) == [("completed",)]
    assert database.rows(text("SELECT count(deleted_at) FROM files")) == [(1,)]


def test_the_end_that_happened_last_counts_whichever_comes_last(
    events: IngestRepository, database: Database
) -> None:
    failed = finished("first", status="failed", occurred_at=NOON + timedelta(seconds=5))
    tell(events, created(), finished())
    tell(events, failed)
    assert database.rows(text("SELECT status FROM renders")) == [("completed",)]


@pytest.mark.parametrize("first", ["row", "event"])
def test_a_row_that_the_product_writes_itself_stays_and_counts_once(
    events: IngestRepository, database: Database, workspace_url: str, first: str
) -> None:
    # Under the day of the row, where a recomputation finds it.
    yesterday = NOON - timedelta(days=1)
    if first == "row":
        rows.insert(
            workspace_url,
            [
                rows.render("mara", yesterday, id="r", status="processing"),
                rows.file("mara", yesterday, id="f", size=300),
                rows.transaction("mara", yesterday, id="t", amount=9),
            ],
        )
    told = (created(), stored(), spent())
    tell(events, *told)
    tell(events, *(replace(one, id=f"again-{n}") for n, one in enumerate(told)))
    assert len(usage(database)) == 1
    assert not differences(database)


@pytest.mark.parametrize("first", ["own id", "plain id"])
def test_one_noun_under_two_ids_counts_once(
    events: IngestRepository, database: Database, first: str
) -> None:
    told = [(created(), stored(), spent())]
    told.insert(first == "plain id", tuple(replace(one, id=f"own-{one.id}") for one in told[0]))
    for some in told:
        tell(events, *some)
    ((_, _, *amounts),) = usage(database)
    assert amounts == [1, 4, 0, 700]
    assert not differences(database)


@pytest.mark.parametrize("first", ["event", "call"])
def test_a_render_told_both_ways_counts_once_and_its_amounts_too(
    events: IngestRepository, database: Database, first: str
) -> None:
    def record() -> None:
        amounts = UsageAmounts(renders_created=1, credits_spent=2, api_calls=1)
        RecordedRenderRepository(database).count_once("r", "mara", NOON, amounts)

    if first == "call":
        record()
    tell(events, created())
    record()
    record()
    ((_, _, *amounts),) = usage(database)
    assert amounts == [1, 2, 1, 0]


def test_a_call_is_its_keys_users_and_keeps_the_key_fresh(
    events: IngestRepository, database: Database, workspace_url: str
) -> None:
    rows.insert(workspace_url, [rows.key("noor", key_hash="h", last_used_at=None)])
    later = NOON + timedelta(hours=1)
    tell(
        events,
        call("1", user_id=None, key_hash="h", occurred_at=later),
        call("2", user_id=None, key_hash="h"),
        call("3", user_id=None, key_hash="unknown"),
    )
    assert {row[1] for row in tables(database)["api_calls"]} == {"noor"}
    assert reasons(events) == ["unknown key"]
    used = database.rows(text("SELECT last_used_at FROM plugin_api_keys"))
    tell(events, call("4", user_id=None, key_hash="h"))
    assert database.rows(text("SELECT last_used_at FROM plugin_api_keys")) == used


def test_what_nobody_knows_is_set_aside_and_counted_when_it_is_known(
    events: IngestRepository, database: Database, workspace_url: str
) -> None:
    done = tell(events, call("a", user_id="late"), created(project_id="villa"), call("b"))
    assert done == Ingested(counted=1, set_aside=2)
    assert set(reasons(events)) == {"unknown user", "unknown project"}
    assert events.retry(NOW) == Ingested(set_aside=2)
    rows.insert(workspace_url, [rows.user("late"), rows.project("mara", NOON, id="villa")])
    assert events.retry(NOW) == Ingested(counted=2)
    assert not reasons(events)
    assert events.retry(NOW) == Ingested()
    assert not differences(database)


def test_an_event_that_the_database_refuses_costs_no_other(
    events: IngestRepository, database: Database, workspace_url: str
) -> None:
    # A rule that somebody else put there, which no code of ours knows.
    rows.execute(
        workspace_url, "CREATE UNIQUE INDEX only_one ON api_calls (status_code, occurred_at)"
    )
    told = [call(f"{n}", status_code=200 + n % 7) for n in range(9)]
    assert tell(events, *told) == Ingested(counted=7, set_aside=2)
    assert not differences(database)


def test_lines_that_are_no_events_are_set_aside(events: IngestRepository) -> None:
    lines = [b"{}", b"\xff\x00", to_json(call())]
    assert events.ingest(lines, NOW, damaged=[b"half a li"]) == Ingested(counted=1, set_aside=3)


def test_old_events_are_told_by_their_rows(events: IngestRepository, database: Database) -> None:
    ago = NOW - timedelta(days=400)
    told = [
        replace(one, occurred_at=ago) for one in (created(), finished(), call(), stored(), spent())
    ]
    assert tell(events, *told, backfill=True).counted == 5
    before = tables(database)
    events.forget(NOW)
    tell(events, *told, backfill=True)
    # Also what waited in a spool for longer than ids are known.
    tell(events, *told)
    assert tables(database) == before
    assert not differences(database)


def test_ids_are_forgotten_when_they_cannot_come_again(
    events: IngestRepository, database: Database
) -> None:
    tell(events, call("old", occurred_at=NOW - timedelta(days=34)), call("new"), finished())
    events.forget(NOW + timedelta(days=2))
    left = database.rows(text("SELECT id FROM recorded_events ORDER BY id"))
    assert left == [("new",), ("render_finished:r",)]
    events.forget(NOW + timedelta(days=60))
    # An end that nobody has begun is not lost.
    assert events.waiting_endings(NOW) == 1


def test_whoever_makes_up_keys_does_not_fill_the_database(events: IngestRepository) -> None:
    for n in range(5):
        made_up = call(f"call-{n}", user_id=None, key_hash=f"made-up-{n}")
        events.ingest([to_json(made_up)], NOW + timedelta(minutes=n))
    tell(events, call("of-somebody", user_id="nobody-knows"))
    events.forget(NOW, unknown_keys=2)
    left = [one.event for one in events.set_aside(9)]
    assert len(left) == 3
    assert [f"made-up-{n}" in " ".join(left) for n in range(5)] == [False] * 3 + [True] * 2


@pytest.mark.parametrize("late", [created(), finished()], ids=["beginning", "end"])
def test_a_beginning_and_an_end_that_come_at_once_meet(
    make_database: MakeDatabase, late: Event
) -> None:
    url = make_database("postgres")
    rows.insert(url, [rows.user("mara")])
    other = finished() if isinstance(late, RenderCreated) else created()
    with closing(Database(url)) as first, closing(Database(url)) as second:

        def meanwhile(_: object) -> None:
            # Between the last statement of the one writer and its commit.
            if untold:
                tell(IngestRepository(second), untold.pop())

        untold = [other]
        sql_events.listen(first.engine, "commit", meanwhile)
        tell(IngestRepository(first), late)
        assert first.rows(text("SELECT status FROM renders")) == [("completed",)]


MOMENTS = st.datetimes(datetime(2026, 10, 30), datetime(2026, 11, 2), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events about a few nouns, each with one content, among them ends and unknown people."""
    people = st.sampled_from(["mara", "noor", "nobody"])
    told: list[Event] = []
    for n in range(draw(st.integers(0, 3))):
        who, at = draw(people), draw(MOMENTS)
        told.append(created(f"c{n}", user_id=who, render_id=f"r{n}", occurred_at=at))
        for m, status in enumerate(
            draw(st.lists(st.sampled_from(["completed", "failed"]), max_size=2))
        ):
            told.append(
                finished(
                    f"e{n}-{m}",
                    user_id=draw(people),
                    render_id=f"r{n}",
                    status=status,
                    processing_time=draw(st.none() | st.just(float(m))),
                    occurred_at=draw(st.sampled_from([at, NOON])),
                )
            )
    for n in range(draw(st.integers(0, 2))):
        who = draw(people)
        told.append(stored(f"s{n}", user_id=who, file_id=f"f{n}", occurred_at=draw(MOMENTS)))
        told.append(deleted(f"d{n}", user_id=who, file_id=f"f{n}", occurred_at=draw(MOMENTS)))
        told.append(spent(f"t{n}", user_id=who, transaction_id=f"t{n}", occurred_at=draw(MOMENTS)))
        told.append(call(f"a{n}", user_id=who, occurred_at=draw(MOMENTS)))
    return told


class _Crash(Exception):
    pass


@settings(max_examples=40)
@given(history=histories(), seed=st.integers(0, 2**32))
def test_any_order_with_repetitions_and_crashes_leaves_the_same(
    shared_url: str, history: list[Event], seed: int
) -> None:
    chance = random.Random(seed)
    people = [rows.user("mara"), rows.user("noor")]
    rows.insert(shared_url, people, replace=True)
    with closing(Database(shared_url)) as database:
        events = IngestRepository(database)
        if history:
            tell(events, *history)
        expected = tables(database)
        assert not differences(database)

        rows.insert(shared_url, people, replace=True)
        shuffled = history + chance.choices(history, k=len(history) // 2) if history else []
        chance.shuffle(shuffled)
        while shuffled:
            size = chance.randint(1, 4)
            some, shuffled = shuffled[:size], shuffled[size:]
            with crashing(database, chance.randint(0, 25)) as crash:
                tell(events, *some)
            if crash.happened:
                # The cursor was not moved: the same comes again.
                tell(events, *some)
        assert tables(database) == expected
        assert not differences(database)


class crashing:
    """Within the block, the transaction is rolled back before a statement of this number."""

    def __init__(self, database: Database, at: int) -> None:
        self._engine, self._left, self.happened = database.engine, at, False

    def _count(self, *_: object) -> None:
        self._left -= 1
        if self._left < 0:
            self.happened = True
            raise _Crash

    def __enter__(self) -> crashing:
        sql_events.listen(self._engine, "before_cursor_execute", self._count)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        sql_events.remove(self._engine, "before_cursor_execute", self._count)
        return kind is _Crash


def test_writers_of_the_same_events_at_once_count_them_once(
    database: Database, workspace_url: str
) -> None:
    told = [to_json(call(f"{n}")) for n in range(400)]

    def write(seed: int) -> None:
        mixed = random.Random(seed).sample(told, len(told))
        with closing(Database(workspace_url)) as own:
            for n in range(0, len(mixed), 50):
                IngestRepository(own).ingest(mixed[n : n + 50], NOW)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(4)))
    assert [day[2:] for day in usage(database)] == [(0, 0, 400, 0)]
    assert date.fromisoformat(str(usage(database)[0][1])) == DAY
