"""What `analytics doctor` finds, and what `analytics init` makes."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from analytics_core.dal.schema import STATE, WORKSPACE
from analytics_core.model.scope import Scope
from tests.support import rows
from tests.support.command import analytics, refusal, stats
from tests.support.guarded import guarded
from tests.support.host import create_host_tables
from tests.support.postgres import PostgresServer
from tests.support.rows import execute, insert, table_names


@pytest.fixture
def host_url(postgres_url: str) -> str:
    create_host_tables(postgres_url)
    return postgres_url


def findings(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_database_in_order_is_well(workspace_url: str) -> None:
    done = analytics("doctor", database_url=workspace_url)
    assert done.returncode == 0
    found = findings(done)
    assert found[0].startswith("ok     ")
    assert "answers (" in found[0]
    assert found[1] == "ok     its tables are those of this version"
    if workspace_url.startswith("sqlite"):
        assert found[2:] == []
        return
    assert found[2].startswith("ok     row-level security is forced in postgresql")
    assert found[3:] == [
        "advice postgres is not held back by row-level security: for commands only",
        "advice dashboards and reports do not run as postgres: set ANALYTICS_READER_URL",
    ]


def test_a_workspace_with_a_reader_is_well(postgres_server: PostgresServer) -> None:
    made = guarded(postgres_server)
    done = analytics("doctor", database_url=made.owner, reader_url=made.reader)
    assert done.returncode == 0
    assert "advice" not in done.stdout
    assert re.search(r"^ok     dashboards and reports read as role_\d+$", done.stdout, re.MULTILINE)
    wrong = analytics("doctor", database_url=made.owner, reader_url=made.url)
    assert wrong.returncode == 1
    assert "wrong  ANALYTICS_READER_URL is postgres, which no grant holds back" in wrong.stdout


def test_a_policy_that_is_gone_is_wrong_until_init(postgres_server: PostgresServer) -> None:
    made = guarded(postgres_server)
    execute(made.url, "ALTER TABLE renders NO FORCE ROW LEVEL SECURITY")
    done = analytics("doctor", database_url=made.owner)
    assert done.returncode == 1
    assert "wrong  row-level security is not forced on renders" in done.stdout
    assert analytics("init", database_url=made.owner).returncode == 0
    assert analytics("doctor", database_url=made.owner).returncode == 0


def test_a_superuser_is_warned_in_one_line(postgres_server: PostgresServer) -> None:
    made = guarded(postgres_server)
    insert(made.url, [rows.user("mara")])
    for url, told in (
        (made.url, "warning: row-level security does not hold back postgres\n"),
        (made.owner, ""),
    ):
        done = stats(database_url=url)
        assert (done.returncode, done.stderr) == (0, told)


def test_an_owner_who_may_make_no_roles_is_told_who_has_to_run_what(
    postgres_server: PostgresServer,
) -> None:
    # Its own server would be needed to have none of the roles: here they are there already, so only
    # their making is tried.
    role = postgres_server.create_role()
    url = postgres_server.create_database()
    execute(url, f"ALTER SCHEMA public OWNER TO {role}")
    execute(url, f"GRANT CREATE ON DATABASE {postgres_server.name_of(url)} TO {role}")
    done = analytics("init", database_url=postgres_server.as_role(url, role))
    assert done.returncode == 0, done.stderr
    assert analytics("doctor", database_url=postgres_server.as_role(url, role)).returncode == 0


def test_another_key_is_made_and_grants_of_the_last_stay_good(
    postgres_server: PostgresServer,
) -> None:
    made = guarded(postgres_server)
    before = made.grant(Scope.everyone())
    done = analytics("init", "--new-grant-key", database_url=made.owner)
    assert done.returncode == 0, done.stderr
    assert made.grant(Scope.everyone()).split(".")[3] != before.split(".")[3]
    refused = analytics("init", "--new-grant-key", database_url="sqlite:///own.db")
    assert refused.returncode == 2


def test_a_host_is_told_what_would_help_as_sql_for_its_owner(host_url: str) -> None:
    done = analytics("doctor", database_url=host_url, profile="renderiq")
    assert done.returncode == 0
    found = findings(done)
    assert "ok     it fits the profile renderiq" in found
    assert "advice this role may write there; one that may only read is safer" in found
    statements = [line for line in found if line.startswith("CREATE INDEX CONCURRENTLY ")]
    assert len(statements) == 7
    before = table_names(host_url)
    for statement in statements:
        execute(host_url, statement.replace(" CONCURRENTLY", ""))
    again = analytics("doctor", database_url=host_url, profile="renderiq")
    assert "ok     every index that pages need is there" in findings(again)
    assert table_names(host_url) == before


def test_what_is_wrong_is_said_and_the_rest_is_checked_all_the_same(tmp_path: Path) -> None:
    nowhere, neither = f"sqlite:///{tmp_path}/nowhere.db", f"sqlite:///{tmp_path}/neither.db"
    done = analytics("doctor", database_url=nowhere, profile="renderiq", state_url=neither)
    assert done.returncode == 1
    found = findings(done)
    assert found[0].startswith(f"wrong  the database {nowhere} is not available")
    assert found[1].startswith(f"wrong  the database {neither} is not available")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (f"UPDATE {WORKSPACE.version_table} SET version_num = '9999'", "is newer than this code"),
        (f"DELETE FROM {WORKSPACE.version_table}", "run `analytics init`"),
    ],
)
def test_a_database_of_another_version_is_wrong(
    workspace_url: str, statement: str, said: str
) -> None:
    execute(workspace_url, statement)
    done = analytics("doctor", database_url=workspace_url)
    assert done.returncode == 1
    assert said in done.stdout


def test_a_profile_that_does_not_fit_is_wrong(host_url: str) -> None:
    execute(host_url, "ALTER TABLE renders DROP COLUMN credits_cost")
    done = analytics("doctor", database_url=host_url, profile="renderiq")
    assert done.returncode == 1
    assert "wrong  profile renderiq: the database has no column renders.credits_cost" in done.stdout


def test_a_state_database_that_was_never_set_up_is_told_of_once(
    host_url: str, tmp_path: Path
) -> None:
    state = tmp_path / "state.db"
    state.touch()
    sqlite_url = f"sqlite:///{state}"
    done = analytics("doctor", database_url=host_url, profile="renderiq", state_url=sqlite_url)
    assert done.returncode == 1
    wrong = [line for line in findings(done) if line.startswith("wrong")]
    assert len(wrong) == 1
    assert wrong[0].endswith("has no tables of this workspace: run `analytics init`")


def test_no_password_is_told(host_url: str) -> None:
    told = analytics(
        "doctor",
        database_url=host_url.replace("postgres@", "postgres:hush-hush@"),
        profile="renderiq",
    ).stdout
    assert "postgres:***@" in told
    assert "hush-hush" not in told


def test_an_address_that_is_none_is_wrong() -> None:
    done = analytics("doctor", database_url="mysql://mara:hush@db/x")
    assert done.returncode == 1
    assert "wrong  database URL: mysql is not PostgreSQL or SQLite" in findings(done)


# --- init ---


def test_init_makes_a_workspace_and_says_so_again_and_again(database_url: str) -> None:
    for _ in range(2):
        done = analytics("init", database_url=database_url)
        assert (done.returncode, done.stderr) == (0, "")
        assert "is ready." in done.stdout
    assert WORKSPACE.metadata.tables.keys() <= table_names(database_url)


def test_several_may_set_up_at_once(database_url: str) -> None:
    with ThreadPoolExecutor(3) as at_once:
        started = [at_once.submit(analytics, "init", database_url=database_url) for _ in range(3)]
        done = [one.result() for one in started]
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 3
    assert analytics("doctor", database_url=database_url).returncode == 0


def test_init_makes_nothing_in_a_host(host_url: str) -> None:
    before = table_names(host_url)
    done = analytics("init", database_url=host_url, profile="renderiq")
    assert "nothing is created there" in done.stdout
    assert table_names(host_url) == before


def test_what_is_kept_about_a_host_is_kept_beside_it(host_url: str, sqlite_url: str) -> None:
    before = table_names(host_url)
    settings = {"database_url": host_url, "profile": "renderiq", "state_url": sqlite_url}
    for _ in range(2):
        assert "as number 1." in analytics("init", **settings).stdout
    assert STATE.metadata.tables.keys() <= table_names(sqlite_url)
    assert table_names(host_url) == before
    assert "keeps what the workspace keeps" in analytics("doctor", **settings).stdout


def test_nothing_is_ever_kept_in_the_host_itself(host_url: str) -> None:
    before = table_names(host_url)
    line = refusal(analytics("init", database_url=host_url, profile="renderiq", state_url=host_url))
    assert "where nothing is ever created" in line
    assert table_names(host_url) == before
