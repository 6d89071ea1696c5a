"""`analytics rollup`, for the workspace's own tables and for a product's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from analytics_core.dal.rollup.refresh import WORTH
from tests.support import rows
from tests.support.command import analytics, complaints, refusal, stats
from tests.support.host import create_host_tables
from tests.support.rows import execute

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


def fill(url: str) -> None:
    many = (rows.render("mara", NOON + n * timedelta(minutes=3)) for n in range(WORTH))
    rows.insert(url, [rows.user("mara"), *many])


def test_a_refresh_says_what_it_did_and_changes_no_number(workspace_url: str) -> None:
    fill(workspace_url)
    before = stats(database_url=workspace_url)
    done = analytics("rollup", "refresh", database_url=workspace_url)
    assert (done.returncode, complaints(done)) == (0, "")
    assert done.stdout == "1 more users are kept added up; 11 days of users were renewed.\n"
    assert stats(database_url=workspace_url).stdout == before.stdout
    told = analytics("doctor", database_url=workspace_url).stdout
    assert "ok     rollups of 1 users, 0 of their days to be renewed" in told


def test_verification_is_a_line_for_each_difference_and_exit_code_1(workspace_url: str) -> None:
    fill(workspace_url)
    analytics("rollup", "refresh", database_url=workspace_url)
    well = analytics("rollup", "verify", database_url=workspace_url)
    assert (well.returncode, well.stdout) == (0, "The rollups equal a recomputation.\n")
    execute(
        workspace_url,
        "UPDATE rollup_cells SET count = 7 WHERE width = 86400 AND dimension = 'render_type'",
    )
    wrong = analytics("rollup", "verify", database_url=workspace_url)
    assert (wrong.returncode, complaints(wrong)) == (1, "")
    lines = wrong.stdout.splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("mara render_type '1' 2026-10-05T00:00Z for 1440 minutes: kept 7 (")
    assert lines[-1] == "11 differences."
    sampled = analytics("rollup", "verify", "--sample", "1", database_url=workspace_url)
    assert sampled.returncode == 1


def test_a_product_without_a_state_database_is_told_what_to_set(postgres_url: str) -> None:
    create_host_tables(postgres_url)
    done = analytics("rollup", "refresh", database_url=postgres_url, profile="renderiq")
    assert "set ANALYTICS_STATE_URL and run `analytics init`" in refusal(done)


def test_a_product_is_followed_from_the_command_line(postgres_url: str, tmp_path: object) -> None:
    create_host_tables(postgres_url)
    mara = "11111111-1111-4111-8111-111111111111"
    execute(
        postgres_url,
        "INSERT INTO users (id, email, created_at, updated_at)"
        f" VALUES ('{mara}', 'mara@example.com', '2026-01-01', '2026-01-01')",
        "INSERT INTO renders (id, user_id, type, status, credits_cost, created_at, updated_at)"
        f" SELECT gen_random_uuid(), '{mara}', 'image', 'completed', 2, at, at"
        f" FROM generate_series(timestamp '2026-02-01', '2026-03-01', '5 minutes') AS g (at)",
    )
    host = {
        "database_url": postgres_url,
        "profile": "renderiq",
        "state_url": f"sqlite:///{tmp_path}/state.db",
    }
    assert analytics("init", **host).returncode == 0
    before = stats(**host).stdout
    done = analytics("rollup", "refresh", **host)
    assert done.stdout == "1 more users are kept added up; 29 days of users were renewed.\n"
    assert stats(**host).stdout == before
    assert analytics("rollup", "verify", **host).returncode == 0
    told = analytics("doctor", **host).stdout
    assert "rollup refresh` reads whole tables each time" in told
    assert "(updated_at);" in told
