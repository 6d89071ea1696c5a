"""A command in a granted process, such as a notebook's shell, shows nothing beyond the grant."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from analytics_core import Scope
from analytics_core.cli import run
from tests.integration.conftest import MakeDatabase
from tests.support import rows

OCTOBER = datetime(2026, 10, 15, 12, tzinfo=UTC)
NILS = ("--user", "nils@example.com")


@pytest.fixture(autouse=True)
def _granted_mara_alone(make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_database("sqlite")
    renders = [rows.render(user, OCTOBER) for user in ("mara", "nils", "nils")]
    rows.insert(url, [rows.user("mara"), rows.user("nils"), *renders])
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", url)
    monkeypatch.setenv("ANALYTICS_GRANT", Scope.user("mara").to_text())


@pytest.mark.parametrize(
    "arguments",
    [
        ("stats", "--everyone"),
        ("stats", *NILS),
        ("stats", "--user", "mara@example.com", *NILS),
        ("export", "--everyone", "--output", "-"),
        ("export", *NILS, "--output", "-"),
        ("report", *NILS, "--period", "2026-10", "--output", "reports"),
        ("dashboard", "--everyone"),
        ("dashboard", *NILS),
    ],
    ids=" ".join,
)
def test_what_lies_beyond_the_grant_is_refused(
    arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(list(arguments)) == 2
    assert capfd.readouterr().out == ""


def test_what_lies_within_it_is_answered(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["stats", "--user", "mara@example.com", "--format", "json"]) == 0
    assert json.loads(capfd.readouterr().out)["renders"]["total"] == 1


@pytest.mark.parametrize("grant", ["", "everyone", '{"users": []}'])
def test_a_grant_that_cannot_be_read_grants_nothing(
    grant: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANALYTICS_GRANT", grant)
    assert run(["stats", "--everyone"]) == 2
    assert capfd.readouterr().out == ""
