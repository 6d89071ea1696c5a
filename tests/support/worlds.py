"""Small worlds for Hypothesis: two users, what they did close to midnights, and who asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from analytics_core.model.daterange import DateRange, first_instant
from tests.support import rows
from tests.support.rows import Row
from tests.support.zones import instants_around, zone_and_date

USERS = ("mara", "noor")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """Rows, and a range in a zone that cuts through them."""

    rows: list[Row]
    dates: DateRange
    now: datetime


@st.composite
def worlds(draw: st.DrawFn, min_days: int = 1, max_days: int = 5) -> World:
    zone, first = draw(zone_and_date())
    last = first + draw(st.integers(min_days, max_days)) * _DAY - _DAY
    dates = DateRange(first, last, zone)
    now = dates.end + draw(st.integers(-30, 30)) * timedelta(hours=1)
    made = [rows.user(name, created_at=dates.start - 3 * _DAY) for name in USERS]
    made += draw(_records(zone, first, last))
    return World(made, dates, now)


def _records(zone: ZoneInfo, first: date, last: date) -> st.SearchStrategy[list[Row]]:
    days = [first + n * _DAY for n in range(-1, (last - first).days + 3)]
    starts = [first_instant(day, zone) for day in days]
    # UTC's own midnights matter too: sources are chosen by UTC day.
    starts += [datetime.combine(day, datetime.min.time(), UTC) for day in days]
    at = instants_around(starts)
    who = st.sampled_from(USERS)
    sometimes = st.none() | at
    renders = st.builds(
        rows.render,
        who,
        at,
        type=st.sampled_from(["image", "video"]),
        status=st.sampled_from(["completed", "failed", "pending", "processing"]),
        quality=st.sampled_from([None, "standard", "high", "ultra"]),
        platform=st.sampled_from(["web", "tools", "canvas"]),
        source_platform=st.sampled_from([None, None, "", "sketchup", "revit"]),
        credits_cost=st.integers(0, 9),
        processing_time=st.sampled_from([None, 0.0, 7.0, 12.5]),
    )
    ledger = st.builds(
        rows.transaction,
        who,
        at,
        kind=st.sampled_from(["debit", "credit"]),
        amount=st.integers(1, 100),
        category=st.sampled_from(["render", "refund", "purchase", "subscription", "bonus"]),
    )
    calls = st.builds(
        rows.call,
        who,
        at,
        method=st.sampled_from(["GET", "POST"]),
        status_code=st.sampled_from([200, 201, 304, 404, 500]),
        duration_bucket=st.integers(-50, 300),
        platform=st.sampled_from([None, "sketchup", "revit"]),
    )
    files = st.builds(
        rows.file,
        who,
        at,
        media_type=st.sampled_from(["image/png", "IMAGE/jpeg", "video/mp4", ""]),
        size=st.integers(0, 5000),
    )
    keys = st.builds(
        rows.key, who, at, is_active=st.booleans(), expires_at=sometimes, last_used_at=sometimes
    )
    events = st.builds(
        rows.activity, who, at, event=st.sampled_from(["login", "signup", "logout", "render"])
    )
    stored = st.lists(
        st.builds(rows.stored_day, who, st.sampled_from(days), api_calls=st.integers(0, 9)),
        max_size=4,
        unique_by=lambda row: (row.values["user_id"], row.values["date"]),
    )
    singles = st.lists(
        renders | renders | ledger | calls | files | keys | events | _projects(who, at),
        max_size=16,
    )
    return st.builds(_together, singles, stored, st.randoms(use_true_random=False), sometimes)


def _projects(
    who: st.SearchStrategy[str], at: st.SearchStrategy[datetime]
) -> st.SearchStrategy[Row]:
    return st.builds(
        rows.project,
        who,
        at,
        status=st.sampled_from(["processing", "completed", "failed"]),
        platform=st.sampled_from(["web", "tools", "canvas"]),
    )


def _together(
    singles: list[Row], stored: list[Row], choice: object, deleted_at: datetime | None
) -> list[Row]:
    """Renders are put into projects, and a file that has a later instant is deleted then."""
    projects = [row.values["id"] for row in singles if row.table == "projects"]
    for row in singles:
        if row.table == "renders":
            row.values["project_id"] = choice.choice([None, *projects])  # type: ignore[attr-defined]
        if row.table == "files" and deleted_at and row.values["created_at"] <= deleted_at:
            row.values["deleted_at"] = deleted_at
    return singles + stored
