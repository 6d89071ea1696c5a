"""On PostgreSQL a page and its kernel see what was granted to whoever looks at it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from os import environ

import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.identity.visitor import Kind, Visitor
from analytics_core.model.audited import Action
from analytics_core.serving.granting import Granting
from dashboards.first_paint import FirstPaint
from tests.support import rows
from tests.support.attacks.sessions import session_of
from tests.support.guarded import Guarded, guarded
from tests.support.host import connect
from tests.support.postgres import PostgresServer
from tests.support.serving import KEY, KID, Server, start_for_many
from tests.support.visitors import Client, come

RENDERS = {"mara": 3, "noor": 5}
WHOLE = sum(RENDERS.values())


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Guarded:
    return of_mara_and_noor(postgres_server)


def of_mara_and_noor(postgres_server: PostgresServer) -> Guarded:
    """A database of theirs, with a few renders each."""
    made = guarded(postgres_server)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    rendered = [rows.render(who, yesterday) for who, n in RENDERS.items() for _ in range(n)]
    rows.insert(made.url, [*map(rows.user, RENDERS), *rendered])
    return made


def reading(database: Guarded) -> dict[str, str]:
    return {"ANALYTICS_READER_URL": database.reader}


@pytest.fixture(scope="module")
def server(database: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with start_for_many(database.owner, folder, environment=reading(database)) as running:
        yield running


def shown(client: Client) -> str:
    return client.ask("/").card["renders"]


def test_each_visitor_sees_their_own_numbers_side_by_side(server: Server) -> None:
    clients = {who: come(server, who) for who in RENDERS}
    for _ in range(5):
        assert {who: shown(client) for who, client in clients.items()} == {
            who: str(n) for who, n in RENDERS.items()
        }


def test_a_kernel_asks_within_its_own_grant(server: Server) -> None:
    page = session_of(server, "noor")
    header, _ = page.state_of(page.widget("Header"))
    page.close()
    assert header["who"] == "Noor"
    assert not header["error"]
    client = come(server, "mara")
    _, said = client.open_kernel(client.ask("/"))
    assert f'"{RENDERS["mara"]}' in said
    assert "Noor" not in said


def test_a_team_and_an_operator_see_theirs_which_is_noted(
    server: Server, database: Guarded
) -> None:
    team = come(server, "Northlight", users=sorted(RENDERS))
    operator = come(server, "ops", role="operator")
    assert [shown(one) for one in (team, operator)] == [str(WHOLE)] * 2
    settings = Settings.read(database_url=database.owner)
    with Workspace.open(settings, Scope.everyone()) as workspace:
        noted = {(one.who, one.action, one.whose) for one in workspace.audited()}
    assert ("operator ops", Action.READ, None) in noted
    assert ("team Northlight", Action.READ, ("mara", "noor")) in noted
    assert not any(who in RENDERS for who, _, _ in noted)


def test_a_server_that_forgets_for_whom_it_asks_sees_nobody(database: Guarded) -> None:
    settings = both_urls(database)
    with Workspace.open(settings, Scope.everyone()) as signer:
        granting = Granting(signer)
        with Workspace.open(granting.reader(), Scope.everyone()) as reader:
            assert renders_of(reader) == 0
            for who, n in RENDERS.items():
                visitor = Visitor(Kind.USER, who, Scope.user(who))
                grant = granting.grant(visitor)
                with reader.within(visitor.scope, grant=grant):
                    # Everyone is asked for: what is granted decides.
                    assert renders_of(reader) == n
            assert renders_of(reader) == 0


@pytest.mark.parametrize("is_noticed", [False, True])
@pytest.mark.parametrize(
    ("visitor", "renders"),
    [
        (Visitor(Kind.USER, "mara", Scope.user("mara")), RENDERS["mara"]),
        (Visitor(Kind.TEAM, "Northlight", Scope.team(RENDERS)), WHOLE),
        (Visitor(Kind.OPERATOR, "ops", Scope.everyone()), WHOLE),
    ],
    ids=["user", "team", "operator"],
)
def test_a_server_goes_on_after_keys_were_replaced_twice(
    postgres_server: PostgresServer, is_noticed: bool, visitor: Visitor, renders: int
) -> None:
    made = of_mara_and_noor(postgres_server)
    with Workspace.open(both_urls(made), Scope.everyone()) as signer:
        granting = Granting(signer)
        with Workspace.open(granting.reader(), Scope.everyone()) as reader:
            page = FirstPaint(reader, granting)
            first = page.paint(visitor, "")
            assert page.problem() == ""
            with connect(made.owner) as connection:
                for _ in range(2):
                    connection.execute("SELECT analytics_access.new_key()")
            if is_noticed:
                reader.database.ask_anew()
            next_one = page.paint(visitor, "")
            assert next_one.grant != first.grant
            for painted in (first, next_one):
                assert f'data-key="renders" data-value="{renders}"' in painted.html
            assert page.problem() == ""


def both_urls(database: Guarded) -> Settings:
    return Settings.read(database_url=database.owner, reader_url=database.reader)


def renders_of(workspace: Workspace) -> int:
    return workspace.get_render_stats(period="7d").total


@pytest.mark.parametrize("who", ["url", "owner"])
def test_who_could_see_more_than_is_granted_is_no_reader(database: Guarded, who: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "analytics_core.cli", "serve"],
        env={
            **environ,
            "ANALYTICS_DATABASE_URL": database.owner,
            "ANALYTICS_READER_URL": getattr(database, who),
            "ANALYTICS_TOKEN_KEYS": f"{KID}={KEY}",
            "ANALYTICS_PORT": "0",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 2
    assert told.stdout == ""
    assert "ANALYTICS_READER_URL" in told.stderr
    assert len(told.stderr.splitlines()) == 1
