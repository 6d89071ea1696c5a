"""What the Hub's configuration in deploy/ does before it starts somebody's server."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from analytics_core.errors import AnalyticsError

ROOT = Path(__file__).parents[3]


def configured(monkeypatch: pytest.MonkeyPatch, url: str) -> Any:
    """The configuration as the Hub would have read it."""
    config = SimpleNamespace(Spawner=SimpleNamespace())
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", url)
    runpy.run_path(str(ROOT / "deploy" / "jupyterhub_config.py"), {"get_config": lambda: config})
    return config


def spawning(name: str) -> Any:
    return SimpleNamespace(user=SimpleNamespace(name=name), environment={"OTHER": "1"})


def refused(config: Any, name: str) -> str:
    """What somebody who gets no server is told."""
    with pytest.raises(AnalyticsError) as told:
        asyncio.run(config.Spawner.pre_spawn_hook(spawning(name)))
    return str(told.value.jupyterhub_message)  # type: ignore[attr-defined]


def test_a_users_server_gets_the_grant_of_that_user(
    people_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawner = spawning("theo@example.com")
    asyncio.run(configured(monkeypatch, people_url).Spawner.pre_spawn_hook(spawner))
    assert spawner.environment["OTHER"] == "1"
    assert spawner.environment["ANALYTICS_GRANT"] == '{"users": ["u3"]}'


def test_who_is_unknown_is_told_so(people_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused(configured(monkeypatch, people_url), "nobody")
    assert told == "There is no dashboard for you. Unknown user: 'nobody'."


def test_nobody_is_told_where_a_database_is_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = refused(configured(monkeypatch, f"sqlite:///{tmp_path / 'gone.db'}"), "theo")
    assert "does not answer right now" in told
    assert str(tmp_path) not in told
