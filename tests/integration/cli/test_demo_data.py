"""`analytics demo-data` as a person runs it."""

from __future__ import annotations

import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.cli import run

SMALL = ("demo-data", "--users", "4", "--renders", "100")


@pytest.fixture
def url(make_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", make_url)
    return make_url


@pytest.fixture
def make_url(request: pytest.FixtureRequest) -> str:
    made: str = request.getfixturevalue("make_database")("sqlite")
    return made


def renders(url: str, period: str = "all") -> int:
    with Workspace.open(Settings.read(database_url=url), Scope.everyone()) as workspace:
        return workspace.get_render_stats(None, period).total


def test_it_fills_the_database_of_the_settings(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(SMALL) == 0
    assert renders(url) == 100
    told = capsys.readouterr()
    assert told.out == ""
    assert "100 renders of 4 users" in told.err
    assert "mara@example.com" in told.err


def test_until_is_the_last_day(url: str) -> None:
    assert run([*SMALL, "--until", "2025-02-28"]) == 0
    assert renders(url, "2025-01-30..2025-02-28") > 0
    assert renders(url, "2025-03-02..2025-12-31") == 0


def test_a_second_time_is_refused_and_replace_replaces(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(SMALL)
    assert run(SMALL) == 2
    assert "--replace" in capsys.readouterr().err
    assert run(["demo-data", "--users", "3", "--renders", "7", "--replace"]) == 0
    assert renders(url) == 7


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--until", "31.10.2026"), "not a date"),
        (("--until", "2026-02-30"), "not a date"),
        (("--until", "9999-12-31"), "2200"),
        (("--until", "0001-01-01"), "1972"),
        (("--users", "1"), "--users"),
        (("--renders", "-1"), "--renders"),
        (("--seed", "x"), "--seed"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    url: str, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str], told: str
) -> None:
    assert run([*SMALL, *wrong]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert renders(url) == 0


def test_a_database_without_tables_says_what_to_run(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", sqlite_url)
    assert run(SMALL) == 2
    assert "analytics init" in capsys.readouterr().err


def test_a_products_own_database_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANALYTICS_PROFILE", "renderiq")
    assert run(SMALL) == 2
    assert "only read" in capsys.readouterr().err
    monkeypatch.delenv("ANALYTICS_PROFILE")
    assert renders(url) == 0
