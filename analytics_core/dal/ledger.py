"""The credit ledger, added up by day, kind and category."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import SelectBase, func, select

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.question import Form, Questioner
from analytics_core.dal.rollup.reading import RollupRepository, gaps_of
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope


class LedgerTally(NamedTuple):
    """The credits of one day, kind and category; day 0 is everything before the range."""

    day: int
    kind: str | None
    category: str | None
    amount: int | float


class LedgerRepository:
    def __init__(self, questioner: Questioner[Catalog], rollups: RollupRepository) -> None:
        self._questioner, self._rollups = questioner, rollups

    def tallies(self, scope: Scope, dates: DateRange) -> list[LedgerTally]:
        """The ledger up to the end of the range, which a balance needs from its first entry.

        A day, kind and category may come in parts.
        """
        rolled = self._rollups.rolled("credit_transactions", scope, dates, since_ever=True)
        tallies: list[LedgerTally] = []
        if rolled is None or rolled.gaps:
            rows = self._questioner.ask(write_tallies, scope, dates, gaps_of(rolled))
            tallies += [LedgerTally(*row) for row in rows]
        if rolled:
            for one in self._rollups.sums(rolled, dates, by_day=["ledger"], before=["ledger"]):
                kind, _, category = one.member.partition(" ")
                tallies.append(
                    LedgerTally(one.day or 0, kind or None, category or None, one.amount)
                )
        return tallies


def write_tallies(catalog: Catalog, form: Form) -> SelectBase:
    t = catalog.credit_transactions.c
    amount = func.coalesce(func.sum(t.amount), 0).label("amount")
    sums = (
        select(t.kind, t.category, amount)
        .where(form.within(t.user_id))
        .group_by(t.kind, t.category)
    )
    each = form.each_day(sums, t.created_at, since_ever=True).subquery().c
    return select(each.day, each.kind, each.category, each.amount)
