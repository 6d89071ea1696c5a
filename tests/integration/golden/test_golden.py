"""A product's own database gives the numbers that the product's own analytics gave.

`expected.json` is what that service returned for every user and five ranges. Where its definitions
differ from ours on purpose, the difference is spelled out here and nowhere else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from analytics_core import Scope, Settings, Workspace
from tests.support.host import GOLDEN, TABLES, load_golden
from tests.support.postgres import PostgresServer

EXPECTED = json.loads((GOLDEN / "expected.json").read_text())
USERS = EXPECTED["users"]
PERIODS = {
    name: f"{first[:10]}..{last[:10]}" for name, (first, last) in EXPECTED["ranges"].items()
} | {"all": "all"}


@pytest.fixture(scope="module")
def host_url(postgres_server: PostgresServer) -> Iterator[str]:
    url = postgres_server.create_database()
    load_golden(url)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="module")
def workspace(host_url: str) -> Iterator[Workspace]:
    settings = Settings.read(database_url=host_url, profile="renderiq")
    with Workspace.open(settings, Scope.everyone()) as opened:
        yield opened


def none_if_zero(value: float) -> float | None:
    return value or None


def expected_renders(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    finished = theirs["byStatus"]["completed"] + theirs["byStatus"]["failed"]
    unspecified = theirs["total"] - sum(theirs["byQuality"].values())
    return {
        "total": theirs["total"],
        "by_type": theirs["byType"],
        "by_status": theirs["byStatus"],
        "by_quality": theirs["byQuality"] | ({"unspecified": unspecified} if unspecified else {}),
        # Theirs counts a plugin's render under its platform too; only `plugin` compares.
        "by_platform": ours["by_platform"] | {"plugin": theirs["byPlatform"]["plugin"]},
        "average_processing_time": none_if_zero(theirs["averageProcessingTime"]),
        "success_rate": 100 * theirs["byStatus"]["completed"] / finished if finished else None,
        "credits_spent": theirs["totalCreditsSpent"],
    }


def expected_projects(theirs: dict[str, Any]) -> dict[str, Any]:
    platforms = dict(theirs["byPlatform"])
    platforms["web"] = platforms.pop("render")
    average = theirs["averageRendersPerProject"]
    return {
        "total": theirs["totalProjects"],
        "by_platform": platforms,
        "by_status": theirs["byStatus"],
        "total_renders": theirs["totalRenders"],
        "average_renders_per_project": average if theirs["totalProjects"] else None,
    }


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("email", USERS)
def test_every_number_is_the_products_own(workspace: Workspace, email: str, period: str) -> None:
    theirs = USERS[email]["ranges"][period]
    ours = workspace.get_analytics_data(email, PERIODS[period]).to_dict()

    assert ours["renders"] == expected_renders(theirs["renders"], ours["renders"])
    assert sum(ours["renders"]["by_platform"].values()) == theirs["renders"]["total"]

    spent, days = theirs["credits"]["totalSpent"], ours["range"]["days"]
    assert ours["credits"] == {
        "spent": spent,
        "earned": theirs["credits"]["totalEarned"],
        "net": theirs["credits"]["netBalance"],
        "by_category": theirs["credits"]["byType"],
        # Theirs divides by 30 where no range was given.
        "average_per_day": spent / days if period == "all" else theirs["credits"]["averagePerDay"],
        "balance": ours["credits"]["balance"],
    }
    assert ours["projects"] == expected_projects(theirs["projects"])

    activity = USERS[email]["activity"]
    assert ours["activity"]["logins"] == activity["totalLogins"]
    assert ours["activity"]["signups"] == activity["totalSignups"]
    assert ours["activity"]["last_login_at"] == activity["lastLoginAt"]


@pytest.mark.parametrize("period", [name for name in PERIODS if name != "all"])
@pytest.mark.parametrize("email", USERS)
def test_api_and_storage_are_the_products_own(
    workspace: Workspace, email: str, period: str
) -> None:
    theirs = USERS[email]["ranges"][period]
    ours = workspace.get_analytics_data(email, PERIODS[period]).to_dict()

    assert ours["api"] == {
        "total_calls": theirs["api"]["totalCalls"],
        "source": ours["api"]["source"],
        "by_platform": theirs["api"]["byPlatform"],
        "by_route": theirs["api"]["byRoute"],
        "by_status_class": {"2xx": 0, "4xx": 0, "5xx": 0},
        "latency_ms": {"p50": None, "p95": None},
        "average_per_day": theirs["api"]["averagePerDay"],
        "keys": theirs["api"]["uniqueApiKeys"],
        "active_keys": theirs["api"]["activeApiKeys"],
    }
    assert ours["api"]["source"] in (None, "daily", "inferred")

    assert ours["storage"] == {
        "uploaded_bytes": theirs["storage"]["totalStorageUsed"],
        "uploaded_files": theirs["storage"]["fileCount"],
        "by_media_type": theirs["storage"]["byMimeType"],
        "stored_bytes": ours["storage"]["stored_bytes"],
        "stored_files": ours["storage"]["stored_files"],
        "average_per_day": theirs["storage"]["averagePerDay"],
    }


@pytest.mark.parametrize("email", USERS)
def test_a_balance_is_all_that_was_ever_earned_less_all_that_was_spent(
    workspace: Workspace, email: str
) -> None:
    everything = USERS[email]["ranges"]["all"]["credits"]
    assert workspace.get_credit_stats(email).balance == everything["netBalance"]


def test_the_command_line_prints_the_same_by_address_and_by_id(host_url: str) -> None:
    email, user = next(reversed(USERS.items()))
    printed = [
        subprocess.run(
            [
                *(sys.executable, "-m", "analytics_core.cli", "stats", "--user", who),
                *("--from", "2026-03-01", "--to", "2026-03-31", "--format", "json"),
            ],
            env={"ANALYTICS_DATABASE_URL": host_url, "ANALYTICS_PROFILE": "renderiq"},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for who in (email, user["id"])
    ]
    assert printed[0] == printed[1]
    assert json.loads(printed[0])["renders"]["total"] == user["ranges"]["march"]["renders"]["total"]


def test_reading_leaves_nothing_behind_in_the_host(host_url: str, workspace: Workspace) -> None:
    workspace.get_analytics_data(next(iter(USERS)), "all")
    tables = workspace.database.rows(
        text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    )
    assert {name for (name,) in tables} == set(TABLES)
