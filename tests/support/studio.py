"""A small studio's history as rows, up to now, with the awkward texts that real data has."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, create_engine, insert

from analytics_core.dal import tables

MARA = "mara@example.com"
NOBODY_YET = "nobody-yet@example.com"
HOSTILE_NAME = "<img src=x onerror=\"document.title='owned'\"> Studio"
HOSTILE_PLATFORM = "<b>=1+1</b>"


def fill(url: str) -> None:
    """Write the history into a database that has its tables."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for row_type, rows in _history(random.Random(7), datetime.now(UTC)).items():
            table: Table = row_type.__table__
            connection.execute(insert(table), rows)
    engine.dispose()


def _history(chance: random.Random, now: datetime) -> dict[Any, list[dict[str, Any]]]:
    def some_time(days: float) -> datetime:
        return now - timedelta(days=days * chance.random() ** 1.3, minutes=5)

    def user(number: int, email: str, name: str, zone: str | None, days: int) -> dict[str, Any]:
        since = now - timedelta(days=days)
        login = now - timedelta(hours=2) if days else None
        return {"id": f"u{number}", "email": email, "name": name, "zone": zone, "is_active": True,
                "last_login_at": login, "created_at": since}  # fmt: skip

    renders = [
        {
            "id": f"r{n}", "user_id": "u1", "project_id": f"p{n % 40}",
            "type": chance.choices(["image", "video"], [8, 2])[0],
            "status": chance.choices(
                ["completed", "failed", "pending", "processing"], [90, 6, 2, 1]
            )[0],
            "quality": chance.choices(["standard", "high", "ultra", None], [60, 30, 10, 2])[0],
            "platform": chance.choice(["web", "web", "tools", "canvas"]),
            "source_platform": chance.choices(
                [None, "sketchup", "revit", HOSTILE_PLATFORM], [50, 20, 10, 2]
            )[0],
            "plugin_version": None, "credits_cost": chance.randint(1, 4),
            "processing_time": chance.lognormvariate(3, 0.6), "created_at": some_time(300),
        }
        for n in range(4000)
    ]  # fmt: skip
    ledger = [
        {"id": f"t{n}", "user_id": "u1", "kind": "debit", "amount": render["credits_cost"],
         "category": "render", "reference_id": render["id"], "created_at": render["created_at"]}
        for n, render in enumerate(renders)
    ] + [
        {"id": f"c{n}", "user_id": "u1", "kind": "credit", "amount": 500, "category": category,
         "reference_id": None, "created_at": some_time(300)}
        for n, category in enumerate(["purchase", "subscription", "bonus", "refund"] * 6)
    ]  # fmt: skip
    routes = [
        "/v1/renders", "/v1/renders/{render_id}",
        "/v1/projects/{project_id}/materials/{material_id}/textures/{texture_id}",
    ]  # fmt: skip
    return {
        tables.UserRow: [
            user(1, MARA, HOSTILE_NAME, "Asia/Kolkata", 303),
            user(2, NOBODY_YET, "Nobody Yet", None, 0),
        ],
        tables.ProjectRow: [
            {"id": f"p{n}", "user_id": "u1", "name": f"House {n}", "created_at": some_time(300),
             "status": chance.choice(["processing", "completed", "failed"]),
             "platform": chance.choice(["web", "tools", "canvas"])}
            for n in range(60)
        ],
        tables.RenderRow: renders,
        tables.TransactionRow: ledger,
        tables.ActivityRow: [
            {"id": f"a{n}", "user_id": "u1", "event": "login", "created_at": some_time(300)}
            for n in range(120)
        ],
        tables.ApiKeyRow: [
            {"id": f"k{n}", "user_id": "u1", "name": f"Key {n}", "key_hash": f"hash-{n}",
             "prefix": "rk", "is_active": n != 2, "expires_at": None, "last_used_at": now,
             "created_at": now - timedelta(days=200)}
            for n in range(3)
        ],
        tables.FileRow: [
            {"id": f"f{n}", "user_id": "u1", "name": f"{n}.png", "created_at": some_time(300),
             "media_type": chance.choice(["image/png", "video/mp4", "application/pdf"]),
             "size": chance.randint(100_000, 9_000_000), "deleted_at": None}
            for n in range(500)
        ],
        tables.ApiCallRow: [
            {"id": f"x{n}", "user_id": "u1", "method": chance.choice(["GET", "POST"]),
             "route": chance.choice(routes), "duration_bucket": chance.randint(60, 200),
             "status_code": chance.choices([200, 404, 500], [80, 6, 2])[0],
             "platform": chance.choice(["sketchup", "revit"]), "plugin_version": "1.0",
             "occurred_at": some_time(250)}
            for n in range(3000)
        ],
    }  # fmt: skip
