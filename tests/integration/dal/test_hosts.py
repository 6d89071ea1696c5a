"""Products' own databases, odd as they are, read through a profile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from sqlalchemy import text

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal.indexes import missing_indexes
from analytics_core.dal.profile import read_profile
from analytics_core.errors import DatabaseUnavailable, ProfileError
from tests.support.host import create_host_tables
from tests.support.postgres import PostgresServer
from tests.support.rows import execute, table_names

MARA = "11111111-1111-4111-8111-111111111111"

Attach = Callable[..., Workspace]


@pytest.fixture
def host(postgres_url: str) -> str:
    """A renderiq host where Mara has one of everything."""
    create_host_tables(postgres_url)
    at = "timestamp '2026-10-05 12:00'"
    owned = f"gen_random_uuid(), '{MARA}'"
    execute(
        postgres_url,
        f"INSERT INTO users (id, email, created_at, updated_at)"
        f" VALUES ('{MARA}', 'mara@example.com', {at}, {at})",
        f"INSERT INTO renders (id, user_id, type, status, credits_cost, created_at, updated_at)"
        f" VALUES ({owned}, 'image', 'completed', 2, {at}, {at})",
        f"INSERT INTO projects (id, user_id, status, created_at, updated_at)"
        f" VALUES ({owned}, 'completed', {at}, {at})",
        f"INSERT INTO credit_transactions (id, user_id, type, amount, reference_type, created_at)"
        f" VALUES ({owned}, 'spent', -2, 'render', {at})",
        f"INSERT INTO account_activity (id, user_id, event_type, created_at)"
        f" VALUES ({owned}, 'login', {at})",
        f"INSERT INTO plugin_api_keys (id, user_id, is_active, last_used_at, created_at,"
        f" updated_at) VALUES ({owned}, true, {at}, {at}, {at})",
        f"INSERT INTO file_storage (id, user_id, mime_type, size, created_at, updated_at)"
        f" VALUES ({owned}, 'image/png', 10, {at}, {at})",
        f"INSERT INTO usage_tracking (id, user_id, date, api_calls, created_at)"
        f" VALUES ({owned}, '2026-10-05', 7, {at})",
    )
    return postgres_url


@pytest.fixture
def attach(tmp_path: Path, request: pytest.FixtureRequest) -> Attach:
    """Opens a host through a profile: one that ships, or one written here."""

    def attach(url: str, profile: str = "renderiq") -> Workspace:
        if "\n" in profile:
            file = tmp_path / "product.toml"
            file.write_text(dedent(profile))
            profile = str(file)
        workspace = Workspace.open(
            Settings.read(database_url=url, profile=profile), Scope.everyone()
        )
        request.addfinalizer(workspace.close)
        return workspace

    return attach


def october(workspace: Workspace, user: str | None = None) -> dict[str, Any]:
    return workspace.get_analytics_data(user, "2026-10").to_dict()


def test_one_of_everything_is_there(host: str, attach: Attach) -> None:
    found = october(attach(host), "mara@example.com")
    assert found["renders"]["by_platform"] == {"web": 1, "tools": 0, "canvas": 0, "plugin": 0}
    assert found["renders"]["by_quality"]["unspecified"] == 1
    assert found["projects"]["by_platform"] == {"web": 1, "tools": 0, "canvas": 0}
    assert found["credits"]["by_category"]["render"] == found["credits"]["spent"] == 2
    assert (found["api"]["total_calls"], found["api"]["source"]) == (7, "daily")
    assert (found["api"]["keys"], found["api"]["active_keys"]) == (1, 1)
    assert found["storage"]["stored_bytes"] == 10
    assert found["activity"]["logins"] == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE renders SET credits_cost = NULL, type = NULL, status = NULL",
        "UPDATE credit_transactions SET amount = NULL, type = NULL",
        "UPDATE file_storage SET size = NULL, mime_type = NULL",
        "UPDATE account_activity SET event_type = NULL",
        "UPDATE plugin_api_keys SET is_active = NULL",
        "UPDATE usage_tracking SET api_calls = NULL",
        "UPDATE projects SET status = NULL",
        "UPDATE users SET name = NULL",
    ],
)
def test_what_a_host_leaves_out_counts_as_nothing(
    host: str, attach: Attach, statement: str
) -> None:
    execute(host, statement)
    found = october(attach(host), "mara@example.com")
    assert found["range"]["days"] == 31
    assert found["renders"]["total"] == found["projects"]["total"] == 1


def test_a_stored_day_that_says_nothing_of_calls_is_no_source(host: str, attach: Attach) -> None:
    execute(
        host,
        "UPDATE usage_tracking SET api_calls = NULL",
        """UPDATE renders SET metadata = '{"sourcePlatform": "revit"}'""",
    )
    api = october(attach(host))["api"]
    assert (api["total_calls"], api["source"]) == (1, "inferred")


def test_a_record_without_a_time_is_in_no_range(host: str, attach: Attach) -> None:
    for table in ("renders", "account_activity", "credit_transactions", "file_storage"):
        execute(
            host,
            f"ALTER TABLE {table} ALTER created_at DROP NOT NULL",
            f"UPDATE {table} SET created_at = NULL",
        )
    found = october(attach(host), "mara@example.com")
    assert found["renders"]["total"] == found["credits"]["spent"] == 0
    assert found["storage"]["stored_files"] == 0


@pytest.mark.parametrize(
    "settings", ["null", "{}", '{"quality": null}', '{"quality": ""}', "[]", '"high"', "7"]
)
def test_settings_that_name_no_quality_leave_it_unspecified(
    host: str, attach: Attach, settings: str
) -> None:
    execute(host, f"UPDATE renders SET settings = '{settings}'")
    assert october(attach(host))["renders"]["by_quality"]["unspecified"] == 1


def test_a_quality_nobody_knows_is_unspecified(host: str, attach: Attach) -> None:
    execute(host, """UPDATE renders SET settings = '{"quality": "cosmic"}'""")
    qualities = october(attach(host))["renders"]["by_quality"]
    assert qualities == {"standard": 0, "high": 0, "ultra": 0, "unspecified": 1}


def test_a_column_that_only_some_hosts_have_may_be_missing(host: str, attach: Attach) -> None:
    execute(host, "ALTER TABLE plugin_api_keys DROP COLUMN expires_at")
    assert october(attach(host))["api"]["active_keys"] == 1


def test_naive_timestamps_are_utc_whatever_the_server_thinks(host: str, attach: Attach) -> None:
    execute(host, "UPDATE renders SET created_at = '2026-10-05 23:30'")
    execute(
        host,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''',"
        " current_database()); END $$",
    )
    renders = attach(host).get_render_stats(None, "2026-10-05..2026-10-06", zone="UTC")
    assert renders.by_day == (1, 0)


def test_no_number_depends_on_the_servers_zone(host: str, attach: Attach) -> None:
    before = attach(host).get_analytics_data(None, "2026-10", zone="UTC")
    execute(
        host,
        # Naive instants beside some with a zone, within one table and among several.
        "ALTER TABLE renders ALTER created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''',"
        " current_database()); END $$",
    )
    assert attach(host).get_analytics_data(None, "2026-10", zone="UTC").current == before.current


@pytest.mark.parametrize(
    "declared",
    [
        "ALTER TABLE renders ALTER user_id TYPE varchar(36)",
        "ALTER TABLE account_activity ALTER user_id TYPE text",
        'ALTER TABLE renders ALTER user_id TYPE text COLLATE "C"',
    ],
)
def test_tables_need_not_declare_ids_alike(host: str, attach: Attach, declared: str) -> None:
    before = attach(host).get_analytics_data(MARA, "2026-10", zone="UTC")
    execute(host, declared)
    assert attach(host).get_analytics_data(MARA, "2026-10", zone="UTC").current == before.current


def test_nothing_is_created_and_no_sequence_moved(host: str, attach: Attach) -> None:
    objects = text(
        "SELECT oid::text FROM pg_class UNION ALL SELECT oid::text FROM pg_proc"
        " UNION ALL SELECT oid::text FROM pg_type UNION ALL SELECT oid::text FROM pg_namespace"
    )
    workspace = attach(host)
    before = set(workspace.database.rows(objects)), table_names(host)
    workspace.get_analytics_data("mara@example.com", "all", compare=True)
    missing_indexes(workspace.database, read_profile("renderiq"))
    assert (set(workspace.database.rows(objects)), table_names(host)) == before


def test_a_role_that_may_only_read_is_enough(
    postgres_server: PostgresServer, host: str, attach: Attach
) -> None:
    role = postgres_server.create_role()
    execute(host, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    reader = attach(host.replace("postgres@", f"{role}@"))
    assert october(reader, MARA)["renders"]["total"] == 1
    assert not reader.database.may_write()


def test_a_role_that_may_not_read_is_told_so(
    postgres_server: PostgresServer, host: str, attach: Attach
) -> None:
    role = postgres_server.create_role()
    with pytest.raises(DatabaseUnavailable, match="permission denied"):
        october(attach(host.replace("postgres@", f"{role}@")))


# --- other products ---

SMALL = """
    [users]
    table = "accounts"
    schema = "identity"
    id = "account_id"
    email = "email"
    zone = "timezone"
    created_at = "registered_at"

    [renders]
    table = "jobs"
    id = "id"
    user_id = "account_id"
    type = { column = "kind", values = { still = "image", clip = "video" } }
    status = { column = "state", values = { done = "completed", error = "failed" }, otherwise = "processing" }
    quality = { column = "options", path = ["output", "quality"] }
    platform = { column = "origin", missing = "web" }
    source_platform = { column = "client", path = ["host"] }
    credits_cost = "credits"
    processing_time = "seconds"
    created_at = "queued_at"
"""  # noqa: E501


@pytest.fixture
def product(postgres_url: str) -> str:
    """Numbers for ids, instants with zones, enumerations, JSON as text, money as numeric."""
    execute(
        postgres_url,
        "CREATE SCHEMA identity",
        "CREATE TABLE identity.accounts (account_id bigint PRIMARY KEY, email text,"
        " timezone text, registered_at timestamptz)",
        "INSERT INTO identity.accounts VALUES"
        " (7, 'mara@example.com', 'Asia/Tokyo', '2026-01-01Z'),"
        " (8, 'noor@example.com', NULL, '2026-01-01Z')",
        "CREATE TYPE state AS ENUM ('done', 'error', 'queued')",
        "CREATE TABLE jobs (id int PRIMARY KEY, account_id int, kind text, state state,"
        " options text, origin text, client jsonb, credits numeric(10, 2), seconds float,"
        " queued_at timestamptz)",
        """INSERT INTO jobs VALUES
        (1, 7, 'still', 'done', '{"output": {"quality": "high"}}', NULL, '{"host": "rhino"}',
            1.25, 10, '2026-10-05 14:59Z'),
        (2, 7, 'clip', 'error', '{}', 'canvas', '{}', 2.50, NULL, '2026-10-05 15:00Z'),
        (3, 7, 'hologram', 'queued', NULL, 'tools', NULL, 0.25, NULL, '2026-10-06 14:59Z'),
        (4, 8, 'still', 'done', NULL, NULL, NULL, 9, 1, '2026-10-05 12:00Z')""",
    )
    return postgres_url


def test_another_product_is_read_through_a_profile_of_its_own(product: str, attach: Attach) -> None:
    found = attach(product, SMALL).get_analytics_data("mara@example.com", "2026-10-05..2026-10-06")
    machine = found.to_dict()
    renders = machine["renders"]
    assert machine["range"]["tz"] == "Asia/Tokyo"
    assert found.current.renders.by_day == (1, 2)
    assert renders["by_type"] == {"image": 1, "video": 1, "unspecified": 1}
    assert renders["by_status"] == {"completed": 1, "failed": 1, "pending": 0, "processing": 1}
    assert renders["by_quality"] == {"standard": 0, "high": 1, "ultra": 0, "unspecified": 2}
    assert renders["by_platform"] == {"web": 0, "tools": 1, "canvas": 1, "plugin": 1}
    assert renders["credits_spent"] == 4
    assert renders["average_processing_time"] == 10
    # It has no ledger, projects, files, keys or activity.
    assert machine["credits"]["spent"] == machine["projects"]["total"] == 0
    assert machine["api"] == {
        **machine["api"],
        "total_calls": 1,
        "source": "inferred",
        "by_platform": {"rhino": 1},
        "keys": 0,
    }


@pytest.mark.parametrize("id_", ["7", "mara@example.com"])
def test_numbers_for_ids_are_text_everywhere_else(product: str, attach: Attach, id_: str) -> None:
    assert attach(product, SMALL).find_user(id_).id == "7"


def test_views_stand_in_for_tables(product: str, attach: Attach) -> None:
    execute(
        product,
        "CREATE VIEW recent AS SELECT * FROM jobs",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM jobs",
    )
    for view in ("recent", "kept"):
        profile = SMALL.replace('table = "jobs"', f'table = "{view}"')
        assert attach(product, profile).get_render_stats(None, "2026-10").total == 4


def test_a_json_text_that_is_none_is_told_in_one_line(product: str, attach: Attach) -> None:
    execute(product, "UPDATE jobs SET options = 'no json'")
    with pytest.raises(DatabaseUnavailable, match="invalid input syntax for type json"):
        attach(product, SMALL).get_render_stats(None, "2026-10")


# --- profiles that do not fit ---


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('table = "jobs"', 'table = "tasks"', "the database has no table tasks"),
        ('schema = "identity"', 'schema = "public"', "no table public.accounts"),
        ('"queued_at"', '"asked_at"', r"no column jobs\.asked_at, which \[renders\] names for"),
        ('schema = "identity"', "", "no table accounts"),
        ("credits_cost =", "cost =", r"\[renders\] has no field cost"),
        ('credits_cost = "credits"', "", r"\[renders\] needs the field credits_cost"),
        ("[renders]", "[videos]", r"\[videos\] is none of"),
        ("[users]", "[projects]", r"needs at least \[users\]"),
        ('column = "kind"', 'colum = "kind"', "colum"),
        ('table = "jobs"', "", "renders.table"),
        ('credits_cost = "credits"', "credits_cost = 7", "renders.credits_cost"),
        ("[users]", "[users", "(?i)expected"),
        ("[users]", "users = 7\n[renders.x]", "users: must be a section"),
    ],
)
def test_a_profile_that_does_not_fit_says_where(
    product: str, attach: Attach, old: str, new: str, message: str
) -> None:
    assert old in SMALL
    with pytest.raises(ProfileError, match=message) as refused:
        october(attach(product, SMALL.replace(old, new)))
    assert len(str(refused.value).splitlines()) == 1


# --- indexes ---


def test_a_host_with_primary_keys_alone_is_told_which_indexes_would_help(
    host: str, attach: Attach
) -> None:
    database = attach(host).database
    suggested = missing_indexes(database, read_profile("renderiq"))
    assert "CREATE INDEX CONCURRENTLY ix_renders_user_id_created_at ON renders" in suggested[1]
    assert not [one for one in suggested if " users " in one]
    assert len(suggested) == 7
    for statement in suggested:
        execute(host, statement.replace(" CONCURRENTLY", ""))
    assert missing_indexes(database, read_profile("renderiq")) == []


@pytest.mark.parametrize(
    ("index", "serves"),
    [
        ("(user_id, created_at)", True),
        ("(user_id, created_at, status)", True),
        ("(user_id)", False),
        ("(created_at, user_id)", False),
        ("(user_id, created_at) WHERE status = 'completed'", False),
        ("((user_id::text), created_at)", False),
    ],
)
def test_an_index_serves_when_it_begins_with_what_is_asked(
    host: str, attach: Attach, index: str, serves: bool
) -> None:
    execute(host, f"CREATE INDEX ON renders {index}")
    suggested = missing_indexes(attach(host).database, read_profile("renderiq"))
    assert any(" ON renders " in one for one in suggested) != serves


def test_nobody_is_told_to_index_a_view(product: str, attach: Attach) -> None:
    execute(product, "CREATE VIEW recent AS SELECT * FROM jobs")
    workspace = attach(product, SMALL.replace('table = "jobs"', 'table = "recent"'))
    profile = read_profile(str(workspace.settings.profile))
    suggested = missing_indexes(workspace.database, profile)
    assert len(suggested) == 1
    assert " ON identity.accounts (email);" in suggested[0]


def test_nobody_is_told_to_index_a_document_for_a_value_inside_it(
    product: str, attach: Attach
) -> None:
    inside = SMALL.replace(
        'user_id = "account_id"', 'user_id = { column = "client", path = ["by"] }'
    )
    workspace = attach(product, inside)
    suggested = missing_indexes(workspace.database, read_profile(str(workspace.settings.profile)))
    assert not [one for one in suggested if " ON jobs " in one]
