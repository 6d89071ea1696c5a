"""A forgotten person is gone from everything, and does not come back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import text

from analytics_core.dal.audit import AuditRepository
from analytics_core.dal.database import Database
from analytics_core.dal.forgetting import PersonRepository
from analytics_core.dal.held import NOBODYS, OWN_TABLES, STATE_TABLES
from analytics_core.dal.ingest import Ingested, IngestRepository
from analytics_core.dal.recorded_renders import RecordedRenderRepository
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.tables import Base, StateBase
from analytics_core.dal.usage_tracking import UsageAmounts
from analytics_core.errors import DatabaseUnavailable, ForgottenUser, UnknownUser
from analytics_core.model.audited import Action
from analytics_core.model.event import (
    ApiCall,
    Credits,
    Event,
    FileDeleted,
    FileStored,
    RenderCreated,
    RenderFinished,
    to_json,
)
from analytics_core.model.scope import Scope
from tests.support import rows
from tests.support.rollups import assert_same, crashing, refresh, statistics, verified
from tests.support.usage import differences, tables
from tests.support.worlds import USERS, World, worlds

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)


@pytest.fixture
def database(workspace_url: str) -> Iterator[Database]:
    rows.insert(workspace_url, [rows.user("mara"), rows.user("noor")])
    with closing(Database(workspace_url)) as opened:
        yield opened


def events_of(user: str) -> list[Event]:
    """One of each, with ids that say nothing of the user, and some that are long."""
    about: dict[str, Any] = {"user_id": user, "occurred_at": NOON}
    long = f"{user}-".ljust(60, "x")
    # An id that the product chose says nothing; it is forgotten after 35 days.
    chosen = f"e2-{len(user) + ord(user[0])}"
    return [
        RenderCreated(id=f"render_created:r-{user}", render_id=f"r-{user}", type="image", **about),
        RenderFinished(
            id=f"render_finished:r-{user}", render_id=f"r-{user}", status="completed", **about
        ),
        RenderFinished(id=f"e1-{user}", render_id=f"lost-{user}", status="failed", **about),
        FileStored(
            id=chosen, file_id=long, name="villa.png", media_type="image/png", size=7, **about
        ),
        FileDeleted(id=f"e3-{user}", file_id=long, **about),
        Credits(
            id=f"credits:t-{user}",
            transaction_id=f"t-{user}",
            direction="debit",
            amount=4,
            category="render",
            **about,
        ),
        ApiCall(id=f"c-{user}", method="GET", route="/v1", status_code=200, duration=0.1, **about),
        by_key(user),
        # Set aside: nobody knows the project.
        RenderCreated(
            id=f"e4-{user}", render_id=f"r2-{user}", type="image", project_id="none", **about
        ),
    ]


def by_key(user: str, id_: str = "") -> ApiCall:
    return ApiCall(
        id=id_ or f"k-{user}",
        method="GET",
        route="/v1",
        status_code=200,
        duration=0.1,
        key_hash=f"hash-{user}",
        occurred_at=NOON,
    )


def fill(database: Database) -> None:
    log = AuditRepository(database)
    log.record(NOW, "mara", Action.READ, Scope.user("noor"), "a test")
    log.record(NOW, "noor", Action.READ, Scope.user("mara"), "a test")
    events = IngestRepository(database)
    for user in ("mara", "noor"):
        rows.insert(
            database.label,
            [
                rows.key(user, key_hash=f"hash-{user}", id=f"key-{user}"),
                rows.project(user, NOON, id=f"p-{user}"),
                rows.activity(user, NOON),
                rows.render(user, NOON, project_id=f"p-{user}", id=f"own-{user}"),
            ],
        )
        events.ingest([to_json(one) for one in events_of(user)], NOW)
        damaged = f'{{"id": "d", "user_id": "{user}", "occ'.encode()
        events.ingest([], NOW, damaged=[damaged])
        RecordedRenderRepository(database).count_once(
            f"r-{user}", user, NOON, UsageAmounts(renders_created=1, credits_spent=2)
        )
    refresh(database)


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row there is, but tombstones."""
    stones = {"tombstones", "tombstone_keys"}
    return {
        name: sorted(map(tuple, database.rows(text(f"SELECT * FROM {name}"))), key=repr)
        for name in Base.metadata.tables
        if name not in stones
    }


def forget(database: Database, user: str = "mara") -> dict[str, int]:
    people = PersonRepository(database)
    return people.forget(people.find(user), NOW, "a test")


def test_every_table_is_decided_upon() -> None:
    held = [one.table.name for one in (*OWN_TABLES, *STATE_TABLES)]
    assert len(held) == len(set(held))
    assert {*held, *NOBODYS} == {*Base.metadata.tables, *StateBase.metadata.tables}
    assert not NOBODYS & set(held)


def test_nothing_of_theirs_is_left_and_nothing_of_others_is_touched(database: Database) -> None:
    fill(database)
    before, off = everything(database), differences(database)
    counted = PersonRepository(database).counts("mara", NOW)
    assert all(counted[name] for name in counted if name != "rollup_marks"), counted
    gone = forget(database)
    assert {name: n for name, n in gone.items() if n} == {n: c for n, c in counted.items() if c} | {
        # Going marks days, and those marks go too.
        "rollup_marks": gone["rollup_marks"]
    }
    after = everything(database)
    assert "mara" not in repr(after)
    for name, left in after.items():
        theirs = [row for row in before[name] if "noor" in repr(row) or "mara" not in repr(row)]
        assert [row for row in left if "noor" in repr(row)] == [
            row for row in theirs if "noor" in repr(row)
        ]
    assert differences(database) == [day for day in off if day.user_id == "noor"]
    refresh(database)
    assert verified(database) == []


def test_tombstones_do_not_say_whose_they_are(database: Database) -> None:
    fill(database)
    forget(database)
    stones = database.rows(text("SELECT kind, digest, forgotten_by FROM tombstones ORDER BY kind"))
    assert [kind for kind, _, _ in stones] == ["email", "key", "user"]
    assert not any("mara" in digest for _, digest, _ in stones)
    assert PersonRepository(database).tombstones.count() == 1


def test_events_that_come_later_are_counted_as_forgotten_and_nowhere_kept(
    database: Database,
) -> None:
    fill(database)
    forget(database)
    before = everything(database)
    events = IngestRepository(database)
    lines = [to_json(one) for one in events_of("mara")]
    lines += [to_json(replace(by_key("mara"), id="another"))]
    lines += [b'{"kind": "nonsense", "user_id": "mara"}']
    damaged = [b'{"user_id":"mara","occurred', b'x "key_hash" : "hash-mara" x']
    done = events.ingest(lines, NOW, damaged=damaged)
    assert done == Ingested(forgotten=len(lines) + 2)
    assert events.ingest(lines, NOW, backfill=True) == Ingested(forgotten=len(lines))
    assert everything(database) == before
    # Others' come as before, in the same batch too.
    more = [*lines, to_json(by_key("noor", "new"))]
    assert events.ingest(more, NOW) == Ingested(counted=1, forgotten=len(lines))


def test_what_was_set_aside_before_is_not_counted_by_trying_again(database: Database) -> None:
    fill(database)
    forget(database)
    rows.insert(database.label, [rows.project("noor", NOON, id="none")])
    done = IngestRepository(database).retry(NOW)
    assert (done.counted, done.forgotten) == (1, 0)
    assert {user for _, user, *_ in tables(database)["renders"]} == {"noor"}


def test_counting_a_render_of_theirs_is_refused_without_naming_them(database: Database) -> None:
    fill(database)
    forget(database)
    with pytest.raises(ForgottenUser, match=r"^its user was forgotten on 2026-11-10$"):
        RecordedRenderRepository(database).count_once("new", "mara", NOON, UsageAmounts(1))
    assert database.rows(text("SELECT 1 FROM recorded_renders WHERE render_id = 'new'")) == []


def test_forgetting_again_is_fine_by_id_and_by_address(database: Database) -> None:
    fill(database)
    forget(database)
    people = PersonRepository(database)
    by_id, by_address = people.find("mara"), people.find("mara@example.com")
    assert (by_id.id, by_id.forgotten_at) == ("mara", NOW)
    assert (by_address.id, by_address.forgotten_at) == (None, NOW)
    for who in (by_id, by_address):
        assert sum(people.forget(who, NOW, "a test").values()) == 0
    with pytest.raises(UnknownUser):
        people.find("nobody")


def test_a_render_that_somebody_else_made_in_their_project_stays(database: Database) -> None:
    fill(database)
    rows.insert(database.label, [rows.render("noor", NOON, project_id="p-mara", id="shared")])
    forget(database)
    found = database.rows(text("SELECT user_id, project_id FROM renders WHERE id = 'shared'"))
    assert found == [("noor", None)]
    refresh(database)
    assert verified(database) == []


def test_a_crash_anywhere_leaves_all_or_nothing_and_it_can_be_run_again(
    database: Database,
) -> None:
    fill(database)
    before = everything(database)
    after = 0
    while True:
        with crashing(database, after):
            forget(database)
            break
        assert everything(database) == before
        assert PersonRepository(database).tombstones.count() == 0
        after += 3
    assert after > 20
    assert "mara" not in repr(everything(database))


def test_a_writer_at_work_is_waited_for_and_later_ones_are_refused(workspace_url: str) -> None:
    rows.insert(workspace_url, [rows.user("mara"), rows.user("noor")])
    stop = threading.Event()
    done: list[Ingested] = []

    def write(number: int) -> None:
        with closing(Database(workspace_url)) as database:
            events = IngestRepository(database)
            batch = 0
            while not stop.is_set():
                batch += 1
                told = [
                    replace(one, id=f"{number}-{batch}-{n}-{who}")
                    for who, user in enumerate(("mara", "noor"))
                    for n, one in enumerate(plain_events(user, f"{number}-{batch}"))
                ]
                try:
                    done.append(events.ingest([to_json(one) for one in told], NOW))
                except DatabaseUnavailable:
                    # SQLite's lock; the writer would try again.
                    continue

    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for writer in writers:
        writer.start()
    with closing(Database(workspace_url)) as database:
        while len(done) < 6:
            stop.wait(0.01)
        forget(database)
        reached = len(done)
        while len(done) < reached + 6:
            stop.wait(0.01)
        stop.set()
        for writer in writers:
            writer.join()
        assert "mara" not in repr(everything(database))
        assert sum(done, Ingested()).forgotten > 0
        assert not differences(database)
        assert database.rows(text("SELECT count(*) FROM set_aside_events")) == [(0,)]


def plain_events(user: str, batch: str) -> list[Event]:
    about: dict[str, Any] = {"id": "", "user_id": user, "occurred_at": NOON}
    return [
        RenderCreated(render_id=f"r-{user}-{batch}", type="image", **about),
        RenderFinished(render_id=f"r-{user}-{batch}", status="completed", **about),
        RenderFinished(render_id=f"x-{user}-{batch}", status="completed", **about),
        ApiCall(method="GET", route="/v1", status_code=200, duration=0.1, **about),
    ]


@given(world=worlds(), rolled=st.booleans())
@settings(max_examples=15)
def test_others_numbers_never_change(shared_url: str, world: World, rolled: bool) -> None:
    rows.insert(shared_url, world.rows, replace=True)
    with closing(Database(shared_url)) as database:
        if rolled:
            refresh(database)
        kept = Kept.own(database)
        gone, stays = USERS

        def page() -> Any:
            return statistics(database, kept, stays, world.dates, world.now)

        before = page()
        forget(database, gone)
        assert_same(page(), before)
        refresh(database)
        assert_same(page(), before)
        assert verified(database) == []
        assert gone not in repr(everything(database))
