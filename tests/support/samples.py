"""Statistics as a busy small studio would have them, made without a database."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics_core.model.daterange import DateRange
from analytics_core.model.results import (
    ActivityStats,
    ApiStats,
    Comparison,
    CreditStats,
    Latency,
    ProjectStats,
    RenderStats,
    Statistics,
    StorageStats,
)
from analytics_core.model.vocabulary import ApiSource

ZONE = ZoneInfo("Asia/Kolkata")
LAST = date(2026, 10, 31)
# Two hours after the last login, on the day after the range.
NOW = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)

_WEEK = (1.0, 1.05, 1.1, 1.12, 1.45, 0.6, 0.5)


def sample_range(days: int = 30, last: date = LAST) -> DateRange:
    return DateRange(last - timedelta(days=days - 1), last, ZONE)


def sample_comparison(days: int = 30, compare: bool = True, scale: int = 1) -> Comparison:
    """A range that ends on Oct 31, 2026; `scale` multiplies every amount, 0 makes them all zero."""
    dates = sample_range(days)
    before = sample_range(days, dates.first - timedelta(days=1))
    return Comparison(
        sample_statistics(dates, scale), sample_statistics(before, scale) if compare else None
    )


def empty_comparison(days: int | None = None, compare: bool = False) -> Comparison:
    """Of a user who has nothing: without `days` there is not even a range."""
    dates = None if days is None else sample_range(days)
    nothing = sample_statistics(dates, 0)
    return Comparison(nothing, nothing if compare else None)


def sample_statistics(dates: DateRange | None, scale: int = 1) -> Statistics:
    """Statistics whose partitions and days add up to their totals."""
    days = dates.dates if dates else ()
    renders = _daily(days, 46 * scale)
    spent = tuple(2 * made - (scale if made else 0) for made in renders)
    calls = _daily(days, 27 * scale, shift=3)
    earned = tuple(500 * scale if day.day == 1 else 0 for day in days)
    uploaded = tuple(made * 430_000 for made in renders)
    stored = _running(uploaded, start=3_600_000_000 * scale)
    logins = _daily(days, 2 * scale, shift=5)
    created = tuple(scale if day.toordinal() % 4 == 0 else 0 for day in days)
    total, total_calls, files = sum(renders), sum(calls), sum(renders) // 3
    finished = total > 0
    return Statistics(
        dates,
        str(ZONE),
        RenderStats(
            total,
            _shares(total, {"image": 75, "video": 25}),
            _shares(total, {"completed": 94, "failed": 4, "pending": 1, "processing": 1}),
            _shares(total, {"standard": 60, "high": 27, "ultra": 10, "unspecified": 3}),
            _shares(total, {"web": 51, "tools": 12, "canvas": 4, "plugin": 33}),
            46.7 - total % 7 if finished else None,
            96.4 - total % 5 / 2 if finished else None,
            sum(spent),
            renders,
            tuple(
                None if made == 0 or n % 11 == 5 else 40 + 9 * math.sin((n + total % 7) / 3)
                for n, made in enumerate(renders)
            ),
            tuple(
                None if made == 0 else 100.0 - 5 * (n % 3 == total % 3) - 2.5 * (n % 4 == 2)
                for n, made in enumerate(renders)
            ),
        ),
        CreditStats(
            sum(spent),
            sum(earned),
            sum(earned) - sum(spent),
            {
                "render": sum(spent),
                **_shares(sum(earned), {"refund": 6, "purchase": 30, "subscription": 60}, "bonus"),
            },
            sum(spent) / len(days) if days else None,
            1420 * scale,
            spent,
            earned,
        ),
        ApiStats(
            total_calls,
            ApiSource.RECORDED if total_calls else None,
            _shares(total_calls, {"sketchup": 45, "revit": 25, "rhino": 18, "blender": 12})
            if total_calls
            else {},
            _shares(
                total_calls,
                {
                    "POST /v1/projects/{project_id}/renders": 40,
                    "GET /v1/renders/{render_id}": 30,
                    "GET /v1/account": 12,
                    "GET /v1/projects": 9,
                    "POST /v1/files": 9,
                },
            )
            if total_calls
            else {},
            _shares(total_calls, {"2xx": 93, "4xx": 6, "5xx": 1}) if total_calls else {},
            Latency(182.4, 1240.0) if total_calls else Latency(None, None),
            total_calls / len(days) if days else None,
            4 * min(scale, 1),
            3 * min(scale, 1),
            calls,
        ),
        StorageStats(
            sum(uploaded),
            files,
            _shares(files, {"image": 70, "video": 18, "application": 12}) if files else {},
            stored[-1] if stored else 0,
            1204 * scale,
            sum(uploaded) / len(days) if days else None,
            uploaded,
            stored,
        ),
        ProjectStats(
            sum(created),
            _shares(sum(created), {"web": 60, "tools": 25, "canvas": 15}),
            _shares(sum(created), {"processing": 15, "completed": 80, "failed": 5}),
            total if sum(created) else 0,
            total / sum(created) if sum(created) else None,
            created,
        ),
        ActivityStats(
            sum(logins) + 12 * scale,
            min(scale, 1),
            NOW - timedelta(hours=2) if scale and days else None,
            303 if days and scale else None,
            logins,
        ),
    )


def _daily(days: Sequence[date], height: int, shift: int = 0) -> tuple[int, ...]:
    """Weekdays, a slow wave and some growth; the same date has the same value in every range."""
    return tuple(
        round(
            height
            * _WEEK[day.weekday()]
            * (1 + 0.25 * math.sin((day.toordinal() + shift) / 4.3))
            * (0.6 + (day.toordinal() - 738_000) / 4000)
        )
        for day in days
    )


def _running(amounts: Sequence[int], start: int) -> tuple[int, ...]:
    stored, total = [], start
    for amount in amounts:
        total += amount
        stored.append(total)
    return tuple(stored)


def _shares(total: int, weights: dict[str, int], rest: str | None = None) -> dict[str, int]:
    """Whole parts in these proportions that add up to the total; the rest goes to the first."""
    whole = sum(weights.values())
    parts = {member: total * weight // whole for member, weight in weights.items()}
    parts[rest or next(iter(weights))] = parts.get(rest or next(iter(weights)), 0) + (
        total - sum(parts.values())
    )
    return parts
