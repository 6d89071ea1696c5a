"""No read returns a row outside its scope, whatever the scope's ids look like."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_core import DateRange, Scope, Settings, Workspace
from analytics_core.dal.repositories import Repositories
from analytics_core.errors import ScopeError, UnknownUser
from tests.support import rows
from tests.support.host import load_golden
from tests.support.postgres import PostgresServer
from tests.support.rows import Row, insert
from tests.support.worlds import World, worlds

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
few = settings(max_examples=25)

# Every read there is. A new one has to be added here: the test below says so.
READS: dict[str, Callable[[Repositories, Scope, DateRange], Any]] = {
    "renders.tallies": lambda all_, scope, dates: all_.renders.tallies(scope, dates),
    "ledger.tallies": lambda all_, scope, dates: all_.ledger.tallies(scope, dates),
    "api_calls.tallies": lambda all_, scope, dates: all_.api_calls.tallies(scope, dates),
    "keys.count": lambda all_, scope, dates: all_.keys.count(scope, NOW),
    "files.tallies": lambda all_, scope, dates: all_.files.tallies(scope, dates),
    "projects.tallies": lambda all_, scope, dates: all_.projects.tallies(scope, dates),
    "projects.count_renders": lambda all_, scope, dates: all_.projects.count_renders(scope, dates),
    "activity.tallies": lambda all_, scope, dates: all_.activity.tallies(scope, dates),
    "usage_tracking.days": lambda all_, scope, dates: all_.usage_tracking.days(scope, dates),
    "usage_tracking.differences": lambda all_, scope, dates: all_.usage_tracking.differences(
        scope, 1000
    ),
    "usage_tracking.totals": lambda all_, scope, dates: all_.usage_tracking.totals(scope, dates),
    "extent.dates": lambda all_, scope, dates: all_.extent.dates(scope, dates.zone),
    "users.all_ids": lambda all_, scope, dates: all_.users.all_ids(scope),
    "users.get_one": lambda all_, scope, dates: found(all_, scope),
}
WRITES = {"usage_tracking.record"}

# What somebody might send in place of an id, and what nobody is called.
HOSTILE = [
    *("' OR '1'='1", "mara' --", "mara'; DROP TABLE users; --", '" OR ""="', "mara) OR (1=1"),
    *("%", "_", "*", "mara%", "MARA", " mara", "mara ", "mara\x00", "\x00", "mara,noor", "null"),
    *("None", "0", "-1", "1e3", "true", "{mara}", "\\", "\u202emara", "ｍａｒａ", "\udcff", "🦊"),
    "11111111-1111-4111-8111-111111111111",
    "urn:uuid:11111111-1111-4111-8111-111111111111",
    "x" * 10_000,
]


def ascii_start(text: str) -> str:
    return ascii(text)[:40]


def found(repositories: Repositories, scope: Scope) -> list[str]:
    """Which of our users can be found at all, by any of their names."""
    seen = []
    for name in ("mara", "noor", "mara@example.com", "noor@example.com"):
        try:
            seen.append(repositories.users.get_one(name, scope).id)
        except UnknownUser:
            continue
    return seen


def answers(repositories: Repositories, scope: Scope, dates: DateRange) -> dict[str, Any]:
    """What every read says; rows in any order."""
    said = {name: ask(repositories, scope, dates) for name, ask in READS.items()}
    return {
        name: sorted(map(repr, answer)) if isinstance(answer, list) else answer
        for name, answer in said.items()
    }


def opened(url: str, scope: Scope, profile: str | None = None) -> Workspace:
    return Workspace(Settings.read(database_url=url, profile=profile), scope, clock=lambda: NOW)


@pytest.fixture(scope="module")
def granted(shared_url: str) -> Iterator[Callable[[Scope], Workspace]]:
    """The workspace of each scope, opened once."""
    made = cache(lambda scope: workspaces.enter_context(opened(shared_url, scope)))
    with ExitStack() as workspaces:
        yield made


@pytest.fixture(scope="module")
def everyone(granted: Callable[[Scope], Workspace]) -> Workspace:
    return granted(Scope.everyone())


def test_every_read_of_every_repository_is_tried_here() -> None:
    methods = {
        f"{repository.name}.{name}"
        for repository in fields(Repositories)
        for name, _ in inspect.getmembers(
            inspect.get_annotations(Repositories, eval_str=True)[repository.name],
            inspect.isfunction,
        )
        if not name.startswith("_")
    }
    assert methods == READS.keys() | WRITES


@few
@given(worlds(), st.sampled_from([{"mara"}, {"noor"}, {"mara", "nobody"}, {"nobody"}]))
def test_no_answer_depends_on_rows_outside_the_scope(
    shared_url: str, everyone: Workspace, world: World, users: set[str]
) -> None:
    scope = Scope.team(users)
    insert(shared_url, world.rows, replace=True)
    with_others = answers(everyone.repositories, scope, world.dates)
    insert(shared_url, rows_of(world, users), replace=True)
    assert with_others == answers(everyone.repositories, scope, world.dates)


@settings(max_examples=15)
@given(worlds(), st.sampled_from([{"mara"}, {"noor"}, {"mara", "noor"}]))
def test_a_page_shows_what_it_would_show_if_nobody_else_existed(
    shared_url: str, granted: Callable[[Scope], Workspace], world: World, users: set[str]
) -> None:
    workspace = granted(Scope.team(users))

    def shown() -> Any:
        return [
            ask(period=period)
            for period in (world.dates, "all")
            for ask in (
                workspace.get_analytics_data,
                workspace.get_render_stats,
                workspace.get_credit_stats,
                workspace.get_api_usage_stats,
            )
        ]

    insert(shared_url, world.rows, replace=True)
    with_others = shown()
    insert(shared_url, rows_of(world, users), replace=True)
    assert with_others == shown()


def rows_of(world: World, users: set[str]) -> list[Row]:
    """Their rows alone; a render in a project of somebody else is in none then."""

    def is_theirs(row: Row) -> bool:
        return row.values["id" if row.table == "users" else "user_id"] in users

    theirs = [row for row in world.rows if is_theirs(row)]
    projects = {row.values["id"] for row in theirs if row.table == "projects"}
    return [
        replace(row, values={**row.values, "project_id": None})
        if row.values.get("project_id") not in projects and row.table == "renders"
        else row
        for row in theirs
    ]


# --- what was granted, and what is asked ---


@pytest.fixture
def url(workspace_url: str) -> str:
    at = datetime(2026, 10, 5, 12, tzinfo=UTC)
    insert(
        workspace_url,
        [rows.user(name) for name in ("mara", "noor", "ines")]
        + [rows.render(name, at) for name in ("mara", "noor", "noor", "ines", "ines", "ines")],
    )
    return workspace_url


def test_without_a_name_all_that_was_granted_is_shown(url: str) -> None:
    for scope, renders in (
        (Scope.user("mara"), 1),
        (Scope.team(["mara", "noor"]), 3),
        (Scope.everyone(), 6),
    ):
        with opened(url, scope) as workspace:
            assert workspace.get_render_stats().total == renders


@pytest.mark.parametrize("whom", ["noor", "noor@example.com"])
def test_somebody_outside_the_grant_is_unknown_like_one_who_does_not_exist(
    url: str, whom: str
) -> None:
    with opened(url, Scope.user("mara")) as workspace:
        for ask in (
            workspace.find_user,
            workspace.get_analytics_data,
            workspace.get_render_stats,
            workspace.get_credit_stats,
            workspace.get_api_usage_stats,
        ):
            with pytest.raises(UnknownUser):
                ask(whom)


@pytest.mark.parametrize(
    "whom",
    [Scope.everyone(), Scope.user("noor"), Scope.team(["mara", "noor"])],
    ids=["everyone", "another user", "a team"],
)
def test_a_scope_wider_than_the_grant_is_refused(url: str, whom: Scope) -> None:
    with opened(url, Scope.user("mara")) as workspace, pytest.raises(ScopeError):
        workspace.get_analytics_data(whom)


def test_a_scope_within_the_grant_narrows_it(url: str) -> None:
    with opened(url, Scope.team(["mara", "noor"])) as workspace:
        assert workspace.get_render_stats(Scope.user("noor")).total == 2


def test_a_kernel_sees_what_its_launcher_granted(
    url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    reader = None
    if url.startswith("postgresql"):
        reader = request.getfixturevalue("postgres_server").reader_url(url)
    with Workspace.open(
        Settings.read(database_url=url, reader_url=reader), Scope.everyone()
    ) as launcher:
        granted = launcher.for_reader(Scope.user("mara"), datetime.now(UTC) + timedelta(hours=1))
    for name, value in granted.to_environment().items():
        monkeypatch.setenv(name, value)
    with Workspace.current() as workspace:
        assert workspace.scope == Scope.user("mara")
        assert workspace.get_render_stats().total == 1
        with pytest.raises(UnknownUser):
            workspace.get_render_stats("noor")


@pytest.mark.parametrize("grant", [None, "", "{}", "everyone", '{"users": []}'])
def test_a_kernel_without_a_clear_grant_sees_nothing(
    grant: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if grant is not None:
        monkeypatch.setenv("ANALYTICS_GRANT", grant)
    with pytest.raises(ScopeError):
        Workspace.current()


def test_an_id_that_looks_like_somebodys_address_does_not_open_their_data(url: str) -> None:
    insert(url, [rows.user("mara@example.com", email="sly@example.com")])
    with opened(url, Scope.everyone()) as workspace:
        assert workspace.find_user("mara@example.com").email == "sly@example.com"
    with opened(url, Scope.user("mara@example.com")) as workspace:
        assert workspace.get_render_stats().total == 0


# --- ids that nobody has ---


@pytest.mark.parametrize("id_", HOSTILE, ids=ascii_start)
def test_a_hostile_id_is_an_unknown_user(url: str, id_: str) -> None:
    with opened(url, Scope.everyone()) as workspace:
        with pytest.raises(UnknownUser) as refused:
            workspace.get_analytics_data(id_)
        assert refused.value.user == id_
        assert workspace.get_render_stats().total == 6


def test_hostile_ids_see_nothing_and_add_nothing_to_a_team(url: str) -> None:
    october = DateRange.month(2026, 10, ZoneInfo("UTC"))
    with opened(url, Scope.everyone()) as workspace:
        reads = workspace.repositories
        nothing = answers(reads, Scope.user("nobody"), october)
        mara = answers(reads, Scope.user("mara"), october)
        assert answers(reads, Scope.team(HOSTILE), october) == nothing
        assert answers(reads, Scope.team([*HOSTILE, "mara"]), october) == mara


@pytest.fixture(scope="module")
def host(postgres_server: PostgresServer) -> Iterator[Workspace]:
    url = postgres_server.create_database()
    load_golden(url)
    with opened(url, Scope.everyone(), "renderiq") as workspace:
        yield workspace


@pytest.mark.parametrize("id_", HOSTILE, ids=ascii_start)
def test_a_hostile_id_is_an_unknown_user_of_a_host_with_uuids_too(
    host: Workspace, id_: str
) -> None:
    with pytest.raises(UnknownUser):
        host.get_analytics_data(id_)


def test_hostile_ids_see_nothing_of_a_host_with_uuids(host: Workspace) -> None:
    assert host.get_render_stats(Scope.team(HOSTILE), "all").total == 0
    assert host.get_render_stats(Scope.everyone(), "all").total > 0


@pytest.mark.parametrize("written", ["{}", "{{{}}}", "urn:uuid:{}"])
def test_a_uuid_may_be_written_as_uuids_are(host: Workspace, written: str) -> None:
    id_ = host.repositories.users.get_one("user01@example.com", Scope.everyone()).id
    for spelled in (id_, id_.upper(), id_.replace("-", "")):
        assert host.find_user(written.format(spelled)).id == id_
