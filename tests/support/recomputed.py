"""Every number once more, the slow and obvious way: in Python, from single rows, by docs/metrics.

Shares nothing with the package: no query, no range, no vocabulary, no bucket arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.rows import Row
from tests.support.zones import date_shown

TYPES = ("image", "video")
STATUSES = ("completed", "failed", "pending", "processing")
QUALITIES = ("standard", "high", "ultra")
PLATFORMS = ("web", "tools", "canvas", "plugin")
CATEGORIES = ("render", "refund", "purchase", "subscription", "bonus")

Values = dict[str, Any]
_date_shown = cache(date_shown)


def recomputed(
    rows: Iterable[Row],
    users: set[str] | None,
    first: date | None,
    last: date | None,
    zone: ZoneInfo,
    now: datetime,
) -> dict[str, Any]:
    """What `Statistics.to_dict` should say of these users (None: everyone) and dates.

    Without dates, of everything they have.
    """
    mine = [row for row in rows if users is None or _owner(row) in users]
    tables: dict[str, list[Values]] = {}
    for row in mine:
        tables.setdefault(row.table, []).append(row.values)

    def day(instant: datetime) -> date:
        return _date_shown(instant, zone)

    if first is None or last is None:
        found = list(_record_dates(tables, day))
        if not found:
            return _nothing(tables, zone, now, users)
        first, last = min(found), max(found)
    days = (last - first).days + 1

    def within(instant: datetime) -> bool:
        return first <= day(instant) <= last

    def since(table: str, when: str = "created_at") -> list[Values]:
        return [values for values in tables.get(table, []) if within(values[when])]

    renders = since("renders")
    ledger = [t for t in tables.get("credit_transactions", []) if day(t["created_at"]) <= last]
    files = since("files")
    projects = since("projects")
    api = _api(tables, within, first, last, day)
    in_range = [entry for entry in ledger if within(entry["created_at"])]
    spent, earned = _sum(in_range, "debit"), _sum(in_range, "credit")
    uploaded = sum(file["size"] for file in files)
    stored = [
        file
        for file in tables.get("files", [])
        if day(file["created_at"]) <= last
        and not (file["deleted_at"] and day(file["deleted_at"]) <= last)
    ]
    of_projects = {project["id"] for project in projects}
    project_renders = sum(render["project_id"] in of_projects for render in renders)
    return {
        "range": {
            "from": first.isoformat(),
            "to": last.isoformat(),
            "tz": zone.key,
            "days": days,
        },
        "renders": _renders(renders),
        "credits": {
            "spent": spent,
            "earned": earned,
            "net": earned - spent,
            "by_category": _partition(
                ((entry["category"], entry["amount"]) for entry in in_range), CATEGORIES
            ),
            "average_per_day": spent / days,
            "balance": _sum(ledger, "credit") - _sum(ledger, "debit"),
        },
        "api": {
            **api["answer"],
            "average_per_day": api["answer"]["total_calls"] / days,
            **_keys(tables, now),
        },
        "storage": {
            "uploaded_bytes": uploaded,
            "uploaded_files": len(files),
            "by_media_type": _tally(
                file["media_type"].split("/")[0].lower() or "unspecified" for file in files
            ),
            "stored_bytes": sum(file["size"] for file in stored),
            "stored_files": len(stored),
            "average_per_day": uploaded / days,
        },
        "projects": {
            "total": len(projects),
            "by_platform": _count(projects, "platform", ("web", "tools", "canvas")),
            "by_status": _count(projects, "status", ("processing", "completed", "failed")),
            "total_renders": project_renders,
            "average_renders_per_project": project_renders / len(projects) if projects else None,
        },
        "activity": _activity(tables, zone, now, users),
        "daily": [
            {
                "date": one.isoformat(),
                "renders_created": sum(day(r["created_at"]) == one for r in renders),
                "credits_spent": _sum([e for e in ledger if day(e["created_at"]) == one], "debit"),
                "api_calls": api["by_day"][one],
                "storage_used": sum(f["size"] for f in files if day(f["created_at"]) == one),
            }
            for one in (first + timedelta(days=n) for n in range(days))
        ],
    }


def _owner(row: Row) -> str:
    owner: str = row.values["id" if row.table == "users" else "user_id"]
    return owner


def _record_dates(
    tables: dict[str, list[Values]], day: Callable[[datetime], date]
) -> Iterable[date]:
    for table, rows in tables.items():
        for values in rows:
            if table == "usage_tracking":
                yield values["date"]
            elif table != "users":
                yield day(values["occurred_at" if table == "api_calls" else "created_at"])


def _renders(renders: list[Values]) -> dict[str, Any]:
    completed = [render for render in renders if render["status"] == "completed"]
    failed = [render for render in renders if render["status"] == "failed"]
    times = [r["processing_time"] for r in completed if (r["processing_time"] or 0) > 0]
    finished = len(completed) + len(failed)

    def platform(render: Values) -> str:
        if render["source_platform"]:
            return "plugin"
        return str(render["platform"]) if render["platform"] in ("tools", "canvas") else "web"

    return {
        "total": len(renders),
        "by_type": _count(renders, "type", TYPES),
        "by_status": _count(renders, "status", STATUSES),
        "by_quality": _count(renders, "quality", QUALITIES),
        "by_platform": _partition(((platform(render), 1) for render in renders), PLATFORMS),
        "average_processing_time": sum(times) / len(times) if times else None,
        "success_rate": 100 * len(completed) / finished if finished else None,
        "credits_spent": sum(render["credits_cost"] for render in renders),
    }


def _api(
    tables: dict[str, list[Values]],
    within: Callable[[datetime], bool],
    first: date,
    last: date,
    day: Callable[[datetime], date],
) -> dict[str, Any]:
    calls = tables.get("api_calls", [])
    stored = tables.get("usage_tracking", [])
    plugin = [render for render in tables.get("renders", []) if render["source_platform"]]
    recorded_days = {(c["user_id"], c["occurred_at"].astimezone(UTC).date()) for c in calls}
    stored_days = {(d["user_id"], d["date"]) for d in stored}

    recorded = [call for call in calls if within(call["occurred_at"])]
    daily = [
        aggregate
        for aggregate in stored
        if first <= aggregate["date"] <= last
        and (aggregate["user_id"], aggregate["date"]) not in recorded_days
    ]
    unrecorded = [
        render
        for render in plugin
        if within(render["created_at"])
        and (render["user_id"], render["created_at"].astimezone(UTC).date()) not in recorded_days
    ]
    inferred = [
        render
        for render in unrecorded
        if (render["user_id"], render["created_at"].astimezone(UTC).date()) not in stored_days
    ]
    by_day: Counter[date] = Counter(day(call["occurred_at"]) for call in recorded)
    for aggregate in daily:
        by_day[aggregate["date"]] += aggregate["api_calls"]
    by_day.update(day(render["created_at"]) for render in inferred)
    sources = [
        name
        for name, found in (("recorded", recorded), ("daily", daily), ("inferred", inferred))
        if found
    ]
    buckets = sorted(call["duration_bucket"] for call in recorded)
    return {
        "by_day": by_day,
        "answer": {
            "total_calls": sum(by_day.values()),
            "source": None if not sources else sources[0] if len(sources) == 1 else "mixed",
            "by_platform": _tally(
                [call["platform"] or "unspecified" for call in recorded]
                + [render["source_platform"] for render in unrecorded]
            ),
            "by_route": _tally(f"{call['method']} {call['route']}" for call in recorded),
            "by_status_class": _partition(
                ((f"{call['status_code'] // 100}xx", 1) for call in recorded),
                ("2xx", "4xx", "5xx"),
            ),
            "latency_ms": {"p50": _quantile(buckets, 0.50), "p95": _quantile(buckets, 0.95)},
        },
    }


def _quantile(buckets: list[int], q: float) -> float | None:
    if not buckets:
        return None
    gamma = 1.02 / 0.98
    return 2 * gamma ** buckets[floor(q * (len(buckets) - 1))] / (gamma + 1)


def _keys(tables: dict[str, list[Values]], now: datetime) -> dict[str, int]:
    keys = tables.get("plugin_api_keys", [])
    active = [
        key
        for key in keys
        if key["is_active"]
        and key["last_used_at"]
        and (key["expires_at"] is None or key["expires_at"] > now)
    ]
    return {"keys": len(keys), "active_keys": len(active)}


def _activity(
    tables: dict[str, list[Values]], zone: ZoneInfo, now: datetime, users: set[str] | None
) -> dict[str, Any]:
    events = tables.get("account_activity", [])
    logins = [event["created_at"] for event in events if event["event"] == "login"]
    accounts = tables.get("users", [])
    seen = logins + [user["last_login_at"] for user in accounts if user["last_login_at"]]
    age = None
    if users is not None and len(users) == 1 and accounts:
        age = (_date_shown(now, zone) - _date_shown(accounts[0]["created_at"], zone)).days
    return {
        "logins": len(logins),
        "signups": sum(event["event"] == "signup" for event in events),
        "last_login_at": _text(max(seen)) if seen else None,
        "account_age_days": age,
    }


def _text(instant: datetime) -> str:
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z"


def _nothing(
    tables: dict[str, list[Values]], zone: ZoneInfo, now: datetime, users: set[str] | None
) -> dict[str, Any]:
    today = date(1999, 1, 1)
    empty = recomputed([], users, today, today, zone, now)
    for section in ("credits", "api", "storage"):
        empty[section]["average_per_day"] = None
    return {
        **empty,
        "range": {"from": None, "to": None, "tz": zone.key, "days": 0},
        "activity": _activity(tables, zone, now, users),
        "daily": [],
    }


def _sum(entries: list[Values], kind: str) -> int:
    return sum(entry["amount"] for entry in entries if entry["kind"] == kind)


def _count(rows: list[Values], field: str, names: tuple[str, ...]) -> dict[str, int]:
    return _partition(((row[field], 1) for row in rows), names)


def _partition(amounts: Iterable[tuple[str | None, int]], names: tuple[str, ...]) -> dict[str, int]:
    sums = dict.fromkeys(names, 0)
    for name, amount in amounts:
        member = name if name in names else "unspecified"
        sums[member] = sums.get(member, 0) + amount
    return sums


def _tally(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))
