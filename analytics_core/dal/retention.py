"""Letting go of old records of kinds that are kept for a time only.

A user's UTC day of API calls goes as a whole, after the stored daily aggregate has its number: from
then on that is the best source there is. `horizons` says since which day calls are kept, so that
none that comes late makes a day that is gone look like one with a few calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Table, and_, delete, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from analytics_core.dal.database import Database
from analytics_core.dal.days import utc_date
from analytics_core.dal.partitions import PARTITIONED, months_before
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.sets import DIMENSIONS
from analytics_core.dal.tables import Base, HorizonRow, microseconds
from analytics_core.model.keeping import Kind
from analytics_core.model.vocabulary import ActivityEvent

_AT_ONCE = 10_000
_ONE_DAY = timedelta(days=1)
# The aggregate never shrinks; a product that wrote calls itself may not have told it of them.
_FOLD = """
    INSERT INTO usage_tracking (user_id, date, api_calls) {days}
    ON CONFLICT (user_id, date) DO UPDATE SET api_calls = excluded.api_calls
    WHERE usage_tracking.api_calls < excluded.api_calls
"""
_COUNTED = "SELECT d.user_id, d.date, count(*) FROM {source} WHERE true GROUP BY 1, 2"


class RetentionRepository:
    """Old records of the workspace's own database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._on_postgresql = database.dialect == "postgresql"
        self._kept = Kept.own(database)

    def going(self, kind: Kind, first_day: date) -> int:
        """How many records there are from before a day."""
        table, is_old = self._old(kind, self._since(kind, first_day))
        counted = select(func.count()).select_from(table).where(is_old)
        return int(self._database.rows(counted)[0][0])

    def let_go(self, kind: Kind, first_day: date) -> Iterator[int]:
        """Remove records from before a day, saying after each transaction how many went.

        It may be killed, and run again or twice at once. Raises `DatabaseUnavailable`.
        """
        if kind is Kind.API_CALLS:
            self._set_horizon(kind, first_day)
            first_day = self._since(kind, first_day)
            for partition, month, next_month in self._whole_months(first_day):
                yield self._drop(partition, month, next_month)
            yield from self._let_go_of_days(first_day)
        else:
            yield from self._let_go_of_rows(kind, first_day)

    def horizon(self, kind: Kind) -> date | None:
        """The first day of which records are kept; None where all are."""
        known = select(HorizonRow.first_day).where(HorizonRow.kind == kind)
        found = self._database.rows(known)
        return found[0][0] if found else None

    def _since(self, kind: Kind, first_day: date) -> date:
        # Who keeps for longer than before does not get back what is gone.
        return max(self.horizon(kind) or first_day, first_day)

    def _old(self, kind: Kind, first_day: date) -> tuple[Table, ColumnElement[bool]]:
        before = datetime.combine(first_day, time(), UTC)
        tables = Base.metadata.tables
        match kind:
            case Kind.API_CALLS:
                table = tables["api_calls"]
                return table, table.c.occurred_at < before
            case Kind.ACTIVITY:
                table = tables["account_activity"]
                counted = [ActivityEvent.LOGIN, ActivityEvent.SIGNUP]
                return table, and_(table.c.created_at < before, table.c.event.not_in(counted))
            case Kind.SET_ASIDE:
                table = tables["set_aside_events"]
                return table, table.c.set_aside_at < before

    # --- API calls ---

    def _set_horizon(self, kind: Kind, first_day: date) -> None:
        """From now on no calls of earlier days are taken; who is bringing some is waited for."""
        if (self.horizon(kind) or date.min) >= first_day:
            return
        put = postgresql.insert if self._on_postgresql else sqlite.insert
        added = put(HorizonRow).values(kind=kind, first_day=first_day)
        with self._database.write() as transaction:
            if self._on_postgresql:
                transaction.execute(text("LOCK TABLE horizons IN ACCESS EXCLUSIVE MODE"))
            transaction.execute(
                added.on_conflict_do_update(
                    index_elements=["kind"],
                    set_={"first_day": added.excluded.first_day},
                    where=HorizonRow.first_day < added.excluded.first_day,
                )
            )
            transaction.commit()

    def _whole_months(self, first_day: date) -> list[tuple[str, date, date]]:
        with self._database.read() as connection:
            return months_before(connection, first_day)

    def _drop(self, partition: str, month: date, next_month: date) -> int:
        """A month as a whole: its days into the aggregate, then its table away.

        Triggers do not see that, so the month's cells go in the same transaction. Nobody brings
        calls of these days meanwhile, so that adding them up needs no lock.
        """
        days = (
            "SELECT user_id, CAST(occurred_at AT TIME ZONE 'UTC' AS date), count(*)"  # noqa: S608 - our own names
            f" FROM {partition} GROUP BY 1, 2"
            # In the order in which events add to the aggregate, or two would wait for each other.
            ' ORDER BY user_id COLLATE "C", 2'
        )
        with self._database.write() as transaction:
            transaction.execute(text(_FOLD.format(days=days)))
            transaction.commit()
        cells = self._kept.tables.cells.c
        start, end = (datetime.combine(day, time(), UTC) for day in (month, next_month))
        with self._database.write() as transaction:
            self._kept.take_turn(transaction)
            # In the order in which events need them.
            locks = f"LOCK TABLE users, {PARTITIONED} IN ACCESS EXCLUSIVE MODE"
            transaction.execute(text(locks))
            if not transaction.scalar(text("SELECT to_regclass(:name)"), {"name": partition}):
                # Somebody else was quicker.
                return 0
            calls = transaction.scalar(text(f"SELECT count(*) FROM {partition}"))  # noqa: S608
            transaction.execute(
                delete(self._kept.tables.cells).where(
                    cells.source == self._kept.source,
                    cells.dimension.in_(DIMENSIONS["api_calls"]),
                    and_(cells.start >= start, cells.start < end),
                )
            )
            transaction.execute(text(f"DROP TABLE {partition}"))
            transaction.commit()
        return int(calls or 0)

    def _let_go_of_days(self, first_day: date) -> Iterator[int]:
        """What lies in no whole month: some days of users at a time."""
        a = Base.metadata.tables["api_calls"].c
        before = datetime.combine(first_day, time(), UTC)
        day = utc_date(a.occurred_at, self._database.dialect)
        days = (
            select(a.user_id, day, func.count())
            .where(a.occurred_at < before)
            .group_by(a.user_id, day)
            .order_by(a.user_id, day)
        )
        batch: list[tuple[str, date]] = []
        calls = 0
        with self._database.read() as connection:
            found = connection.execute(days, execution_options={"yield_per": _AT_ONCE})
            for user_id, utc_day, count in found:
                if batch and calls + count > _AT_ONCE:
                    yield self._remove(batch)
                    batch, calls = [], 0
                batch.append((user_id, utc_day))
                calls += count
        if batch:
            yield self._remove(batch)

    def _remove(self, days: Sequence[tuple[str, date]]) -> int:
        """Whole days of users, all of these or none; their triggers mark them."""
        rows = [
            {"user_id": user_id, "date": day.isoformat(), **self._ends(day)}
            for user_id, day in days
        ]
        parameters = {"rows": msgspec.json.encode(rows).decode()}
        is_of_day = "a.user_id = d.user_id AND a.occurred_at >= d.start AND a.occurred_at < d.until"
        with self._database.write() as transaction:
            if self._on_postgresql:
                listed = (
                    "SELECT * FROM json_to_recordset(CAST(:rows AS json))"
                    " AS r(user_id text, date date, start timestamptz, until timestamptz)"
                )
                # What came to a day meanwhile is counted as it goes, too.
                gone = (
                    f"WITH d AS ({listed}), gone AS (DELETE FROM api_calls AS a USING d"  # noqa: S608 - our own words
                    f" WHERE {is_of_day} RETURNING a.user_id, d.date), folded AS ("
                    f"{_FOLD.format(days=_COUNTED.format(source='gone AS d'))})"
                    " SELECT count(*) FROM gone"
                )
                calls = int(transaction.execute(text(gone), parameters).scalar_one())
            else:
                listed = (
                    "SELECT value ->> 'user_id' AS user_id, value ->> 'date' AS date,"
                    " value ->> 'start' AS start, value ->> 'until' AS until FROM json_each(:rows)"
                )
                joined = f"({listed}) AS d JOIN api_calls AS a ON {is_of_day}"
                fold = _FOLD.format(days=_COUNTED.format(source=joined))
                transaction.execute(text(fold), parameters)
                gone = f"DELETE FROM api_calls WHERE rowid IN (SELECT a.rowid FROM {joined})"  # noqa: S608 - our own words
                calls = transaction.execute(text(gone), parameters).rowcount
            transaction.commit()
        return calls

    def _ends(self, day: date) -> dict[str, Any]:
        start = datetime.combine(day, time(), UTC)
        ends = {"start": start, "until": start + _ONE_DAY}
        if self._on_postgresql:
            return dict(ends)
        return {name: microseconds(instant) for name, instant in ends.items()}

    # --- what no number counts ---

    def _let_go_of_rows(self, kind: Kind, first_day: date) -> Iterator[int]:
        table, is_old = self._old(kind, first_day)
        [key] = table.primary_key.columns
        while keys := self._database.rows(select(key).where(is_old).limit(_AT_ONCE)):
            with self._database.write() as transaction:
                gone = delete(table).where(key.in_([row[0] for row in keys]))
                transaction.execute(gone)
                transaction.commit()
            yield len(keys)
