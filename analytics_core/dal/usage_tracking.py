"""The stored aggregate per user and UTC day, which recording keeps up to date by upsert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.database import Database
from analytics_core.dal.days import utc_date
from analytics_core.dal.tables import UsageTrackingRow
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import TransactionKind


@dataclass(frozen=True, slots=True)
class UsageAmounts:
    """What a day, or several, add up to; storage in bytes uploaded."""

    renders_created: int = 0
    credits_spent: int | float = 0
    api_calls: int = 0
    storage_used: int = 0


@dataclass(frozen=True, slots=True)
class UsageDay:
    """The stored aggregate of one user and UTC day."""

    user_id: str
    date: date
    amounts: UsageAmounts


_MEASURES = ("renders_created", "credits_spent", "api_calls", "storage_used")


class UsageTrackingRepository:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    def record(
        self, transaction: Connection, user_id: str, day: date, amounts: UsageAmounts
    ) -> None:
        """Add amounts to the aggregate of one user and UTC day, in one atomic statement.

        `transaction` comes from `Database.write`; whoever opened it commits.
        """
        added = {name: getattr(amounts, name) for name in _MEASURES}
        insert = postgresql.insert if self._database.dialect == "postgresql" else sqlite.insert
        statement = insert(UsageTrackingRow).values(user_id=user_id, date=day, **added)
        statement = statement.on_conflict_do_update(
            index_elements=["user_id", "date"],
            set_={
                name: getattr(UsageTrackingRow, name) + statement.excluded[name]
                for name in _MEASURES
            },
        )
        transaction.execute(statement)

    def days(self, scope: Scope, dates: DateRange) -> list[UsageDay]:
        """The stored days with a date of the range, by user and date; the zone plays no part."""
        d = self._catalog.usage_tracking.c
        statement = (
            select(d.user_id, d.date, *(func.coalesce(d[name], 0) for name in _MEASURES))
            .where(self._catalog.within(scope, d.user_id), d.date.between(dates.first, dates.last))
            .order_by(d.user_id, d.date)
        )
        return [
            UsageDay(user_id, day, UsageAmounts(*amounts))
            for user_id, day, *amounts in self._database.rows(statement)
        ]

    def differences(self, scope: Scope, most: int) -> list[UsageDay]:
        """What the records of a day add up to beyond its stored aggregate, where that is not 0.

        Up to `most` days, by user and date. API calls are compared on days that have recorded ones:
        elsewhere the aggregate is the only record there is.
        """
        catalog, dialect = self._catalog, self._database.dialect
        stored, renders = catalog.usage_tracking.c, catalog.renders.c
        ledger, files = catalog.credit_transactions.c, catalog.files.c
        calls = catalog.api_calls.c
        one = literal(1)

        def part(
            owner: ColumnElement[str], day: ColumnElement[date], **amounts: ColumnElement[int]
        ) -> Select[*tuple[Any, ...]]:
            columns = [amounts.get(name, literal(0)).label(name) for name in (*_MEASURES, "calls")]
            return select(owner.label("user_id"), day.label("date"), *columns).where(
                catalog.within(scope, owner)
            )

        debits = ledger.kind == TransactionKind.DEBIT
        parts = union_all(
            part(stored.user_id, stored.date, **{name: -stored[name] for name in _MEASURES}),
            part(renders.user_id, utc_date(renders.created_at, dialect), renders_created=one),
            part(
                ledger.user_id, utc_date(ledger.created_at, dialect), credits_spent=ledger.amount
            ).where(debits),
            part(calls.user_id, utc_date(calls.occurred_at, dialect), api_calls=one, calls=one),
            part(files.user_id, utc_date(files.created_at, dialect), storage_used=files.size),
        ).subquery()
        p = parts.c
        off: dict[str, ColumnElement[int]] = {name: func.sum(p[name]) for name in _MEASURES}
        off["api_calls"] = case((func.sum(p.calls) > 0, off["api_calls"]), else_=0)
        statement = (
            select(p.user_id, p.date, *off.values())
            .group_by(p.user_id, p.date)
            .having(or_(*(amount != 0 for amount in off.values())))
            .order_by(p.user_id, p.date)
            .limit(most)
        )
        return [
            UsageDay(user_id, day, UsageAmounts(*amounts))
            for user_id, day, *amounts in self._database.rows(statement)
        ]

    def totals(self, scope: Scope, dates: DateRange) -> UsageAmounts:
        """What the stored days of the range add up to."""
        d = self._catalog.usage_tracking.c
        statement = select(*(func.coalesce(func.sum(d[name]), 0) for name in _MEASURES)).where(
            self._catalog.within(scope, d.user_id), d.date.between(dates.first, dates.last)
        )
        return UsageAmounts(*self._database.rows(statement)[0])
