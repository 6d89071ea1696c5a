"""A product's database holds its rows back once its owner ran what `doctor` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.cli import run
from analytics_core.dal.grants import GrantKey, sign
from analytics_core.dal.profile import read_profile
from analytics_core.errors import AccessEnded
from tests.support.host import TABLES, connect, load_golden
from tests.support.postgres import PostgresServer

SOON = timedelta(hours=1)
# The columns by which these tables say whose a row is.
OWNERS = {**dict.fromkeys(TABLES, "user_id"), "users": "id"}


@dataclass(frozen=True)
class Host:
    """A product with the policies of `doctor --print-sql`, its reader, and the key it showed."""

    url: str
    owner: str
    app: str
    reader: str
    key: str
    users: list[str]


@pytest.fixture(scope="module")
def host(postgres_server: PostgresServer) -> Host:
    url = postgres_server.create_database()
    load_golden(url)
    role = postgres_server.create_role("LOGIN CREATEROLE")
    app = postgres_server.create_role()
    with connect(url) as connection:
        connection.execute(f"ALTER DATABASE {postgres_server.name_of(url)} OWNER TO {role}")
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table} OWNER TO {role}")
        connection.execute(f"ALTER SCHEMA public OWNER TO {role}")
        connection.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}"
        )
    owner = postgres_server.as_role(url, role)
    [key] = ran(owner, printed(owner))
    assert ran(owner, printed(owner)) == [], "run again, it shows no key and changes nothing"
    with connect(url) as connection:
        users = [str(id_) for (id_,) in connection.execute("SELECT id FROM users").fetchall()]
    reader = postgres_server.reader_url(url)
    return Host(url, owner, postgres_server.as_role(url, app), reader, key, users)


def printed(url: str) -> str:
    """What the command prints, as it prints it."""
    from typer.testing import CliRunner

    from analytics_core.cli import app

    environment = {"ANALYTICS_DATABASE_URL": url, "ANALYTICS_PROFILE": "renderiq"}
    done = CliRunner().invoke(app, ["doctor", "--print-sql"], env=environment)
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def ran(url: str, sql: str) -> list[str]:
    """What a script's last statement that answers answered."""
    with connect(url) as connection:
        connection.autocommit = True
        cursor = connection.execute(sql)  # type: ignore[arg-type]
        answers: list[str] = []
        while True:
            if cursor.description:
                answers = [row[0] for row in cursor.fetchall()]
            if not cursor.nextset():
                return answers


def opened(host: Host, scope: Scope, **more: str) -> Workspace:
    settings = Settings.read(
        database_url=host.reader, profile="renderiq", **{"grant_key": host.key, **more}
    )
    return Workspace.open(settings, scope)


def test_every_user_has_the_same_numbers_as_without(host: Host) -> None:
    plain = Settings.read(database_url=host.url, profile="renderiq")
    periods = ("all", "2026-03", "2026-07-01..2026-09-30")
    with Workspace.open(plain, Scope.everyone()) as whole:
        for user in host.users:
            with opened(host, Scope.user(user)) as own:
                for period in periods:
                    expected = whole.get_analytics_data(user, period)
                    assert own.get_analytics_data(user, period) == expected
        assert whole.get_render_stats(None, "all").total > 0


def test_everyone_together_is_the_same_too(host: Host) -> None:
    plain = Settings.read(database_url=host.url, profile="renderiq")
    with Workspace.open(plain, Scope.everyone()) as whole, opened(host, Scope.everyone()) as ours:
        assert ours.get_analytics_data(None, "all") == whole.get_analytics_data(None, "all")


def whose(url: str, grant: str | None) -> Iterator[tuple[str, set[str]]]:
    """Whose rows are seen in each table, asked without any scope."""
    with connect(url) as connection:
        if grant is not None:
            connection.execute("SELECT set_config('analytics.granted', %s, false)", [grant])
        for table, owner in OWNERS.items():
            found = connection.execute(f"SELECT DISTINCT {owner}::text FROM {table}").fetchall()
            yield table, {id_ for (id_,) in found}


def test_a_query_without_a_scope_sees_the_granted_user_alone(host: Host) -> None:
    key = GrantKey.from_text(host.key)
    for user in host.users:
        grant = sign(Scope.user(user), key, datetime.now(UTC) + SOON)
        assert all(found <= {user} for _, found in whose(host.reader, grant))
        assert dict(whose(host.reader, grant))["users"] == {user}


@pytest.mark.parametrize("which", ["none", "over", "another key", "not an id"])
def test_without_a_good_grant_there_is_no_row(host: Host, which: str) -> None:
    key, scope = GrantKey.from_text(host.key), Scope.user(host.users[0])
    now = datetime.now(UTC)
    grant = {
        "none": None,
        "over": sign(scope, key, now - SOON),
        "another key": sign(scope, GrantKey(b"\x17" * 32), now + SOON),
        "not an id": sign(Scope.user("mara"), key, now + SOON),
    }[which]
    assert all(found == set() for _, found in whose(host.reader, grant))


def test_the_product_itself_goes_on_as_before(host: Host) -> None:
    for url in (host.app, host.owner):
        assert dict(whose(url, None))["users"] == set(host.users)
    with connect(host.app) as connection:
        changed = connection.execute("UPDATE renders SET priority = 1").rowcount
        assert changed == connection.execute("SELECT count(*) FROM renders").fetchone()[0]
        connection.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT key FROM plugin_api_keys",
        "SELECT prompt FROM renders",
        "SELECT ip_address FROM account_activity",
        "UPDATE users SET name = 'x'",
        "SELECT * FROM analytics_access.keys",
    ],
)
def test_a_reader_reads_what_the_profile_names_and_no_more(host: Host, statement: str) -> None:
    with connect(host.reader) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_without_the_key_nothing_can_be_asked(host: Host) -> None:
    settings = Settings.read(database_url=host.reader, profile="renderiq")
    with Workspace.open(settings, Scope.everyone()) as workspace, pytest.raises(AccessEnded):
        workspace.get_analytics_data(None, "all")


def test_policies_that_a_product_has_stay_as_they_are(
    postgres_server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres_server.create_database()
    load_golden(url)
    app = postgres_server.create_role()
    with connect(url) as connection:
        connection.execute("ALTER TABLE renders ENABLE ROW LEVEL SECURITY")
        connection.execute(f"GRANT SELECT ON renders TO {app}")
    [_] = ran(url, printed(url))
    # Its own policies show nobody anything, and ours add nothing to that.
    with connect(postgres_server.as_role(url, app)) as connection:
        assert connection.execute("SELECT count(*) FROM renders").fetchone() == (0,)


# --- what doctor says ---


def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **set_: str) -> str:
    for name, value in set_.items():
        monkeypatch.setenv(f"ANALYTICS_{name.upper()}", value)
    run(["doctor"])
    return capsys.readouterr().out


def test_doctor_says_that_policies_are_on_and_that_the_key_is_missing(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = {"database_url": host.reader, "profile": "renderiq"}
    assert "wrong  this database checks grants" in doctor(monkeypatch, capsys, **where)
    told = doctor(monkeypatch, capsys, grant_key=host.key)
    assert "ok     row-level security is on for the tables of the profile" in told
    assert "wrong" not in told


def test_doctor_names_a_table_whose_policy_is_gone(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(host.owner) as connection:
        connection.execute("DROP POLICY analytics_granted ON renders")
    where = {"database_url": host.reader, "profile": "renderiq", "grant_key": host.key}
    told = doctor(monkeypatch, capsys, **where)
    ran(host.owner, printed(host.owner))
    assert "wrong  row-level security is not on for renders:" in told


def test_a_product_without_policies_works_and_doctor_says_what_it_lacks(
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = postgres_server.create_database()
    load_golden(url)
    told = doctor(monkeypatch, capsys, database_url=url, profile="renderiq")
    assert "advice this database does not hold rows back itself" in told
    assert "wrong" not in told
    with Workspace.open(Settings.read(), Scope.everyone()) as workspace:
        assert workspace.get_render_stats(None, "all").total > 0


def test_every_table_that_ships_with_a_profile_is_in_what_is_printed() -> None:
    from analytics_core.dal.host_security import host_sql

    sql = host_sql(read_profile("renderiq"))
    for table in TABLES:
        assert f"CREATE POLICY analytics_granted ON {table} AS RESTRICTIVE" in sql
