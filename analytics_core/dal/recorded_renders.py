"""Renders that the daily aggregate has counted: each is counted once, however often it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import exc as sql_errors
from sqlalchemy import text, update
from sqlalchemy.dialects import postgresql, sqlite

from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.database import PATIENCE_SECONDS, Database
from analytics_core.dal.tables import RecordedRenderRow
from analytics_core.dal.tombstones import USER, Tombstones
from analytics_core.dal.usage_tracking import UsageAmounts, UsageTrackingRepository
from analytics_core.errors import ForgottenUser, UnknownUser


class RecordedRenderRepository:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._usage_tracking = UsageTrackingRepository(database, own_catalog())

    def count_once(
        self, render_id: str, user_id: str, occurred_at: datetime, amounts: UsageAmounts
    ) -> bool:
        """Add a render's amounts to its user's UTC day, unless it was counted before.

        Returns whether it was counted now. Either both the render and its amounts are kept or
        neither is. Waits no longer than `PATIENCE_SECONDS` for a connection, and as long for each
        other writer's lock. Raises `UnknownUser`, `ForgottenUser`, `ReadOnlyDatabase` and
        `DatabaseUnavailable`.
        """
        on_postgresql = self._database.dialect == "postgresql"
        insert = postgresql.insert if on_postgresql else sqlite.insert
        remember = (
            insert(RecordedRenderRow)
            .values(render_id=render_id, occurred_at=occurred_at, amounts_told=1)
            .on_conflict_do_nothing(index_elements=["render_id"])
            .returning(RecordedRenderRow.render_id)
        )
        # An event told of the render before, which says nothing of credits and API calls.
        tell_amounts = (
            update(RecordedRenderRow)
            .where(RecordedRenderRow.render_id == render_id, RecordedRenderRow.amounts_told == 0)
            .values(amounts_told=1)
            .returning(RecordedRenderRow.render_id)
        )
        with self._database.write() as transaction:
            if on_postgresql:
                # SQLite has the same patience from its connection.
                transaction.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'"))
            # A writer of the same render that is not done is waited for: it may still roll back.
            is_new = transaction.execute(remember).first() is not None
            if not is_new and transaction.execute(tell_amounts).first() is not None:
                is_new, amounts = True, replace(amounts, renders_created=0)
            if is_new:
                day = occurred_at.astimezone(UTC).date()
                try:
                    self._usage_tracking.record(transaction, user_id, day, amounts)
                except sql_errors.IntegrityError:
                    # The only constraint that can be broken here is that the user exists.
                    transaction.rollback()
                    if since := Tombstones(self._database).since(USER, user_id):
                        raise ForgottenUser(since) from None
                    raise UnknownUser(user_id) from None
                transaction.commit()
            return is_new
