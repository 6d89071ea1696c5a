"""A user's record may name a zone that does not exist; a question may not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.errors import UnknownZone
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


def test_a_zone_that_was_asked_for_must_exist(workspace: Workspace) -> None:
    with pytest.raises(UnknownZone):
        workspace.zone_of(USER, "Mars/Base")
