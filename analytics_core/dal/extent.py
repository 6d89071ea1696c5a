"""From when to when a scope has records of any kind."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.database import Database
from analytics_core.model.daterange import DateRange, date_of
from analytics_core.model.scope import Scope


class ExtentRepository:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    def dates(self, scope: Scope, zone: ZoneInfo) -> DateRange | None:
        """The dates of the first and last record, in a zone; None where there is no record.

        A stored daily aggregate counts on the date it is named after.
        """
        c = self._catalog
        instants = [
            (c.renders.c.user_id, c.renders.c.created_at),
            (c.credit_transactions.c.user_id, c.credit_transactions.c.created_at),
            (c.api_calls.c.user_id, c.api_calls.c.occurred_at),
            (c.files.c.user_id, c.files.c.created_at),
            (c.projects.c.user_id, c.projects.c.created_at),
            (c.account_activity.c.user_id, c.account_activity.c.created_at),
            (c.plugin_api_keys.c.user_id, c.plugin_api_keys.c.created_at),
            (c.usage_tracking.c.user_id, c.usage_tracking.c.date),
        ]
        ends = [
            select(extreme(when)).where(c.within(scope, owner)).scalar_subquery()
            for owner, when in instants
            for extreme in (func.min, func.max)
        ]
        found: list[date] = []
        for when in self._database.rows(select(*ends))[0]:
            if when is not None:
                found.append(date_of(when, zone) if isinstance(when, datetime) else when)
        return DateRange(min(found), max(found), zone) if found else None
