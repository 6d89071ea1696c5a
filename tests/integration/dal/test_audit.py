"""What was done with rows of people is told, is never changed, and forgets who is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal import schema
from analytics_core.dal.audit import AuditRepository
from analytics_core.dal.database import Database
from analytics_core.errors import DatabaseUnavailable
from analytics_core.identity.visitor import Visitor
from analytics_core.model.audited import Action, Audited
from analytics_core.serving.granting import Granting
from tests.support import rows
from tests.support.guarded import guarded
from tests.support.host import connect, load_golden
from tests.support.postgres import PostgresServer

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def workspace(workspace_url: str) -> Iterator[Workspace]:
    rows.insert(workspace_url, [rows.user("mara"), rows.user("noor")])
    with Workspace.open(Settings.read(database_url=workspace_url), Scope.everyone()) as opened:
        yield opened


def audit(workspace: Workspace) -> AuditRepository:
    return AuditRepository(workspace.database)


def test_what_was_done_is_told_in_order(workspace: Workspace) -> None:
    log = audit(workspace)
    team = Scope.team(["mara", "noor"])
    log.record(NOW, "operator ines", Action.READ, Scope.everyone(), "dashboard")
    log.record(NOW + timedelta(hours=1), "mara", Action.EXPORT, team, "analytics export")
    first = Audited(NOW, "operator ines", Action.READ, None, "dashboard")
    second = Audited(
        NOW + timedelta(hours=1), "mara", Action.EXPORT, ("mara", "noor"), "analytics export"
    )
    assert log.entries() == [first, second]
    assert log.entries(NOW + timedelta(minutes=1)) == [second]


def test_nobody_is_named_in_the_log_itself(workspace: Workspace) -> None:
    audit(workspace).record(NOW, "mara", Action.READ, Scope.user("noor"), "dashboard")
    [[who, whose]] = workspace.database.rows(text("SELECT who, whose FROM audit_log"))
    assert who != whose
    assert len(who) == len(whose) == 64
    assert not {"mara", "noor"} & {who, whose}


def test_forgetting_somebody_leaves_the_log_and_takes_them_out_of_it(workspace: Workspace) -> None:
    log = audit(workspace)
    team = Scope.team(["mara", "noor"])
    log.record(NOW, "noor", Action.READ, team, "dashboard")
    gone = workspace.forget(workspace.find_person("noor"), "a test")
    assert gone["audit_people"] == 1
    [entry] = log.entries()
    assert entry.who is None
    assert set(entry.whose or ()) == {"mara", None}
    with closing(Database(workspace.settings.database_url.get_secret_value())) as database:
        kept = database.rows(text("SELECT user_id FROM audit_people"))
    assert kept == [("mara",)]


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET who = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
)
def test_what_is_in_the_log_stays(workspace: Workspace, statement: str) -> None:
    if statement.startswith("TRUNCATE") and workspace.database.dialect == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    log = audit(workspace)
    log.record(NOW, "mara", Action.READ, Scope.everyone(), "dashboard")
    before = log.entries()
    refused = pytest.raises(Exception, match="the audit log is only added to")
    with workspace.database.write() as transaction, refused:
        transaction.execute(text(statement))
    assert log.entries() == before


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET who = 'x'", "DELETE FROM audit_log"])
def test_its_owner_has_no_right_to_change_it(
    postgres_server: PostgresServer, statement: str
) -> None:
    made = guarded(postgres_server)
    with closing(Database(made.owner)) as database:
        AuditRepository(database).record(NOW, "x", Action.READ, Scope.everyone(), "dashboard")
        with (
            pytest.raises(DatabaseUnavailable, match="permission denied"),
            database.write() as transaction,
        ):
            transaction.execute(text(statement))
    with connect(made.reader) as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute("SELECT * FROM audit_log")
    with connect(made.operator) as connection:
        assert connection.execute("SELECT count(*) FROM audit_log").fetchone() == (1,)
        with pytest.raises(Exception, match="permission denied"):
            connection.execute("SELECT * FROM audit_people")


@settings(max_examples=25)
@given(
    who=st.text(min_size=1, max_size=100),
    ids=st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)),
)
def test_whoever_it_was_stands_in_the_log(shared_url: str, who: str, ids: set[str]) -> None:
    scope = Scope.team(ids) if ids else Scope.everyone()
    with closing(Database(shared_url)) as database:
        log = AuditRepository(database)
        log.record(NOW, who, Action.READ, scope, "dashboard")
        entry = log.entries()[-1]
    assert entry.who is not None
    assert entry.whose is None or None not in entry.whose
    assert len(entry.whose or ()) == len(ids)


# --- what is told of ---


def actions(workspace: Workspace) -> list[tuple[str, object]]:
    return [(one.action, one.whose) for one in workspace.audited()]


def test_commands_tell_before_they_show(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from analytics_core.cli import run

    url = workspace.settings.database_url.get_secret_value()
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", url)
    assert run(["stats", "--user", "mara", "--format", "json"]) == 0
    assert run(["export", "--everyone", "-o", str(tmp_path / "all.json")]) == 0
    assert run(["export", "--user", "noor", "--all", "-o", str(tmp_path / "noor.zip")]) == 0
    assert actions(workspace) == [
        ("read", ("mara",)),
        ("export", None),
        ("export", ("noor",)),
    ]
    assert {one.by for one in workspace.audited()} == {
        *("analytics stats", "analytics export", "analytics export --all")
    }


@pytest.mark.parametrize(("is_alone", "noted"), [(False, [("read", None)]), (True, [])])
def test_pages_of_everyone_are_told_of_unless_whoever_serves_them_alone_has_told(
    workspace: Workspace, is_alone: bool, noted: list[tuple[str, object]]
) -> None:
    operator = Visitor.of_scope(Scope.everyone())
    Granting(workspace, operator if is_alone else None).grant(operator)
    assert actions(workspace) == noted


def test_the_log_can_be_listed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from analytics_core.cli import run

    url = workspace.settings.database_url.get_secret_value()
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", url)
    assert run(["audit", "list"]) == 0
    assert "Nothing is in the audit log." in capsys.readouterr().out
    audit(workspace).record(NOW, "noor", Action.TOKEN, Scope.user("mara"), "token issue")
    workspace.forget(workspace.find_person("noor"), "a test")
    assert run(["audit", "list", "--since", "2026-11-01", "--format", "json"]) == 0
    told = capsys.readouterr().out
    assert '"action": "token"' in told
    assert '"who": null' in told
    assert run(["audit", "list", "--since", "2026-11-02"]) == 0
    assert "Nothing is in the audit log." in capsys.readouterr().out


def test_a_log_that_cannot_be_written_shows_nothing(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analytics_core.cli import run

    made = guarded(postgres_server)
    rows.insert(made.url, [rows.user("mara")])
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", made.analyst)
    assert run(["stats", "--everyone"]) == 2


def test_a_product_has_its_log_in_the_state_database(
    postgres_server: PostgresServer, sqlite_url: str
) -> None:
    host = postgres_server.create_database()
    load_golden(host)
    settings_ = Settings.read(database_url=host, profile="renderiq", state_url=sqlite_url)
    from analytics_core.dal.state import StateRepository

    with closing(Database(sqlite_url, create=True)) as state, closing(Database(host)) as looked_at:
        schema.upgrade(state, schema.STATE)
        StateRepository(state).source_number(looked_at, NOW)
    with Workspace.open(settings_, Scope.everyone()) as opened:
        somebody = opened.user_ids()[0]
        opened.record_use(Action.REPORT, Scope.user(somebody), "report usage")
        assert actions(opened) == [("report", (somebody,))]
        opened.forget(opened.find_person(somebody), "a test")
        assert actions(opened) == [("report", (None,))]
