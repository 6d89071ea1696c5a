"""Renders, counted by day and by what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Integer, SelectBase, case, cast, func, literal, null, select, union_all

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.facets import DIGITS, digit, digit_of, digits, word
from analytics_core.dal.question import Form, Questioner
from analytics_core.dal.rollup.reading import CellSum, Rolled, RollupRepository, gaps_of
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import RenderStatus


class RenderDay(NamedTuple):
    """Renders of one day of the range, numbered from 1; times in seconds.

    `timed` of them are completed with a processing time above 0, which `seconds` adds up.
    """

    day: int
    renders: int
    credits: int | float
    completed: int
    failed: int
    timed: int
    seconds: int | float


@dataclass(frozen=True, slots=True)
class RenderTallies:
    """The renders of a range twice over, by day and by each dimension of `dal.facets`.

    Either may come in parts. A dimension is pairs of member and number of renders; the member is
    None for what is not in its vocabulary.
    """

    days: list[RenderDay]
    dimensions: Mapping[str, list[tuple[str | None, int]]]


class RenderRepository:
    def __init__(self, questioner: Questioner[Catalog], rollups: RollupRepository) -> None:
        self._questioner, self._rollups = questioner, rollups

    def tallies(self, scope: Scope, dates: DateRange) -> RenderTallies:
        """The renders of the range, all from one look at the table, so that every way of counting
        them adds up to the same.
        """
        days: list[RenderDay] = []
        dimensions: dict[str, list[tuple[str | None, int]]] = {name: [] for name in DIGITS}
        rolled = self._rollups.rolled("renders", scope, dates)
        rows: list[tuple[Any, ...]] = []
        if rolled is None or rolled.gaps:
            rows = self._questioner.ask(write_tallies, scope, dates, gaps_of(rolled))
        for name, member, renders, *rest in rows:
            if name in dimensions:
                dimensions[name].append((word(name, member), renders))
            else:
                days.append(RenderDay(member, renders, *rest))
        for one in self._cells(rolled, dates):
            name = one.dimension.removeprefix("render_")
            member = word(name, int(one.member))
            dimensions[name].append((member, one.count))
            if one.day is not None:
                completed = one.count if member == RenderStatus.COMPLETED else 0
                failed = one.count if member == RenderStatus.FAILED else 0
                amounts = (one.count, one.amount, completed, failed, one.timed, one.seconds)
                days.append(RenderDay(one.day, *amounts))
        return RenderTallies(days, dimensions)

    def _cells(self, rolled: Rolled | None, dates: DateRange) -> list[CellSum]:
        """By status and day, from which all that is told of a day follows; the rest in all."""
        if rolled is None:
            return []
        others = [f"render_{name}" for name in DIGITS if name != "status"]
        return self._rollups.sums(rolled, dates, by_day=["render_status"], in_all=others)


def write_tallies(catalog: Catalog, form: Form) -> SelectBase:
    r = catalog.renders.c
    took_time = r.processing_time > 0
    sums = (
        select(
            r.facets,
            # Sums of bigint become numeric, which PostgreSQL adds up slowly.
            cast(func.count(), Integer).label("renders"),
            func.sum(r.credits_cost).label("credits"),
            cast(func.count(case((took_time, 1))), Integer).label("timed"),
            func.sum(case((took_time, r.processing_time))).label("seconds"),
        )
        .where(form.within(r.user_id))
        .group_by(r.facets)
    )
    cells = form.each_day(sums, r.created_at).cte("cells").c
    completed, failed = (
        digit("status", cells.facets) == digit_of("status", status)
        for status in (RenderStatus.COMPLETED, RenderStatus.FAILED)
    )
    by_day = [
        func.sum(cells.credits),
        *(
            func.coalesce(func.sum(case((condition, amount))), 0)
            for condition, amount in (
                (completed, cells.renders),
                (failed, cells.renders),
                (completed, cells.timed),
                (completed, cells.seconds),
            )
        ),
    ]
    renders = func.sum(cells.renders)
    by_facets = select(cells.facets, renders.label("renders")).group_by(cells.facets).subquery().c
    # All dimensions at once: to plan a statement for each takes as long as adding up.
    dimension, member = digits(by_facets.facets)
    nothing = [null() for _ in by_day]
    return union_all(
        select(literal("day"), cells.day, renders, *by_day).group_by(cells.day),
        select(dimension, member, func.sum(by_facets.renders), *nothing).group_by(
            dimension, member
        ),
    )
