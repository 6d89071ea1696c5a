"""`analytics stats --format json`: what other programs read."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import rows
from tests.support.command import analytics, stats
from tests.support.rows import insert

AT = datetime(2026, 10, 5, 9, 6, 32, 985_432, tzinfo=UTC)
OCTOBER = ("--from", "2026-10-01", "--to", "2026-10-31")


@pytest.fixture(scope="module")
def url(make_database) -> str:
    url = make_database("sqlite")
    insert(
        url,
        [
            rows.user("mara", name="Mara", zone="Europe/Madrid"),
            rows.user("noor"),
            rows.user("idle"),
            rows.render("mara", AT, processing_time=10.0),
            rows.render("mara", AT + timedelta(days=1), quality=None, processing_time=15.5),
            rows.render("mara", datetime(2026, 9, 30, 22, tzinfo=UTC)),
            rows.render("mara", datetime(2026, 9, 30, 21, tzinfo=UTC)),
            rows.render("noor", AT),
            rows.transaction("mara", AT, amount=100),
            rows.activity("mara", AT),
        ],
    )
    return url


def answer(url: str, *arguments: str, **more: str) -> dict[str, Any]:
    done = stats(*arguments, database_url=url, **more)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_one_object_says_everything(url: str) -> None:
    found = answer(url, *OCTOBER)
    assert list(found) == [
        *("range", "renders", "credits", "api", "storage", "projects", "activity", "daily"),
    ]
    assert found["range"] == {
        "from": "2026-10-01",
        "to": "2026-10-31",
        "tz": "Europe/Madrid",
        "days": 31,
    }
    assert found["renders"] == {
        "total": 3,
        "by_type": {"image": 3, "video": 0},
        "by_status": {"completed": 3, "failed": 0, "pending": 0, "processing": 0},
        "by_quality": {"standard": 2, "high": 0, "ultra": 0, "unspecified": 1},
        "by_platform": {"web": 3, "tools": 0, "canvas": 0, "plugin": 0},
        "average_processing_time": 38 / 3,
        "success_rate": 100.0,
        "credits_spent": 6,
    }
    assert found["credits"]["average_per_day"] == 100 / 31
    assert len(found["daily"]) == 31
    assert found["daily"][4] == {
        "date": "2026-10-05",
        "renders_created": 1,
        "credits_spent": 100,
        "api_calls": 0,
        "storage_used": 0,
    }


def test_a_timestamp_looks_like_those_of_javascript(url: str) -> None:
    last_login = answer(url, *OCTOBER)["activity"]["last_login_at"]
    assert last_login == "2026-10-05T09:06:32.985Z"


def test_every_timestamp_and_date_has_one_form(url: str) -> None:
    text = stats(*OCTOBER, "--compare", database_url=url).stdout
    assert not re.search(r"\d\d:\d\d:\d\d(?!\.\d{3}Z)", text)
    assert "NaN" not in text
    assert "Infinity" not in text


def test_the_period_before_comes_with_compare_alone(url: str) -> None:
    assert "previous" not in answer(url, *OCTOBER)
    previous = answer(url, *OCTOBER, "--compare")["previous"]
    assert previous["range"] == {
        "from": "2026-09-01",
        "to": "2026-09-30",
        "tz": "Europe/Madrid",
        "days": 30,
    }
    assert previous["renders"]["total"] == 1
    assert list(previous) == [
        *("range", "renders", "credits", "api", "storage", "projects", "activity", "daily"),
    ]


def test_an_explicit_zone_wins_over_the_users_own(url: str) -> None:
    found = answer(url, *OCTOBER, "--tz", "UTC")
    assert found["range"]["tz"] == "UTC"
    assert found["renders"]["total"] == 2


def test_without_dates_it_is_everything(url: str) -> None:
    found = answer(url)
    assert (found["range"]["from"], found["range"]["to"]) == ("2026-09-30", "2026-10-06")
    assert found["renders"]["total"] == 4


def test_somebody_without_any_record_has_neither_dates_nor_averages(url: str) -> None:
    found = answer(url, "--compare", user="idle")
    assert found["range"] == {"from": None, "to": None, "tz": "UTC", "days": 0}
    assert found["credits"]["average_per_day"] is None
    assert found["daily"] == []
    # Whoever asks for the period before finds one.
    assert found.pop("previous") == found


def test_several_users_are_a_team_and_everyone_is_asked_for_by_name(url: str) -> None:
    team = answer(url, *OCTOBER, "--user", "noor", "--tz", "Europe/Madrid")
    assert team["renders"]["total"] == 4
    done = analytics("stats", "--everyone", *OCTOBER, "--format", "json", database_url=url)
    everyone = json.loads(done.stdout)
    assert everyone["renders"]["total"] == 3
    assert everyone["range"]["tz"] == "UTC"


def test_people_get_tables(url: str) -> None:
    done = analytics("stats", "--user", "mara", *OCTOBER, "--compare", database_url=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Oct" in done.stdout
    for heading in ("Renders", "Credits", "Api", "Storage", "Projects", "Activity", "Before"):
        assert heading in done.stdout


def test_an_empty_answer_is_a_table_too(url: str) -> None:
    done = analytics("stats", "--user", "idle", "--compare", database_url=url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no records yet" in done.stdout
