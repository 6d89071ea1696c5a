"""A kernel gets no key and no scope from the server's environment; it is told whose it is."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from analytics_core.dal.grants import read
from analytics_core.errors import ScopeError
from analytics_core.identity.sessions import LONGEST_SECONDS
from analytics_core.identity.visitor import Kind, Visitor
from analytics_core.model.scope import Scope
from analytics_core.serving.granting import Granting, granting
from analytics_core.settings import Settings
from analytics_core.workspace import Workspace

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Restored afterwards: both change this process's environment."""
    changed = dict(os.environ)
    monkeypatch.setattr(os, "environ", changed)
    return changed


def test_what_servers_need_is_not_left_to_kernels(environment: dict[str, str]) -> None:
    secrets = {
        "ANALYTICS_TOKEN_KEYS": f"a={'x' * 32}",
        "ANALYTICS_PROXY_SECRET": "y" * 32,
        "ANALYTICS_COLLECTOR_KEY": "z" * 32,
        "ANALYTICS_GRANT_KEY": "0" * 64,
        "ANALYTICS_READER_URL": "sqlite:///reader.db",
    }
    environment.update(secrets, ANALYTICS_DATABASE_URL="sqlite:///owner.db")
    with Workspace.open(Settings.read(), Scope.everyone()) as workspace:
        Granting(workspace).reader().replace_environment()
    assert not secrets.keys() & environment.keys()
    assert environment["ANALYTICS_DATABASE_URL"].endswith("/reader.db")


def test_a_grant_is_signed_with_the_key_and_kept_for_a_day() -> None:
    times = iter([NOW, NOW + timedelta(hours=20), NOW + timedelta(hours=30)])
    with Workspace.open(Settings.read(grant_key="0" * 64), Scope.everyone()) as workspace:
        granting_ = Granting(workspace, clock=lambda: next(times))
        visitor = Visitor(Kind.USER, "u1", Scope.user("u1"))
        first, same, next_one = (granting_.grant(visitor) for _ in range(3))
    assert read(first).scope == Scope.user("u1")
    assert same == first
    assert read(next_one).until - read(first).until == timedelta(hours=30)


def test_a_grant_outlasts_every_session_of_whoever_gets_it() -> None:
    last_moment = NOW + timedelta(days=1)
    times = iter([NOW, last_moment])
    with Workspace.open(Settings.read(grant_key="0" * 64), Scope.everyone()) as workspace:
        granting_ = Granting(workspace, clock=lambda: next(times))
        visitor = Visitor(Kind.USER, "u1", Scope.user("u1"))
        first, kept = (granting_.grant(visitor) for _ in range(2))
    assert kept == first
    assert read(kept).until - last_moment >= timedelta(seconds=LONGEST_SECONDS)


def test_nobody_is_granted_more_than_the_server(sqlite_url: str) -> None:
    with Workspace.open(Settings.read(database_url=sqlite_url), Scope.user("u1")) as workspace:
        for scope in (Scope.user("u2"), Scope.everyone()):
            with pytest.raises(ScopeError):
                Granting(workspace).grant(Visitor(Kind.USER, "u2", scope))


@pytest.mark.parametrize("zone", ["", "Asia/Tokyo"])
def test_what_a_kernel_is_told_is_its_visitors_scope_and_zone(
    environment: dict[str, str], zone: str
) -> None:
    team = Scope.team({"u'1\"\n", "u2"})
    exec(granting(Visitor(Kind.TEAM, "studio", team, zone), team.to_text()), {})
    settings = Settings.read()
    assert settings.grant is not None
    assert Scope.from_text(settings.grant) == team
    assert (settings.zone or "") == zone
