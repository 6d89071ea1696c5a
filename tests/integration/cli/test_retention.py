"""`analytics retention`, told by settings what is kept for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support import rows
from tests.support.command import analytics, complaints, refusal
from tests.support.host import create_host_tables


def test_it_shows_what_would_go_and_lets_go_of_it(
    workspace_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    calls = [rows.call("mara", now - timedelta(days=days)) for days in (10, 50, 500)]
    rows.insert(workspace_url, [rows.user("mara"), *calls])
    unset = analytics("retention", "apply", database_url=workspace_url)
    assert unset.stdout == "Everything is kept for good.\n"
    monkeypatch.setenv("ANALYTICS_KEEP_API_CALLS", "13 months")
    monkeypatch.setenv("ANALYTICS_KEEP_ACTIVITY", "90d")
    shown = analytics("retention", "show", database_url=workspace_url)
    assert complaints(shown) == ""
    [line] = [line for line in shown.stdout.splitlines() if "api_calls" in line]
    assert line.split()[1:3] == ["13", "months"]
    assert line.split()[-1] == "1"
    done = analytics("retention", "apply", database_url=workspace_url)
    assert done.stdout == "api_calls: 1 records are gone.\nactivity: 0 records are gone.\n"


@pytest.mark.parametrize("value", ["35 days", "a while", "1 month"])
def test_a_duration_that_cannot_be_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_KEEP_API_CALLS", value)
    assert "ANALYTICS_KEEP_API_CALLS" in refusal(analytics("retention", "show"))


def test_a_product_decides_itself_how_long_it_keeps(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_host_tables(postgres_url)
    monkeypatch.setenv("ANALYTICS_KEEP_API_CALLS", "13 months")
    done = analytics("retention", "apply", database_url=postgres_url, profile="renderiq")
    assert "for its owner to say" in refusal(done)
