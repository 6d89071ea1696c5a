"""The machine-readable form that other programs rely on, and frames for analysts."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from analytics_core.model.results import change_in_percent, timestamp_text
from tests.support.samples import empty_comparison, sample_comparison

KEYS: dict[str, list[str]] = {
    "range": ["from", "to", "tz", "days"],
    "renders": [
        *("total", "by_type", "by_status", "by_quality", "by_platform"),
        *("average_processing_time", "success_rate", "credits_spent"),
    ],
    "credits": ["spent", "earned", "net", "by_category", "average_per_day", "balance"],
    "api": [
        *("total_calls", "source", "by_platform", "by_route", "by_status_class", "latency_ms"),
        *("average_per_day", "keys", "active_keys"),
    ],
    "storage": [
        *("uploaded_bytes", "uploaded_files", "by_media_type", "stored_bytes", "stored_files"),
        "average_per_day",
    ],
    "projects": [
        *("total", "by_platform", "by_status", "total_renders", "average_renders_per_project"),
    ],
    "activity": ["logins", "signups", "last_login_at", "account_age_days"],
}


def keys(answers: dict[str, Any]) -> dict[str, list[str]]:
    return {section: list(answers[section]) for section in KEYS}


def test_the_machine_form_has_the_keys_of_the_contract_and_no_others() -> None:
    answers = sample_comparison(compare=True).to_dict()
    assert list(answers) == [*KEYS, "daily", "previous"]
    assert keys(answers) == KEYS
    assert list(answers["previous"]) == [*KEYS, "daily"]
    assert keys(answers["previous"]) == KEYS
    assert list(answers["api"]["latency_ms"]) == ["p50", "p95"]
    for day in answers["daily"]:
        assert list(day) == [
            *("date", "renders_created", "credits_spent", "api_calls", "storage_used"),
        ]


def test_without_a_comparison_there_is_no_previous() -> None:
    assert "previous" not in sample_comparison(compare=False).to_dict()


def test_the_machine_form_is_json_and_nothing_is_rounded() -> None:
    answers = sample_comparison(days=7).to_dict()
    assert json.loads(json.dumps(answers, allow_nan=False)) == answers
    assert answers["credits"]["average_per_day"] == answers["credits"]["spent"] / 7


def test_a_range_is_told_by_its_dates() -> None:
    assert sample_comparison(days=7).to_dict()["range"] == {
        "from": "2026-10-25",
        "to": "2026-10-31",
        "tz": "Asia/Kolkata",
        "days": 7,
    }


def test_without_any_record_the_range_is_null_and_has_no_days() -> None:
    answers = empty_comparison().to_dict()
    assert answers["range"] == {"from": None, "to": None, "tz": "Asia/Kolkata", "days": 0}
    assert answers["daily"] == []
    assert answers["credits"]["average_per_day"] is None


def test_a_daily_series_has_a_row_per_date_in_order() -> None:
    daily = sample_comparison(days=30).to_dict()["daily"]
    assert [day["date"] for day in daily] == [
        (date(2026, 10, 2) + timedelta(days=n)).isoformat() for n in range(30)
    ]


# --- frames ---


def test_the_frame_of_statistics_is_its_daily_series() -> None:
    statistics = sample_comparison(days=3).current
    frame = statistics.to_frame()
    assert frame.index.name == "date"
    assert list(frame.index) == [pd.Timestamp(2026, 10, day) for day in (29, 30, 31)]
    assert list(frame.columns) == ["renders_created", "credits_spent", "api_calls", "storage_used"]
    assert tuple(frame["renders_created"]) == statistics.renders.by_day


def test_the_frame_of_nothing_has_the_same_shape() -> None:
    frame = empty_comparison().current.to_frame()
    full = sample_comparison().current.to_frame()
    assert frame.empty
    assert list(frame.columns) == list(full.columns)
    assert frame.index.dtype.kind == full.index.dtype.kind == "M"


@pytest.mark.parametrize(
    ("section", "columns"),
    [
        ("renders", ["dimension", "member", "renders"]),
        ("credits", ["category", "credits"]),
        ("api", ["dimension", "member", "calls"]),
        ("storage", ["media_type", "files"]),
        ("projects", ["dimension", "member", "projects"]),
        ("activity", ["logins", "signups", "last_login_at", "account_age_days"]),
    ],
)
def test_every_section_has_a_frame(section: str, columns: list[str]) -> None:
    for comparison in (sample_comparison(), empty_comparison()):
        frame = getattr(comparison.current, section).to_frame()
        assert list(frame.columns) == columns


def test_a_partition_frame_has_a_row_per_member() -> None:
    renders = sample_comparison().current.renders
    frame = renders.to_frame()
    of_type = frame[frame["dimension"] == "type"].set_index("member")["renders"]
    assert of_type.to_dict() == renders.by_type
    assert set(frame["dimension"]) == {"type", "status", "quality", "platform"}


# --- small arithmetic ---


@pytest.mark.parametrize(
    ("value", "before", "percent"),
    [
        (150, 100, 50.0),
        (50, 100, -50.0),
        (0, 100, -100.0),
        (100, 100, 0.0),
        # What was owed is paid: that is up, although both are measured from below zero.
        (50, -100, 150.0),
        (-150, -100, -50.0),
        (5, 0, None),
        (0, 0, None),
        (None, 100, None),
        (5, None, None),
    ],
)
def test_a_change_is_told_in_percent_of_what_was_before(
    value: float | None, before: float | None, percent: float | None
) -> None:
    assert change_in_percent(value, before) == percent


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 2, 4, 9, 6, 32, 985000, UTC), "2026-02-04T09:06:32.985Z"),
        (datetime(2026, 2, 4, 9, 6, 32, 0, UTC), "2026-02-04T09:06:32.000Z"),
        (datetime(2026, 2, 4, 9, 6, 32, 999_999, UTC), "2026-02-04T09:06:32.999Z"),
        (
            datetime(2026, 2, 4, 9, 6, 32, 985000, timezone(timedelta(hours=5, minutes=30))),
            "2026-02-04T03:36:32.985Z",
        ),
        (None, None),
    ],
)
def test_a_timestamp_is_utc_to_the_millisecond(instant: datetime | None, text: str | None) -> None:
    assert timestamp_text(instant) == text
