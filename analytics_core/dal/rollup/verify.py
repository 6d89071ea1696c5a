"""Comparing cells with a recomputation from the rows."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, and_, func, select

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.database import Database
from analytics_core.dal.days import utc_date
from analytics_core.dal.rollup.kept import Kept, settled_until
from analytics_core.dal.rollup.sets import CELL, DIMENSIONS, FACTS, Recomputation, stretches

_DAYS_AT_ONCE = 31
_ONE_DAY = timedelta(days=1)

# Dimension, width, start, member -> count, amount, timed, seconds.
_Cells: TypeAlias = dict[tuple[Any, ...], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class CellDifference:
    """A cell that is not what its rows add up to.

    Both say count, amount, timed and seconds; None where there is no such cell.
    """

    noun: str
    user_id: str
    dimension: str
    width: int
    start: datetime
    member: str
    kept: tuple[Any, ...] | None
    recomputed: tuple[Any, ...] | None


class RollupVerification:
    """Compares what is kept of rolled users with their rows, but for days that are marked."""

    def __init__(self, kept: Kept, source: Database, catalog: Catalog) -> None:
        self._kept, self._source, self._catalog = kept, source, catalog
        self._recomputation = Recomputation(source, catalog, kept.source)

    def differences(self, sample: int | None = None) -> Iterator[CellDifference]:
        """Each difference, of everything or of `sample` stretches of a month taken at random."""
        everything = self._stretches()
        for noun, user_id, days in self._some(everything, sample):
            yield from self._compare(noun, user_id, days)

    def _some(
        self, everything: Iterator[tuple[str, str, list[date]]], sample: int | None
    ) -> Iterator[tuple[str, str, list[date]]]:
        if sample is None:
            yield from everything
            return
        # A reservoir: each stretch is as likely as any other, and few are ever held.
        chosen: list[tuple[str, str, list[date]]] = []
        for number, one in enumerate(everything):
            if len(chosen) < sample:
                chosen.append(one)
            elif (place := random.randrange(number + 1)) < sample:  # noqa: S311 - a sample
                chosen[place] = one
        yield from chosen

    def _stretches(self) -> Iterator[tuple[str, str, list[date]]]:
        u = self._kept.tables.users.c
        rolled = (
            select(u.noun, u.user_id)
            .where(u.source == self._kept.source)
            .order_by(u.noun, u.user_id)
        )
        for noun, user_id in self._kept.database.rows(rolled):
            ends = [end for end in self._ends(noun, user_id) if end]
            day = min(ends, default=None)
            while day and day <= max(ends):
                yield noun, user_id, [day + n * _ONE_DAY for n in range(_DAYS_AT_ONCE)]
                day += _DAYS_AT_ONCE * _ONE_DAY

    def _ends(self, noun: str, user_id: str) -> list[date | None]:
        """The first and last days of which there are rows or cells."""
        c = self._kept.tables.cells.c
        start = utc_date(c.start, self._kept.database.dialect)
        cells = select(func.min(start), func.max(start)).where(
            c.source == self._kept.source,
            c.user_id == user_id,
            c.dimension.in_(DIMENSIONS[noun]),
        )
        found: list[date | None] = [*self._kept.database.rows(cells)[0]]
        for fact in FACTS[noun](self._catalog):
            day = utc_date(fact.instant, self._source.dialect)
            rows = select(func.min(day), func.max(day)).where(fact.noun.c.user_id == user_id)
            found += self._source.rows(rows)[0]
        return found

    def _compare(self, noun: str, user_id: str, days: list[date]) -> Iterator[CellDifference]:
        kept, recomputed = self._both(noun, user_id, days)
        for place in sorted(kept.keys() | recomputed.keys()):
            one, other = kept.get(place), recomputed.get(place)
            if not _same(one, other):
                dimension, width, start, member = place
                yield CellDifference(
                    *(noun, user_id, dimension, width, start, member), kept=one, recomputed=other
                )

    def _both(self, noun: str, user_id: str, days: list[date]) -> tuple[_Cells, _Cells]:
        """The cells of the days as they are kept and as they should be, in one snapshot."""
        kept = self._kept
        c, m = kept.tables.cells.c, kept.tables.marks.c
        with kept.database.read() as connection:
            marked = connection.execute(
                select(m.day).where(m.source == kept.source, m.noun == noun, m.user_id == user_id)
            )
            unmarked = set(days) - set(marked.scalars())
            settled = settled_until(connection, kept, self._catalog, noun)
            wanted = sorted(day for day in unmarked if day < settled)
            stored: _Cells = {}
            made: _Cells = {}
            for start, end in stretches(wanted):
                cells = select(*(c[name] for name in CELL)).where(
                    and_(c.source == kept.source, c.user_id == user_id),
                    c.dimension.in_(DIMENSIONS[noun]),
                    and_(c.start >= start, c.start < end),
                )
                stored |= map(_as_item, connection.execute(cells))
                statement, parameters = self._recomputation.of(noun, user_id, [(start, end)])
                with self._at_the_source(connection) as rows:
                    made |= map(_as_item, rows.execute(statement, parameters))
        return stored, made

    def _at_the_source(self, connection: Connection) -> Any:
        return self._source.read() if self._kept.is_apart else nullcontext(connection)


def _as_item(row: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return tuple(row[2:6]), tuple(row[6:])


def _same(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> bool:
    if one is None or other is None:
        return False
    # The order in which times are added up decides their last bits.
    return one[:3] == other[:3] and math.isclose(one[3], other[3], rel_tol=1e-9)
