"""What runs as the owner of the tables works as it does for a superuser, policies or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.demo import DemoShape, load
from analytics_core.dal.ingest import IngestRepository
from analytics_core.dal.partitions import make_partitions
from analytics_core.dal.retention import RetentionRepository
from analytics_core.dal.row_security import unprotected
from analytics_core.dal.tables import Base
from analytics_core.model.event import RenderCreated, to_json
from analytics_core.model.keeping import Kind
from tests.integration.dal import test_forgetting as forgetting
from tests.support import rows
from tests.support.guarded import Guarded, guarded
from tests.support.postgres import PostgresServer
from tests.support.rollups import refresh, verified
from tests.support.usage import differences, tables

NOW, NOON = forgetting.NOW, forgetting.NOON


@pytest.fixture
def workspace(postgres_server: PostgresServer) -> Guarded:
    return guarded(postgres_server)


@pytest.fixture
def owner(workspace: Guarded) -> Iterator[Database]:
    with closing(Database(workspace.owner)) as database:
        yield database


def test_events_by_the_hundred_are_counted_once_each(workspace: Guarded, owner: Database) -> None:
    rows.insert(workspace.url, [rows.user("mara"), rows.user("noor")])
    lines = [
        to_json(
            RenderCreated(
                id=f"r-{n}",
                render_id=str(n),
                user_id=("mara", "noor")[n % 2],
                occurred_at=NOON,
                type="image",
            )
        )
        for n in range(200)
    ]
    events = IngestRepository(owner)
    assert events.ingest(lines, NOW).counted == 200
    assert events.ingest(lines, NOW).repeated == 200
    with closing(Database(workspace.url)) as superuser:
        assert tables(superuser) == tables(owner)
        assert len(tables(superuser)["renders"]) == 200
    assert differences(owner) == []
    events.forget(NOW + timedelta(days=60))
    assert owner.rows(text("SELECT count(*) FROM recorded_events")) == [(0,)]


def test_rollups_forgetting_and_retention_reach_every_row(
    workspace: Guarded, owner: Database
) -> None:
    rows.insert(workspace.url, [rows.user("mara"), rows.user("noor")])
    with closing(Database(workspace.url)) as superuser:
        # Rows of both, in every table that forgetting reaches.
        forgetting.fill(superuser)
    assert refresh(owner).days >= 0
    assert verified(owner) == []
    gone = forgetting.forget(owner)
    assert all(gone[name] for name in gone if name != "rollup_marks"), gone
    with closing(Database(workspace.url)) as superuser:
        assert "mara" not in repr(forgetting.everything(superuser))
    refresh(owner)
    assert verified(owner) == []
    assert sum(RetentionRepository(owner).let_go(Kind.API_CALLS, date(2026, 11, 20))) > 0
    with closing(Database(workspace.url)) as superuser:
        assert superuser.rows(text("SELECT count(*) FROM api_calls")) == [(0,)]


def test_calls_of_a_month_that_is_made_later_move_there(
    workspace: Guarded, owner: Database
) -> None:
    rows.insert(workspace.url, [rows.user("mara"), rows.call("mara", NOON - timedelta(days=900))])
    with owner.write() as transaction:
        then = NOON - timedelta(days=900)
        assert make_partitions(transaction, then, then)
        transaction.commit()
    assert owner.rows(text("SELECT count(*) FROM api_calls")) == [(1,)]
    assert owner.rows(text("SELECT count(*) FROM api_calls_other")) == [(0,)]


def test_demo_data_is_loaded_and_policies_are_on_again(owner: Database) -> None:
    shape = DemoShape(users=9, renders=2000, seed=7, now=NOW)
    written = load(owner, shape)
    assert written["renders"] >= 2000
    assert load(owner, shape, replace=True) == written
    with owner.read() as connection:
        assert unprotected(connection, Base.metadata) == []
        assert connection.execute(text("SELECT count(*) FROM renders")).scalar_one() >= 2000


def test_an_older_workspace_with_rows_is_protected_by_its_upgrade(
    postgres_server: PostgresServer,
) -> None:
    made = guarded(postgres_server)
    rows.insert(made.url, [rows.user("mara")])
    # As it was before there were policies.
    rows.execute(
        made.url,
        "DROP SCHEMA analytics_access CASCADE",
        *(
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY"
            for table in Base.metadata.tables
        ),
    )
    with closing(Database(made.owner)) as database:
        assert database.rows(text("SELECT id FROM users")) == [("mara",)]
        schema.upgrade(database)
        assert database.rows(text("SELECT id FROM users")) == [("mara",)]
        with database.read() as connection:
            assert unprotected(connection, Base.metadata) == []
