"""The credit ledger, added up by day, kind and category."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Executable, func, select

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.question import Form, Questioner
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope


@dataclass(frozen=True, slots=True)
class LedgerTally:
    """The credits of one day, kind and category; day 0 is everything before the range."""

    day: int
    kind: str | None
    category: str | None
    amount: int | float


class LedgerRepository:
    def __init__(self, catalog: Catalog, questioner: Questioner) -> None:
        self._catalog, self._questioner = catalog, questioner

    def tallies(self, scope: Scope, dates: DateRange) -> list[LedgerTally]:
        """The ledger up to the end of the range, which a balance needs from its first entry."""
        return [
            LedgerTally(*row) for row in self._questioner.ask(self._write_tallies, scope, dates)
        ]

    def _write_tallies(self, form: Form) -> Executable:
        t = self._catalog.credit_transactions.c
        entries = (
            select(
                form.day_number(t.created_at).label("day"),
                t.kind,
                t.category,
                t.amount,
            )
            .where(form.within(t.user_id), form.until_end(t.created_at))
            .subquery()
            .c
        )
        members = (entries.day, entries.kind, entries.category)
        return select(*members, func.coalesce(func.sum(entries.amount), 0)).group_by(*members)
