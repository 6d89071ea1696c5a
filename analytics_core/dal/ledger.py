"""The credit ledger, added up by day, kind and category."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    bindparam,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.question import Form, Questioner, Whose
from analytics_core.dal.rollup.reading import RollupRepository, gaps_of
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope


class LedgerTally(NamedTuple):
    """The credits of one day, kind and category; day 0 is everything before the range, of which the
    category need not be told.
    """

    day: int
    kind: str | None
    category: str | None
    amount: int | float


class LedgerRepository:
    def __init__(self, catalog: Catalog, questioner: Questioner, rollups: RollupRepository) -> None:
        self._catalog, self._questioner, self._rollups = catalog, questioner, rollups

    def tallies(self, scope: Scope, dates: DateRange) -> list[LedgerTally]:
        """The ledger up to the end of the range, which a balance needs from its first entry.

        A day, kind and category may come in parts.
        """
        rolled = self._rollups.rolled("credit_transactions", scope, dates, since_ever=True)
        tallies: list[LedgerTally] = []
        if rolled is None or rolled.gaps:
            rows = self._questioner.ask(self._write_tallies, scope, dates, gaps_of(rolled))
            tallies += [LedgerTally(*row) for row in rows]
        if rolled:
            for one in self._rollups.sums(rolled, dates, by_day=["ledger"], before=["ledger"]):
                kind, _, category = one.member.partition(" ")
                tallies.append(
                    LedgerTally(one.day or 0, kind or None, category or None, one.amount)
                )
        return tallies

    def _write_tallies(self, form: Form) -> Executable:
        t = self._catalog.credit_transactions.c
        if not self._catalog.is_indexed or form.whose is not Whose.ONE or form.with_gaps:
            return self._by_day(form, form.until_end(t.created_at))
        # What was before needs no day, which half of the time goes into.
        before = (
            select(literal_column("0"), t.kind, null(), func.coalesce(func.sum(t.amount), 0))
            .where(form.within(t.user_id), t.created_at < bindparam("start"))
            .group_by(t.kind)
        )
        return union_all(before, self._by_day(form, form.during(t.created_at)))

    def _by_day(self, form: Form, condition: ColumnElement[bool]) -> Select[Any]:
        t = self._catalog.credit_transactions.c
        entries = (
            select(
                form.day_number(t.created_at).label("day"),
                t.kind,
                t.category,
                t.amount,
            )
            .where(form.within(t.user_id), condition)
            .subquery()
            .c
        )
        members = (entries.day, entries.kind, entries.category)
        return select(*members, func.coalesce(func.sum(entries.amount), 0)).group_by(*members)
