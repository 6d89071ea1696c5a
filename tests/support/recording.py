"""A writer of daily aggregates, in a module of its own so that other processes can be one too."""

from __future__ import annotations

from datetime import date

from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.usage_tracking import UsageAmounts, UsageTrackingRepository


def record_times(url: str, user_id: str, day: date, amounts: UsageAmounts, times: int) -> None:
    """Add amounts to one day as often as this, each time in a transaction of its own."""
    database = Database(url)
    repository = UsageTrackingRepository(database, own_catalog())
    for _ in range(times):
        with database.write() as transaction:
            repository.record(transaction, user_id, day, amounts)
            transaction.commit()
    database.close()
