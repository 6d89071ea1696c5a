"""Demo data: the same for a seed, consistent with itself, and never in anybody's way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.demo import DemoShape, load
from analytics_core.dal.partitions import PARTITIONED
from analytics_core.dal.tables import Base
from analytics_core.errors import DatabaseUnavailable, NotEmpty, ReadOnlyDatabase
from tests.integration.conftest import MakeDatabase
from tests.support import rows

NOW = datetime(2026, 11, 22, 15, 30, 12, tzinfo=UTC)
SHAPE = DemoShape(users=12, renders=4_000, seed=7, now=NOW)
SMALL = DemoShape(users=4, renders=100, seed=1, now=NOW, windows=4)

TABLES = Base.metadata.tables
Rows = list[dict[str, Any]]


def open_database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def database(workspace_url: str) -> Iterator[Database]:
    """A workspace database without rows."""
    yield from open_database(workspace_url)


@pytest.fixture
def sqlite(make_database: MakeDatabase) -> Iterator[Database]:
    yield from open_database(make_database("sqlite"))


@pytest.fixture
def another_sqlite(make_database: MakeDatabase) -> Iterator[Database]:
    yield from open_database(make_database("sqlite"))


@pytest.fixture
def postgres(make_database: MakeDatabase) -> Iterator[Database]:
    yield from open_database(make_database("postgres"))


@pytest.fixture(scope="module")
def filled(shared_url: str) -> Iterator[Database]:
    """A database with the rows of `SHAPE`, for tests that only read."""
    database = Database(shared_url)
    load(database, SHAPE)
    yield database
    database.close()


def read(database: Database, table: str) -> Rows:
    """All rows of a table, as dictionaries, in no order."""
    with database.read() as connection:
        return [dict(row) for row in connection.execute(select(TABLES[table])).mappings()]


def everything(database: Database) -> dict[str, list[str]]:
    return {table: sorted(map(str, read(database, table))) for table in TABLES}


def structure(database: Database) -> list[tuple[Any, ...]]:
    """Every table, index and key as the database spells them, but for months of API calls."""
    if database.dialect == "sqlite":
        return database.rows(
            text("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1")
        )
    found = database.rows(
        text(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE conrelid <> 0 AND contype <> 'n'"
            " UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'public' ORDER BY 1, 2, 3"
        )
    )
    return [row for row in found if not row[0].startswith(f"{PARTITIONED}_")]


def utc_day(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


def test_the_same_seed_and_end_give_the_same_rows(
    sqlite: Database, another_sqlite: Database
) -> None:
    load(sqlite, SHAPE)
    load(another_sqlite, SHAPE)
    assert everything(sqlite) == everything(another_sqlite)


def test_both_kinds_of_database_get_the_same_rows(sqlite: Database, postgres: Database) -> None:
    load(sqlite, SHAPE)
    load(postgres, SHAPE)
    assert everything(sqlite) == everything(postgres)


def test_another_seed_gives_other_rows(sqlite: Database, another_sqlite: Database) -> None:
    load(sqlite, SHAPE)
    load(another_sqlite, DemoShape(users=12, renders=4_000, seed=8, now=NOW))
    assert everything(sqlite)["renders"] != everything(another_sqlite)["renders"]


def test_there_are_exactly_as_many_users_and_renders_as_asked_for(filled: Database) -> None:
    assert len(read(filled, "users")) == 12
    assert len(read(filled, "renders")) == 4_000


def test_the_loader_says_how_many_rows_it_wrote(sqlite: Database) -> None:
    told = load(sqlite, SHAPE)
    assert told == {table: n for table in TABLES if (n := len(read(sqlite, table)))}


def test_every_render_is_paid_for_once_and_at_its_price(filled: Database) -> None:
    debits = Counter(
        (entry["reference_id"], entry["user_id"], entry["amount"])
        for entry in read(filled, "credit_transactions")
        if entry["kind"] == "debit"
    )
    prices = Counter((r["id"], r["user_id"], r["credits_cost"]) for r in read(filled, "renders"))
    assert debits == prices


def test_failed_renders_and_no_others_are_refunded(filled: Database) -> None:
    refunds = Counter(
        (entry["reference_id"], entry["amount"])
        for entry in read(filled, "credit_transactions")
        if entry["category"] == "refund"
    )
    failed = Counter(
        (r["id"], r["credits_cost"]) for r in read(filled, "renders") if r["status"] == "failed"
    )
    assert failed
    assert refunds == failed


def test_nobody_ever_spends_what_they_do_not_have(filled: Database) -> None:
    entries = read(filled, "credit_transactions")
    balances: Counter[str] = Counter()
    for entry in sorted(entries, key=lambda e: (e["created_at"], e["kind"] == "debit")):
        balances[entry["user_id"]] += entry["amount"] * (1 if entry["kind"] == "credit" else -1)
        assert balances[entry["user_id"]] >= 0


def test_the_daily_aggregate_equals_its_recomputation(filled: Database) -> None:
    days: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for render in read(filled, "renders"):
        days[render["user_id"], utc_day(render["created_at"])][0] += 1
    for entry in read(filled, "credit_transactions"):
        if entry["kind"] == "debit":
            days[entry["user_id"], utc_day(entry["created_at"])][1] += entry["amount"]
    calls = read(filled, "api_calls")
    for call in calls:
        days[call["user_id"], utc_day(call["occurred_at"])][2] += 1
    for file in read(filled, "files"):
        days[file["user_id"], utc_day(file["created_at"])][3] += file["size"]
    stored = {
        (row["user_id"], row["date"]): [
            row[name] for name in ("renders_created", "credits_spent", "api_calls", "storage_used")
        ]
        for row in read(filled, "usage_tracking")
    }
    recording = min(utc_day(call["occurred_at"]) for call in calls)
    # Before calls were recorded one by one, only the aggregate knows of them.
    for (_, day), amounts in stored.items():
        if day < recording:
            amounts[2] = 0
    assert {key: amounts for key, amounts in stored.items() if any(amounts)} == days


def test_calls_from_before_recording_are_in_the_daily_aggregate(filled: Database) -> None:
    recording = min(utc_day(call["occurred_at"]) for call in read(filled, "api_calls"))
    plugin_renders = Counter(
        (render["user_id"], utc_day(render["created_at"]))
        for render in read(filled, "renders")
        if render["source_platform"] and utc_day(render["created_at"]) < recording
    )
    called = {
        (row["user_id"], row["date"]): row["api_calls"] for row in read(filled, "usage_tracking")
    }
    assert plugin_renders
    assert all(called[key] >= renders for key, renders in plugin_renders.items())


def test_nothing_lies_in_the_future_or_before_its_user_signed_up(filled: Database) -> None:
    since = {user["id"]: user["created_at"] for user in read(filled, "users")}
    for table, name in (
        ("projects", "created_at"),
        ("renders", "created_at"),
        ("credit_transactions", "created_at"),
        ("account_activity", "created_at"),
        ("files", "created_at"),
        ("api_calls", "occurred_at"),
        ("plugin_api_keys", "created_at"),
    ):
        for row in read(filled, table):
            assert since[row["user_id"]] <= row[name] <= NOW, table


def test_renders_belong_to_projects_of_their_own_users_made_before(filled: Database) -> None:
    projects = {project["id"]: project for project in read(filled, "projects")}
    belonging = [render for render in read(filled, "renders") if render["project_id"]]
    assert len(belonging) > 2_000
    for render in belonging:
        project = projects[render["project_id"]]
        assert project["user_id"] == render["user_id"]
        assert project["created_at"] <= render["created_at"]


def test_the_last_login_of_a_user_is_the_newest_there_is(filled: Database) -> None:
    logins: dict[str, datetime] = {}
    for event in read(filled, "account_activity"):
        if event["event"] == "login":
            logins[event["user_id"]] = max(
                event["created_at"], logins.get(event["user_id"], event["created_at"])
            )
    for user in read(filled, "users"):
        assert user["last_login_at"] == logins.get(user["id"])


def test_a_few_users_make_most_of_the_renders(filled: Database) -> None:
    made = Counter(render["user_id"] for render in read(filled, "renders"))
    assert sum(n for _, n in made.most_common(3)) > 2_000


def test_weekends_are_quiet(filled: Database) -> None:
    weekdays = Counter(
        utc_day(render["created_at"]).weekday() for render in read(filled, "renders")
    )
    assert weekdays[5] + weekdays[6] < sum(weekdays[n] for n in range(5)) / 5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_maras_page_has_something_everywhere_in_the_last_30_days(
    sqlite: Database, seed: int
) -> None:
    load(sqlite, DemoShape(users=40, renders=30_000, seed=seed, now=NOW))
    settings = Settings.read(database_url=sqlite.engine.url.render_as_string())
    with Workspace(settings, Scope.everyone(), clock=lambda: NOW) as workspace:
        page = workspace.get_analytics_data("mara@example.com", "30d", compare=True)
    for one in (page.current, page.previous):
        assert one is not None
        answer = one.to_dict()
        assert min(answer["renders"]["by_type"].values()) > 0
        assert min(answer["renders"]["by_platform"].values()) > 0
        assert min(answer["renders"]["by_quality"].values()) > 0
        assert min(answer["credits"]["by_category"].values()) > 0
        assert len(answer["api"]["by_route"]) == 5
        assert len(answer["api"]["by_platform"]) >= 4
        assert min(answer["api"]["by_status_class"].values()) > 0
        assert len(answer["storage"]["by_media_type"]) == 4
        assert answer["storage"]["uploaded_bytes"] > 0
        assert answer["projects"]["total"] > 5
    today = page.current.daily[-1]
    assert today.date == NOW.date()
    assert today.renders_created > 0
    assert page.current.api.active_keys == 2
    assert page.current.api.keys == 5


def test_nils_has_only_signed_up(filled: Database) -> None:
    (nils,) = [user for user in read(filled, "users") if user["email"] == "nils@example.com"]
    events = [e["event"] for e in read(filled, "account_activity") if e["user_id"] == nils["id"]]
    assert events == ["signup"]
    for table in ("projects", "renders", "credit_transactions", "files", "usage_tracking"):
        assert all(row["user_id"] != nils["id"] for row in read(filled, table))


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_mara_can_be_given_an_exact_number_of_renders_in_her_last_30_days(
    sqlite: Database, hour: int
) -> None:
    # At 23 hours in UTC it is tomorrow in Madrid.
    now = NOW.replace(hour=hour)
    shape = DemoShape(users=5, renders=2_000, seed=1, now=now, first_users_last_30_days=700)
    load(sqlite, shape)
    settings = Settings.read(database_url=sqlite.engine.url.render_as_string())
    with Workspace(settings, Scope.everyone(), clock=lambda: now) as workspace:
        assert workspace.get_render_stats("mara@example.com", "30d").total == 700
        assert workspace.get_render_stats(None, "all").total == 2_000


def test_indexes_and_keys_are_afterwards_as_they_were(database: Database) -> None:
    before = structure(database)
    load(database, SMALL)
    assert structure(database) == before
    schema.check(database)


def test_a_load_that_is_interrupted_leaves_nothing(database: Database) -> None:
    before = structure(database)

    def interrupt(step: str, done: int, total: int) -> None:
        if step == "indexing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(database, SMALL, progress=interrupt)
    assert not any(everything(database).values())
    assert structure(database) == before


def test_progress_is_told_in_order_and_to_the_end(sqlite: Database) -> None:
    told: list[tuple[str, int, int]] = []
    load(sqlite, SMALL, progress=lambda *said: told.append(said))
    assert list(dict.fromkeys(step for step, _, _ in told)) == ["writing", "indexing", "tidying up"]
    for step in ("writing", "indexing", "tidying up"):
        done = [n for said, n, _ in told if said == step]
        assert done == sorted(done)
        assert (step, done[-1], done[-1]) in told


def test_a_database_with_users_is_left_alone(database: Database) -> None:
    load(database, SMALL)
    before = everything(database)
    with pytest.raises(NotEmpty, match="--replace"):
        load(database, SMALL)
    assert everything(database) == before


def test_demo_data_can_be_replaced(database: Database) -> None:
    load(database, SMALL)
    load(database, DemoShape(users=3, renders=50, seed=1, now=NOW), replace=True)
    assert len(read(database, "users")) == 3
    assert len(read(database, "renders")) == 50


def test_users_that_are_not_invented_are_never_replaced(database: Database) -> None:
    load(database, SMALL)
    rows.insert(
        database.engine.url.render_as_string(hide_password=False),
        [rows.user("real", email="somebody@studio.example")],
    )
    before = everything(database)
    with pytest.raises(NotEmpty, match="not demo data"):
        load(database, SMALL, replace=True)
    assert everything(database) == before


def test_a_products_own_database_is_refused(workspace_url: str) -> None:
    host = Database(workspace_url, read_only=True)
    with pytest.raises(ReadOnlyDatabase):
        load(host, SMALL)
    assert not read(host, "users")
    host.close()


def test_a_database_without_our_tables_is_an_error_in_plain_words(database_url: str) -> None:
    empty = Database(database_url, create=True)
    with pytest.raises(DatabaseUnavailable):
        load(empty, SMALL)
    empty.close()


def test_index_only_reads_look_at_no_table_from_the_start(postgres: Database) -> None:
    load(postgres, SMALL)
    with postgres.read() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = connection.scalars(
            text("EXPLAIN (ANALYZE) SELECT count(*) FROM renders WHERE user_id > '0'")
        ).all()
    assert "Index Only Scan using ix_renders_page" in "".join(plan)
    assert "Heap Fetches: 0" in "".join(plan)


def test_the_planner_knows_the_tables_afterwards(sqlite: Database) -> None:
    load(sqlite, SMALL)
    ((known,),) = sqlite.rows(select(func.count()).select_from(text("sqlite_stat1")))
    assert known


def test_a_day_before_recording_has_no_single_calls(filled: Database) -> None:
    first = min(call["occurred_at"] for call in read(filled, "api_calls"))
    assert first >= NOW - timedelta(days=76)
