"""On PostgreSQL nobody sees a row that their transaction was not granted, whatever is forgotten."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from analytics_core import DateRange, Scope, Settings, Workspace
from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.grants import Granted, GrantKey, is_signed, read, renew_key, sign
from analytics_core.dal.repositories import Repositories
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.row_security import PROTECTED, UNPROTECTED
from analytics_core.errors import AccessEnded, NotHeldBack, ScopeError
from tests.integration.dal.test_scopes import READS, answers
from tests.support import rows
from tests.support.guarded import TABLES, Guarded, fill, guarded
from tests.support.host import connect
from tests.support.postgres import PostgresServer
from tests.support.worlds import World, worlds

MARA, NOOR = Scope.user("mara"), Scope.user("noor")
# What a reader has no right to at all, granted or not.
HIDDEN = {
    *("endings", "set_aside_events", "recorded_renders", "recorded_events"),
    *("tombstones", "tombstone_keys"),
    *("audit_log", "audit_people", "followed_audit_log", "followed_audit_people"),
}

# What names people to who may read it: nobody but its owner does.
KEYS = {"tombstone_keys", "audit_people", "followed_audit_people"}


@pytest.fixture(scope="module")
def workspace(postgres_server: PostgresServer) -> Guarded:
    """Of mara and noor, one row each in every table."""
    made = guarded(postgres_server)
    fill(made.url, "mara", "noor")
    return made


def seen(url: str, grant: str | None = None) -> dict[str, Any]:
    """Whose rows a role sees in every table it may read, asked without any scope."""
    whose: dict[str, Any] = {}
    with connect(url) as connection:
        if grant is not None:
            connection.execute("SELECT set_config('analytics.granted', %s, false)", [grant])
            connection.commit()
        for table, owner in PROTECTED.items():
            try:
                found = connection.execute(f"SELECT {owner or 'count(*)'} FROM {table}").fetchall()
            except psycopg.errors.InsufficientPrivilege:
                connection.rollback()
                continue
            whose[table] = sorted(one for (one,) in found) if owner else found[0][0]
    return whose


def everything(*users: str) -> dict[str, Any]:
    return {table: sorted(users) if owner else len(users) for table, owner in PROTECTED.items()}


def without(hidden: set[str], whose: dict[str, Any]) -> dict[str, Any]:
    return {table: found for table, found in whose.items() if table not in hidden}


# --- what is protected ---


def test_of_every_table_it_was_decided_whether_it_holds_rows_of_people() -> None:
    assert PROTECTED.keys() | UNPROTECTED == TABLES.keys()
    assert not PROTECTED.keys() & UNPROTECTED
    for table, owner in PROTECTED.items():
        named = {"user_id"} & set(TABLES[table].columns.keys())
        assert named <= {owner}, table


def test_every_protected_table_and_partition_is_forced(workspace: Guarded) -> None:
    with connect(workspace.url) as connection:
        found = connection.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchall()
    held = {name for name, is_held in found if is_held}
    versions = {"analytics_workspace_version", "analytics_state_version"}
    assert {name for name, _ in found} - held == UNPROTECTED | versions
    assert len([name for name in held if name.startswith("api_calls_")]) > 3


def test_a_month_that_is_made_later_is_protected_too(workspace: Guarded) -> None:
    from analytics_core.dal.partitions import make_partitions

    with closing(Database(workspace.owner)) as database:
        later = datetime.now(UTC) + timedelta(days=400)
        with database.write() as transaction:
            assert make_partitions(transaction, later, later)
            transaction.commit()
    test_every_protected_table_and_partition_is_forced(workspace)


def test_what_was_turned_off_is_turned_on_again_by_init(postgres_server: PostgresServer) -> None:
    from analytics_core.dal import schema
    from analytics_core.dal.row_security import unprotected
    from analytics_core.dal.tables import Base

    made = guarded(postgres_server)
    with connect(made.url) as connection:
        connection.execute("ALTER TABLE renders NO FORCE ROW LEVEL SECURITY")
        connection.execute("ALTER TABLE files DISABLE ROW LEVEL SECURITY")
        connection.execute("DROP POLICY analytics_granted ON endings")
    with closing(Database(made.owner)) as database:
        with database.read() as connection:
            assert unprotected(connection, Base.metadata) == ["endings", "files", "renders"]
        schema.upgrade(database)
        with database.read() as connection:
            assert unprotected(connection, Base.metadata) == []


# --- who sees what ---


def test_a_reader_sees_the_users_of_the_grant_in_every_table(workspace: Guarded) -> None:
    team = Scope.team(["mara", "noor", "nobody"])
    for scope, users in ((MARA, ["mara"]), (NOOR, ["noor"]), (team, ["mara", "noor"])):
        found = seen(workspace.reader, workspace.grant(scope))
        assert found == without(HIDDEN, everything(*users))


def test_a_grant_of_everyone_shows_everyone(workspace: Guarded) -> None:
    granted = workspace.grant(Scope.everyone())
    assert seen(workspace.reader, granted) == without(HIDDEN, everything("mara", "noor"))


@pytest.mark.parametrize("who", ["reader", "owner"])
def test_without_a_grant_there_is_no_row_for_its_owner_either(workspace: Guarded, who: str) -> None:
    found = seen(getattr(workspace, who))
    assert found.keys() == PROTECTED.keys() - (HIDDEN if who == "reader" else set())
    assert not any(found.values())


def test_a_grant_lasts_as_long_as_its_transaction(workspace: Guarded) -> None:
    with connect(workspace.reader) as connection:
        granted = workspace.grant(MARA)
        connection.execute("SELECT set_config('analytics.granted', %s, true)", [granted])
        assert connection.execute("SELECT id FROM users").fetchall() == [("mara",)]
        connection.commit()
        assert connection.execute("SELECT id FROM users").fetchall() == []


def test_an_analyst_sees_everyone_and_an_operator_what_went_wrong_too(workspace: Guarded) -> None:
    assert seen(workspace.analyst) == without(HIDDEN, everything("mara", "noor"))
    assert seen(workspace.operator) == without(KEYS, everything("mara", "noor"))


@pytest.mark.parametrize("who", ["reader", "analyst", "operator"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET name = 'x'",
        "DELETE FROM renders",
        "INSERT INTO horizons VALUES ('api_calls', '2026-01-01')",
        "SELECT key_hash FROM plugin_api_keys",
        "SELECT * FROM api_calls_other",
        "SELECT * FROM analytics_access.keys",
        "SELECT analytics_access.new_key()",
        "SELECT analytics_access.signed('everyone.99999999999.')",
        "SELECT analytics_access.add_key('\\x00')",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        "DROP POLICY analytics_granted ON users",
        "CREATE POLICY mine ON users USING (true)",
        "CREATE FUNCTION analytics_access.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE postgres",
    ],
)
def test_who_reads_changes_nothing_and_reads_no_secret(
    workspace: Guarded, who: str, statement: str
) -> None:
    with connect(getattr(workspace, who)) as connection:
        connection.execute(
            "SELECT set_config('analytics.granted', %s, true)", [workspace.grant(Scope.everyone())]
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_nobody_puts_a_function_of_their_own_in_the_way(workspace: Guarded) -> None:
    with connect(workspace.reader) as connection:
        connection.execute("CREATE TEMP TABLE keys AS SELECT 'x' AS name")
        connection.execute(
            "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$SELECT $1$$"
        )
        connection.execute("SET search_path = pg_temp, pg_catalog, public")
        connection.execute(
            "SELECT set_config('analytics.granted', %s, true)", [forged(workspace)["another key"]]
        )
        assert connection.execute("SELECT id FROM users").fetchall() == []


# --- forged ---


def forged(workspace: Guarded) -> dict[str, str]:
    """Grants of noor's rows that nobody signed who may."""
    good = workspace.grant(MARA)
    said, signature = good[:-65], good[-64:]
    kind, until, _, name = said.split(".")
    other = GrantKey(b"\x17" * 32)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    of_noor = sign(NOOR, other, tomorrow)
    users = of_noor.split(".")[2]
    own_hash = sign(NOOR, GrantKey(b"\0" * 32), tomorrow)
    return {
        "over": workspace.grant(NOOR, seconds=-1),
        "another key": of_noor,
        "another key under its name": of_noor.replace(other.name, name),
        "other users": f"{kind}.{until}.{users}.{name}.{signature}",
        "everyone": f"everyone.{until}..{name}.{signature}",
        "another time": f"{kind}.99999999999.{good.split('.')[2]}.{name}.{signature}",
        "another signature": f"{said}.{signature[::-1]}",
        "no signature": said,
        "an empty signature": f"{said}.",
        "a key of zeroes": own_hash.replace(GrantKey(b"\0" * 32).name, name),
        "more behind": f"{good}.{users}",
        "more before": f"everyone.{good}",
        "a line before": f"x\n{good}",
        "upper case": good.upper(),
        "nothing": "",
        "words": "everyone",
        "dots": "users.....",
        "no key": f"everyone.99999999999...{'0' * 64}",
        "a key called like SQL": f"everyone.99999999999..' OR true --.{'0' * 64}",
        "no time": f"everyone.soon..{name}.{signature}",
        "a long one": "users." + "x" * 100_000,
        "JSON": '{"everyone": true}',
    }


def test_a_forged_grant_shows_nothing_and_says_nothing(workspace: Guarded) -> None:
    for what, grant in forged(workspace).items():
        found = seen(workspace.reader, grant)
        assert found.keys() == PROTECTED.keys() - HIDDEN
        assert not any(found.values()), what


@settings(max_examples=200)
@given(place=st.integers(0, 400), instead=st.characters(codec="ascii", exclude_characters="\0"))
def test_no_character_of_a_grant_can_be_changed(
    workspace: Guarded, place: int, instead: str
) -> None:
    good = workspace.grant(MARA)
    place %= len(good)
    other = good[:place] + instead + good[place + 1 :]
    with connect(workspace.reader) as connection:
        connection.execute("SELECT set_config('analytics.granted', %s, true)", [other])
        found = connection.execute("SELECT id FROM users").fetchall()
    assert found == ([("mara",)] if other == good else [])


@given(st.sets(st.text(min_size=1), min_size=1, max_size=5))
def test_a_grant_says_what_was_signed_whatever_ids_look_like(
    workspace: Guarded, ids: set[str]
) -> None:
    scope = Scope.team(ids)
    grant = workspace.grant(scope)
    assert is_signed(grant)
    stored = {one for one in ids if "\0" not in one}
    if stored:
        assert read(grant).scope == Scope.team(stored)
    with connect(workspace.reader) as connection:
        connection.execute("SELECT set_config('analytics.granted', %s, true)", [grant])
        found = connection.execute("SELECT analytics_access.users()").fetchone()
    assert found is not None
    assert set(found[0]) == stored


@pytest.mark.parametrize("text_", ["", "users.1.W10=.abc", "everyone.1.x.y.z", "users.1..' '.'"])
def test_what_is_no_grant_is_not_read_as_one(text_: str) -> None:
    assert not is_signed(text_)
    with pytest.raises(ScopeError):
        read(text_)


def test_two_keys_are_good_at_a_time(postgres_server: PostgresServer) -> None:
    made = guarded(postgres_server)
    fill(made.url, "mara")
    first = made.grant(MARA)

    def renew() -> None:
        with closing(Database(made.owner)) as database, database.write() as transaction:
            renew_key(transaction)
            transaction.commit()

    renew()
    second = made.grant(MARA)
    assert [seen(made.reader, one)["users"] for one in (first, second)] == [["mara"], ["mara"]]
    renew()
    third = made.grant(MARA)
    found = [seen(made.reader, one)["users"] for one in (first, second, third)]
    assert found == [[], ["mara"], ["mara"]]


# --- repositories whose scope was forgotten ---


def opened(url: str, granted: Granted) -> Database:
    return Database(url, granted=granted)


def reads(database: Database) -> Repositories:
    return Repositories.of(database, own_catalog(), Kept.own(database))


@pytest.fixture(scope="module")
def busy(postgres_server: PostgresServer) -> Guarded:
    return guarded(postgres_server)


@settings(max_examples=15)
@given(worlds())
def test_a_read_without_its_scope_answers_as_if_nobody_else_were_there(
    busy: Guarded, world: World
) -> None:
    rows.insert(busy.url, world.rows, replace=True)
    with (
        closing(opened(busy.reader, Granted(grant=busy.grant(MARA)))) as limited,
        closing(opened(busy.owner, Granted())) as owner,
    ):
        forgotten = answers(reads(limited), Scope.everyone(), world.dates)
        meant = answers(reads(owner), MARA, world.dates)
        others = answers(reads(limited), NOOR, world.dates)
        nobody = answers(reads(owner), Scope.user("nobody"), world.dates)
    assert forgotten.keys() == READS.keys()
    assert forgotten == meant
    assert others == nobody


@pytest.mark.parametrize("name", READS)
def test_a_read_whose_grant_is_over_is_refused_in_one_line(workspace: Guarded, name: str) -> None:
    grant = workspace.grant(MARA, seconds=-1)
    one_line = pytest.raises(AccessEnded, match=r"^access has ended: [^\n]*$")
    with closing(opened(workspace.reader, Granted(grant=grant))) as database, one_line:
        READS[name](reads(database), MARA, october())


def october() -> DateRange:
    from zoneinfo import ZoneInfo

    return DateRange.month(2026, 10, ZoneInfo("UTC"))


def test_a_grant_of_another_database_is_no_grant(workspace: Guarded, busy: Guarded) -> None:
    database = opened(workspace.reader, Granted(grant=busy.grant(MARA)))
    with closing(database), pytest.raises(AccessEnded):
        database.rows(text("SELECT 1"))


def test_a_grant_that_ends_meanwhile_ends(workspace: Guarded) -> None:
    grant = workspace.grant(MARA, seconds=2)
    with closing(opened(workspace.reader, Granted(grant=grant))) as database:
        assert database.rows(text("SELECT id FROM users")) == [("mara",)]
        time.sleep(2.1)
        with pytest.raises(AccessEnded):
            database.rows(text("SELECT id FROM users"))


# --- the owner, and what runs as the owner ---


def test_the_owner_sees_what_a_workspace_was_opened_for(workspace: Guarded) -> None:
    people = text("SELECT id FROM users ORDER BY id")
    with closing(Database(workspace.owner)) as database:
        assert database.rows(people) == [("mara",), ("noor",)]
    with closing(opened(workspace.owner, Granted(NOOR))) as database:
        assert database.rows(people) == [("noor",)]


def test_a_launcher_grants_what_a_reader_then_sees(
    workspace: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_ = Settings.read(database_url=workspace.owner, reader_url=workspace.reader)
    with Workspace.open(settings_, Scope.everyone()) as launcher:
        granted = launcher.for_reader(MARA, datetime.now(UTC) + timedelta(hours=1))
    assert granted.grant is not None
    assert granted.reader_url is None
    for name, value in granted.to_environment().items():
        monkeypatch.setenv(name, value)
        assert workspace.owner not in value
    with Workspace.current() as kernel:
        assert kernel.scope == MARA
        assert kernel.database.rows(text("SELECT id FROM users")) == [("mara",)]


def test_what_was_granted_is_handed_on_whole_or_not_at_all(workspace: Guarded) -> None:
    both, soon = Scope.team(["mara", "noor"]), datetime.now(UTC) + timedelta(hours=1)
    held = workspace.grant(both)
    with Workspace.open(Settings.read(database_url=workspace.reader, grant=held), both) as granted:
        assert granted.grant(both, soon) == held
        with pytest.raises(ScopeError, match="nothing here can sign"):
            granted.grant(MARA, soon)


def test_where_nothing_was_granted_and_nothing_can_be_signed_it_is_said_what_would_help(
    workspace: Guarded,
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    with (
        Workspace.open(Settings.read(database_url=workspace.reader), Scope.everyone()) as reader,
        pytest.raises(ScopeError, match="owner, or ANALYTICS_GRANT_KEY"),
    ):
        reader.grant(MARA, soon)


def test_who_sees_everyone_by_what_they_are_needs_nothing_signed(workspace: Guarded) -> None:
    held = workspace.grant(Scope.everyone())
    settings_ = Settings.read(database_url=workspace.analyst, grant=held)
    with Workspace.open(settings_, Scope.everyone()) as granted:
        said = granted.grant(MARA, datetime.now(UTC) + timedelta(hours=1))
    with Workspace.open(Settings.read(database_url=workspace.analyst, grant=said), MARA) as kernel:
        assert kernel.database.rows(text("SELECT count(*) FROM users")) == [(2,)]


@pytest.mark.parametrize("who", ["url", "owner"])
def test_whoever_could_help_themselves_to_more_serves_no_dashboard(
    workspace: Guarded, who: str
) -> None:
    settings_ = Settings.read(database_url=getattr(workspace, who))
    refused = pytest.raises(NotHeldBack, match="ANALYTICS_READER_URL")
    with Workspace.open(settings_, Scope.everyone()) as launcher, refused:
        launcher.for_reader(MARA, datetime.now(UTC) + timedelta(hours=1))


def test_a_role_that_bypasses_policies_serves_no_dashboard(
    workspace: Guarded, postgres_server: PostgresServer
) -> None:
    role = postgres_server.create_role("LOGIN BYPASSRLS IN ROLE analytics_reader")
    reader = postgres_server.as_role(workspace.url, role)
    settings_ = Settings.read(database_url=workspace.owner, reader_url=reader)
    with Workspace.open(settings_, Scope.everyone()) as launcher, pytest.raises(NotHeldBack):
        launcher.for_reader(MARA, datetime.now(UTC) + timedelta(hours=1))


# --- what it costs ---


def test_a_grant_is_checked_once_a_statement_and_indexes_serve(workspace: Guarded) -> None:
    with connect(workspace.reader) as connection:
        connection.execute(
            "SELECT set_config('analytics.granted', %s, true)", [workspace.grant(MARA)]
        )
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(
            row[0]
            for row in connection.execute(
                "EXPLAIN (ANALYZE, VERBOSE) SELECT count(*) FROM renders WHERE user_id = 'mara'"
                " AND created_at >= '2026-01-01' AND created_at < '2027-01-01'"
            ).fetchall()
        )
    assert len(re.findall(r"InitPlan", plan.replace("(InitPlan", ""))) == 2
    assert "SubPlan" not in plan
    assert re.search(r"Index Cond: .*user_id.*created_at", plan)
    filtered = re.findall(r"Filter: (.*)", plan)
    assert not any("analytics_access" in line for line in filtered)


# --- behind a pooler ---


@pytest.fixture
def pooler(workspace: Guarded, tmp_path: Path, postgres_server: PostgresServer) -> Iterator[str]:
    """The address of the workspace behind PgBouncer in transaction mode, with one connection."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        # Not even on CI a failure: the last test says the same of a pooler without one.
        pytest.skip("PgBouncer is missing: apt-get install pgbouncer")
    name = postgres_server.name_of(workspace.url)
    folder = Path("/tmp") / f"pgb-{os.getpid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    role = workspace.reader.partition("//")[2].partition("@")[0]
    (folder / "users").write_text(f'"{role}" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n{name} = host={postgres_server.sockets} dbname={name}\n"
        f"[pgbouncer]\nunix_socket_dir = {folder}\nlisten_port = 6543\nauth_type = trust\n"
        f"auth_file = {folder}/users\npool_mode = transaction\ndefault_pool_size = 1\n"
    )
    # It does not run as root, and the server's socket is its own user's.
    as_other = ["--user", postgres_server.sockets.owner()] if os.getuid() == 0 else []
    process = subprocess.Popen([program, "--quiet", *as_other, str(folder / "ini")])
    try:
        deadline = time.monotonic() + 10
        while not (folder / ".s.PGSQL.6543").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"postgresql+psycopg://{role}@/{name}?host={folder}&port=6543"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def test_visitors_who_share_a_servers_connection_share_no_rows(
    workspace: Guarded, pooler: str
) -> None:
    people = text("SELECT id, pg_backend_pid() FROM users")
    with (
        closing(opened(pooler, Granted(grant=workspace.grant(MARA)))) as mara,
        closing(opened(pooler, Granted(grant=workspace.grant(NOOR)))) as noor,
    ):
        backends = set()
        for _ in range(10):
            for database, name in ((mara, "mara"), (noor, "noor")):
                [[found, backend]] = database.rows(people)
                assert found == name
                backends.add(backend)
        assert len(backends) == 1
    with connect(pooler) as nobody:
        assert nobody.execute("SELECT id FROM users").fetchall() == []


def test_a_commit_takes_the_grant_with_it(workspace: Guarded) -> None:
    shown = text("SELECT current_setting('analytics.granted', true)")
    with closing(Database(workspace.owner)) as database, database.write() as transaction:
        assert is_signed(transaction.execute(shown).scalar_one())
        transaction.commit()
        assert transaction.execute(shown).scalar_one() == ""


def test_a_server_whose_connection_is_lent_to_another_client_forgets_the_grant(
    workspace: Guarded,
) -> None:
    # What a pooler does, without one: two clients' transactions on one connection.
    with connect(workspace.reader) as shared:
        for scope, name in ((MARA, "mara"), (NOOR, "noor")):
            shared.execute(f"SET LOCAL analytics.granted = '{workspace.grant(scope)}'")
            assert shared.execute("SELECT id FROM users").fetchall() == [(name,)]
            shared.rollback()
            assert shared.execute("SELECT id FROM users").fetchall() == []
            shared.commit()
