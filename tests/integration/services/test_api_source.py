"""Where a count of API calls comes from: the best source of each user and UTC day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.model.results import ApiStats
from tests.support import rows
from tests.support.rows import Row, insert

MONDAY = date(2026, 10, 5)
DAY = timedelta(days=1)
RANGE = "2026-10-05..2026-10-07"

Ask = Callable[..., ApiStats]


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def plugin(user: str, when: datetime, **changes: Any) -> Row:
    return rows.render(user, when, **{"source_platform": "sketchup", **changes})


@pytest.fixture
def url(workspace_url: str) -> str:
    insert(workspace_url, [rows.user("mara"), rows.user("noor")])
    return workspace_url


@pytest.fixture
def ask(url: str) -> Ask:
    """Puts rows in, then asks for the API usage of three days in October."""

    def ask(
        *more: Row, user: str | None = "mara", period: str = RANGE, zone: str = "UTC"
    ) -> ApiStats:
        insert(url, more)
        with Workspace.open(Settings.read(database_url=url), Scope.everyone()) as workspace:
            return workspace.get_api_usage_stats(user, period, zone=zone)

    return ask


def test_recorded_calls_come_first(ask: Ask) -> None:
    stats = ask(
        rows.call("mara", at(MONDAY)),
        rows.stored_day("mara", MONDAY, api_calls=50),
        plugin("mara", at(MONDAY)),
    )
    assert (stats.total_calls, stats.source) == (1, "recorded")


def test_the_stored_day_counts_where_nothing_was_recorded(ask: Ask) -> None:
    stats = ask(rows.stored_day("mara", MONDAY, api_calls=50), plugin("mara", at(MONDAY)))
    assert (stats.total_calls, stats.source) == (50, "daily")
    assert stats.by_day == (50, 0, 0)


def test_a_stored_day_of_no_calls_is_a_source_too(ask: Ask) -> None:
    stats = ask(rows.stored_day("mara", MONDAY), plugin("mara", at(MONDAY)))
    assert (stats.total_calls, stats.source) == (0, "daily")


def test_renders_of_plugins_count_where_there_is_nothing_else(ask: Ask) -> None:
    stats = ask(
        plugin("mara", at(MONDAY)),
        rows.render("mara", at(MONDAY)),
        rows.render("mara", at(MONDAY), source_platform=""),
    )
    assert (stats.total_calls, stats.source) == (1, "inferred")


def test_a_range_without_any_source_has_none(ask: Ask) -> None:
    stats = ask(rows.render("mara", at(MONDAY)))
    assert (stats.total_calls, stats.source) == (0, None)


def test_days_with_different_sources_are_mixed(ask: Ask) -> None:
    stats = ask(
        rows.call("mara", at(MONDAY)),
        rows.stored_day("mara", MONDAY + DAY, api_calls=50),
        plugin("mara", at(MONDAY + 2 * DAY)),
    )
    assert stats.source == "mixed"
    assert stats.by_day == (1, 50, 1)


def test_one_day_without_calls_among_others_is_told_by_renders_of_plugins(ask: Ask) -> None:
    stats = ask(
        *(plugin("mara", at(MONDAY + n * DAY)) for n in range(3)),
        *(rows.call("mara", at(MONDAY + n * DAY), status_code=404) for n in (0, 2)),
    )
    assert stats.by_day == (1, 1, 1)
    assert (stats.total_calls, stats.source) == (3, "mixed")


def test_each_user_has_their_own_source(ask: Ask) -> None:
    stats = ask(
        rows.call("mara", at(MONDAY)),
        rows.stored_day("noor", MONDAY, api_calls=50),
        plugin("noor", at(MONDAY)),
        user=None,
    )
    assert (stats.total_calls, stats.source) == (51, "mixed")


def test_starting_to_record_never_rewrites_the_days_before(ask: Ask) -> None:
    history = [
        rows.stored_day("mara", MONDAY, api_calls=50),
        rows.stored_day("mara", MONDAY + DAY, api_calls=7),
        plugin("mara", at(MONDAY + 2 * DAY)),
    ]
    assert ask(*history).by_day == (50, 7, 1)
    assert ask(rows.call("mara", at(MONDAY + DAY))).by_day == (50, 1, 1)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/Los_Angeles"])
def test_a_stored_day_counts_on_the_local_date_of_the_same_name(ask: Ask, zone: str) -> None:
    stats = ask(rows.stored_day("mara", MONDAY, api_calls=50), zone=zone)
    assert stats.by_day == (50, 0, 0)


def test_a_call_outside_the_range_still_makes_its_utc_day_a_recorded_one(ask: Ask) -> None:
    # Monday noon in UTC is Tuesday in Auckland: the range of Tuesday there cuts Monday in UTC.
    call = rows.call("mara", at(MONDAY, 1))
    render = plugin("mara", at(MONDAY, 20))
    stats = ask(call, render, period="2026-10-06..2026-10-06", zone="Pacific/Auckland")
    assert (stats.total_calls, stats.source) == (0, None)
    both = ask(period="2026-10-05..2026-10-06", zone="Pacific/Auckland")
    assert (both.total_calls, both.by_day) == (1, (1, 0))


def test_platforms_are_those_of_calls_else_of_plugin_renders(ask: Ask) -> None:
    stats = ask(
        rows.call("mara", at(MONDAY), platform="revit"),
        rows.call("mara", at(MONDAY), platform=None),
        plugin("mara", at(MONDAY)),
        plugin("mara", at(MONDAY + DAY), source_platform="rhino"),
        rows.stored_day("mara", MONDAY + DAY, api_calls=9),
    )
    assert stats.by_platform == {"revit": 1, "unspecified": 1, "rhino": 1}


def test_routes_and_status_classes_are_of_recorded_calls(ask: Ask) -> None:
    stats = ask(
        *(rows.call("mara", at(MONDAY), status_code=code) for code in (200, 201, 304, 429, 503)),
        rows.call("mara", at(MONDAY), method="GET", route="/v1/account"),
        plugin("mara", at(MONDAY + DAY)),
    )
    assert stats.by_route == {"POST /v1/renders": 5, "GET /v1/account": 1}
    # What is neither a success nor an error is in none of the three classes.
    assert stats.by_status_class == {"2xx": 3, "4xx": 1, "5xx": 1, "unspecified": 1}


def test_latency_is_read_from_the_histogram_of_all_calls(ask: Ask) -> None:
    buckets = [100] * 90 + [200] * 10
    stats = ask(*(rows.call("mara", at(MONDAY), duration_bucket=bucket) for bucket in buckets))
    assert stats.latency_ms.p50 == pytest.approx(53.6, rel=0.01)
    assert stats.latency_ms.p95 == pytest.approx(2926, rel=0.01)


def test_a_key_is_active_when_switched_on_used_and_not_expired(ask: Ask) -> None:
    soon = datetime.now(UTC) + DAY
    stats = ask(
        rows.key("mara"),
        rows.key("mara", expires_at=soon),
        rows.key("mara", expires_at=soon - 2 * DAY),
        rows.key("mara", is_active=False),
        rows.key("mara", last_used_at=None),
        rows.key("noor"),
    )
    assert (stats.keys, stats.active_keys) == (5, 2)
