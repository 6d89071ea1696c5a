"""What recording must leave behind, read and compared."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from sqlalchemy import text

from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.usage_tracking import UsageDay, UsageTrackingRepository
from analytics_core.model.scope import Scope

# What events end up in; ids that are remembered are the means, not the end.
_TABLES = {
    "renders": "id, user_id, type, status, quality, credits_cost, processing_time, created_at",
    "api_calls": "id, user_id, method, route, status_code, duration_bucket, occurred_at",
    "files": "id, user_id, name, media_type, size, created_at, deleted_at",
    "credit_transactions": "id, user_id, kind, amount, category, reference_id, created_at",
    "account_activity": "id, user_id, event, created_at",
    "usage_tracking": "user_id, date, renders_created, credits_spent, api_calls, storage_used",
    "set_aside_events": "digest, reason",
}


def tables(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that events are written to, in one order."""
    return {
        name: database.rows(text(f"SELECT {columns} FROM {name} ORDER BY 1, 2"))
        for name, columns in _TABLES.items()
    }


def differences(database: Database) -> list[UsageDay]:
    """What `analytics doctor --verify` finds."""
    found = UsageTrackingRepository(database, own_catalog())
    return found.differences(Scope.everyone(), 20)


def differences_at(url: str) -> list[UsageDay]:
    with closing(Database(url)) as database:
        return differences(database)
