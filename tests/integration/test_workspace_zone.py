"""Whose zone counts; a user's record may name one that does not exist, a question may not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.errors import ScopeError, SettingsError, UnknownZone
from analytics_core.model.user import User

USER = User("1", "mara@example.com", "Mara", "Mars/Base", datetime(2026, 1, 1, tzinfo=UTC), None)


@pytest.fixture
def workspace(sqlite_url: str) -> Workspace:
    return Workspace(Settings.read(database_url=sqlite_url), Scope.everyone())


def test_a_zone_that_does_not_exist_in_a_record_is_utc_and_logged(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert workspace.zone_of(USER).key == "UTC"
    assert "Mars/Base" in caplog.text


@pytest.mark.parametrize("zone", ["Mars/Base", ""])
def test_a_zone_that_was_asked_for_must_exist(workspace: Workspace, zone: str) -> None:
    with pytest.raises(UnknownZone):
        workspace.zone_of(USER, zone)


def test_whoever_looks_may_bring_a_zone_and_a_question_another(workspace: Workspace) -> None:
    with workspace.within(Scope.user("1"), "Asia/Tokyo") as looked_at:
        assert looked_at.zone_of(USER).key == "Asia/Tokyo"
        assert looked_at.zone_of(USER, "Europe/Madrid").key == "Europe/Madrid"
    assert workspace.zone_of(None).key == "UTC"


def test_a_workspace_for_one_is_never_wider_than_the_one_it_came_from(
    workspace: Workspace,
) -> None:
    with workspace.within(Scope.user("1")) as narrowed:
        assert narrowed.scope == Scope.user("1")
        assert workspace.scope == Scope.everyone()
        for wider in (Scope.user("2"), Scope.everyone()):
            with pytest.raises(ScopeError), narrowed.within(wider):
                pass


def test_a_setting_may_say_in_which_zone_days_are_cut(sqlite_url: str) -> None:
    settings = Settings.read(database_url=sqlite_url, zone="Asia/Tokyo")
    assert Workspace(settings, Scope.everyone()).zone_of(None).key == "Asia/Tokyo"
    with pytest.raises(SettingsError, match="Mars/Base"):
        Settings.read(zone="Mars/Base")
