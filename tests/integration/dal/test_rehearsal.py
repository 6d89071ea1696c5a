"""Whoever is forked from a process that has rehearsed writes no statement of a page anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal.database import Database
from analytics_core.dal.question import written
from analytics_core.dal.rehearsal import rehearse
from tests.support import rows, studio
from tests.support.rollups import refresh


def pages(url: str) -> None:
    with Workspace.open(Settings.read(database_url=url), Scope.user("u1")) as workspace:
        for whom in (studio.MARA, "u1", None):
            workspace.page(whom, "30d", zone="Europe/Madrid", compare=True)
        # The clocks of Madrid were changed within it.
        workspace.page(None, "2026-10", zone="Europe/Madrid")


def written_anew(url: str) -> int:
    before = written.cache_info().misses
    pages(url)
    return written.cache_info().misses - before


def test_a_page_writes_nothing_that_was_rehearsed(workspace_url: str) -> None:
    studio.fill(workspace_url)
    written.cache_clear()
    assert written_anew(workspace_url) > 0

    written.cache_clear()
    rehearse()
    assert written_anew(workspace_url) == 0, "from rows"

    database = Database(workspace_url)
    refresh(database)
    database.close()
    assert written_anew(workspace_url) == 0, "from rollups"

    rows.insert(workspace_url, [rows.render("u1", datetime.now(UTC) - timedelta(minutes=1))])
    assert written_anew(workspace_url) == 0, "from both"
