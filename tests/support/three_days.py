"""Statistics to test with, whole and plausible, any part of them replaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from analytics_core.model.daterange import DateRange
from analytics_core.model.results import (
    ActivityStats,
    ApiStats,
    CreditStats,
    Latency,
    ProjectStats,
    RenderStats,
    Statistics,
    StorageStats,
)
from analytics_core.model.vocabulary import ApiSource

ZONE = ZoneInfo("Europe/Madrid")
RANGE = DateRange(date(2026, 10, 1), date(2026, 10, 3), ZONE)


def statistics(**parts: Any) -> Statistics:
    """Three days of one user: 6 renders, 12.5 credits spent, 5 API calls, 2 files, 1 project."""
    sample = Statistics(
        range=RANGE,
        zone="Europe/Madrid",
        renders=RenderStats(
            total=6,
            by_type={"image": 5, "video": 1},
            by_status={"completed": 4, "failed": 1, "pending": 1, "processing": 0},
            by_quality={"standard": 3, "high": 2, "ultra": 0, "unspecified": 1},
            by_platform={"web": 2, "tools": 1, "canvas": 0, "plugin": 3},
            average_processing_time=12.25,
            success_rate=80.0,
            credits_spent=12.5,
            by_day=(1, 2, 3),
            processing_time_by_day=(10.0, None, 14.5),
            success_rate_by_day=(100.0, None, 66.7),
        ),
        credits=CreditStats(
            spent=12.5,
            earned=100,
            net=87.5,
            by_category={
                "render": 12.5,
                "refund": 0,
                "purchase": 100,
                "subscription": 0,
                "bonus": 0,
            },
            average_per_day=12.5 / 3,
            balance=87.5,
            spent_by_day=(2.5, 4, 6),
            earned_by_day=(100, 0, 0),
        ),
        api=ApiStats(
            total_calls=5,
            source=ApiSource.RECORDED,
            by_platform={"sketchup": 3, "revit": 2},
            by_route={"POST /v1/renders": 5},
            by_status_class={"2xx": 4, "4xx": 1, "5xx": 0},
            latency_ms=Latency(p50=120.0, p95=480.5),
            average_per_day=5 / 3,
            keys=2,
            active_keys=1,
            by_day=(1, 1, 3),
        ),
        storage=StorageStats(
            uploaded_bytes=3_000_000,
            uploaded_files=2,
            by_media_type={"image": 2},
            stored_bytes=9_000_000,
            stored_files=7,
            average_per_day=1_000_000.0,
            uploaded_by_day=(1_000_000, 0, 2_000_000),
            stored_by_day=(7_000_000, 7_000_000, 9_000_000),
        ),
        projects=ProjectStats(
            total=1,
            by_platform={"web": 1, "tools": 0, "canvas": 0},
            by_status={"processing": 0, "completed": 1, "failed": 0},
            total_renders=4,
            average_renders_per_project=4.0,
            by_day=(1, 0, 0),
        ),
        activity=ActivityStats(
            logins=9,
            signups=1,
            last_login_at=datetime(2026, 10, 3, 9, 6, 32, 985_000, tzinfo=UTC),
            account_age_days=300,
            logins_by_day=(1, 0, 1),
        ),
    )
    return replace(sample, **parts)
