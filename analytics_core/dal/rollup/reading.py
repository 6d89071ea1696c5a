"""Reading cells in place of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise, product
from typing import Any

from analytics_core.dal.catalog import Catalog, own_catalog
from analytics_core.dal.listed import parameters_of
from analytics_core.dal.question import NO_GAPS, Gaps, Questioner, Writer
from analytics_core.dal.rollup.cells import (
    PIECES,
    PROJECTS,
    Rollups,
    new_projects,
    write_counts,
    write_marked,
    write_renders_of_new_projects,
    write_sums,
)
from analytics_core.dal.rollup.covering import covering
from analytics_core.dal.rollup.kept import Kept, settled
from analytics_core.dal.rollup.sets import QUARTER, WIDTHS, stretches
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_DAY = timedelta(days=1)
_EVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of time whose cells are added up: a day of the range, 0 before it, or all of it.

    Its UTC date is told where that was asked for.
    """

    start: datetime
    until: datetime
    day: int | None
    date: date | None = None


# Not frozen: a page has a thousand of them, and each would take three times as long to make.
@dataclass(slots=True)
class CellSum:
    """What cells of one member add up to in one part."""

    dimension: str
    part: Part
    member: str
    count: int
    amount: int | float = 0
    timed: int = 0
    seconds: float = 0

    @property
    def day(self) -> int | None:
        return self.part.day


@dataclass(frozen=True, slots=True)
class Rolled:
    """One noun of one user that is in cells, all of it but the rows within `gaps`."""

    noun: str
    user_id: str
    gaps: tuple[tuple[datetime, datetime], ...]


def gaps_of(*rolled: Rolled | None) -> Gaps:
    """What is left to read from the tables of nouns that are rolled."""
    return {one.noun: one.gaps for one in rolled if one is not None}


def touched_days(dates: DateRange) -> tuple[date, date]:
    """The UTC days, first and one past the last, that the range cuts through or is named after."""
    first = min(dates.first, dates.start.date())
    last = max(dates.last, (dates.end - timedelta(microseconds=1)).date())
    return first, last + _ONE_DAY


class RollupRepository:
    """The cells of rolled users; nobody is rolled where nothing is kept.

    `source` asks the database whose rows they are, and `catalog` is of it.
    """

    def __init__(self, kept: Kept | None, source: Questioner[Catalog], catalog: Catalog) -> None:
        self._kept, self._source, self._catalog = kept, source, catalog
        self._questioner: Questioner[Rollups] | None = None
        if kept:
            rollups = Rollups(kept.tables, catalog)
            self._questioner = Questioner(kept.database, own_catalog(), rollups)

    def rolled(
        self, noun: str, scope: Scope, dates: DateRange, *, since_ever: bool = False
    ) -> Rolled | None:
        """A user's noun where it is in cells, and days of the range begin where cells do.

        Its gaps are those of the UTC days that the range touches, or with `since_ever` of those
        before it too.
        """
        if self._questioner is None or scope.only_user is None or not _fits(dates, QUARTER):
            return None
        found = self._marked(self._questioner, scope).get(noun)
        if found is None:
            return None
        settled_until = date.max
        if follow := self._catalog.follows.get(noun):
            settled_until = settled(found[0][1], follow)
        marked = [day for day, _ in found if day and day < settled_until]
        # A range may be named after a date that it does not touch; a day more does no harm.
        first, last = dates.start.date() - _ONE_DAY, dates.end.date() + _ONE_DAY
        gaps = stretches([d for d in marked if d <= last and (since_ever or d >= first)])
        if settled_until <= last:
            gaps.append((datetime.combine(settled_until, time(), UTC), dates.end + _ONE_DAY))
        return Rolled(noun, scope.only_user, tuple(gaps))

    def _marked(
        self, questioner: Questioner[Rollups], scope: Scope
    ) -> dict[str, list[tuple[Any, Any]]]:
        """Of each noun that a user has in cells, the days marked, and until when it is followed."""

        def ask() -> dict[str, list[tuple[Any, Any]]]:
            marked: dict[str, list[tuple[Any, Any]]] = {}
            for noun, day, looked_at in questioner.ask(write_marked, scope):
                marked.setdefault(noun, []).append((day, looked_at))
            return marked

        return self._here.database.once(("marked", scope), ask)

    def sums(
        self,
        rolled: Rolled,
        dates: DateRange,
        *,
        by_day: Sequence[str] = (),
        by_date: Sequence[str] = (),
        in_all: Sequence[str] = (),
        before: Sequence[str] = (),
        only_counts: bool = False,
    ) -> list[CellSum]:
        """The cells of a range by dimension and member: per day, in all, and before it (day 0).

        With `by_date` per day and UTC date, of all UTC days that the range touches or is named
        after; the day is then 0 or beyond the last where it is none of the range. Nobody waits for
        amounts with `only_counts`.
        """
        pieces, parts = _pieces(
            *(rolled.gaps, dates, self._here.database.dialect),
            *map(tuple, (by_day, by_date, in_all, before)),
        )
        write = write_counts if only_counts else write_sums
        return [
            CellSum(parts[number][0], parts[number][1], member, *amounts)
            for number, member, *amounts in self._ask(write, rolled, dates, **pieces)
        ]

    def count_renders_of_new_projects(self, rolled: Rolled, dates: DateRange) -> int:
        """How many renders of the range belong to projects created in it.

        Those in gaps are counted where they are in the same database, as `tells_gaps` says.
        """
        ids: dict[str, Any] = {}
        dialect = self._here.database.dialect
        if self._here.is_apart:
            scope = Scope.user(rolled.user_id)
            rows = self._source.ask(new_projects, scope, dates)
            ids = parameters_of("projects", PROJECTS, rows, dialect)
        pieces, _ = _pieces(rolled.gaps, dates, dialect, in_all=("render_project",))
        gaps = gaps_of(rolled) if rolled.gaps and self.tells_gaps else NO_GAPS
        write = write_renders_of_new_projects
        [[count]] = self._ask(write, rolled, dates, gaps, **pieces, **ids)
        return int(count)

    @property
    def tells_gaps(self) -> bool:
        """Whether rows and their cells can be asked for together."""
        return not self._here.is_apart

    def _ask(
        self,
        write: Writer[Rollups],
        rolled: Rolled,
        dates: DateRange,
        gaps: Gaps = NO_GAPS,
        **more: Any,
    ) -> list[tuple[Any, ...]]:
        assert self._questioner is not None  # noqa: S101 - nothing is rolled without it
        return self._questioner.ask(write, Scope.user(rolled.user_id), dates, gaps, **more)

    @property
    def _here(self) -> Kept:
        assert self._kept is not None  # noqa: S101 - nothing is rolled without it
        return self._kept


@lru_cache(maxsize=1024)
def _fits(dates: DateRange, width: int) -> bool:
    """Whether every day of a range begins where buckets of this width, in seconds, do."""
    return not any(
        (start - _EPOCH) % timedelta(seconds=width) for start in (*dates.day_starts, dates.end)
    )


@lru_cache(maxsize=128)
def _pieces(
    gaps: tuple[tuple[datetime, datetime], ...],
    dates: DateRange,
    dialect: str,
    by_day: tuple[str, ...] = (),
    by_date: tuple[str, ...] = (),
    in_all: tuple[str, ...] = (),
    before: tuple[str, ...] = (),
) -> tuple[dict[str, Any], list[tuple[str, Part]]]:
    """The parameters that say which cells are read, and dimensions and parts by number.

    Kept: a page that is opened again, or for somebody else, is mostly about the same days.
    """
    asked = [
        (by_day, _days(dates)),
        (by_date, days_by_date(dates)),
        (in_all, [Part(dates.start, dates.end, None)]),
        (before, [Part(_EVER, dates.start, 0)]),
    ]
    parts: list[tuple[str, Part]] = []
    rows: list[tuple[Any, ...]] = []
    for dimensions, some in asked:
        for dimension, part in product(dimensions, some):
            for piece in covering(part.start, part.until, gaps, WIDTHS[dimension]):
                rows.append((dimension, *piece, len(parts)))
            parts.append((dimension, part))
    return parameters_of("pieces", PIECES, rows, dialect), parts


def _days(dates: DateRange) -> list[Part]:
    starts = (*dates.day_starts, dates.end)
    return [Part(start, end, day) for day, (start, end) in enumerate(pairwise(starts), 1)]


def days_by_date(dates: DateRange) -> list[Part]:
    """The days of a range cut at UTC midnights, and the rest of the UTC days it touches."""
    first, end = touched_days(dates)
    start, until = (datetime.combine(day, time(), UTC) for day in (first, end))
    days = [Part(start, dates.start, 0), *_days(dates), Part(dates.end, until, dates.days + 1)]
    return [part for day in days for part in _cut_at_midnights(day)]


def _cut_at_midnights(part: Part) -> Iterator[Part]:
    start = part.start
    while start < part.until:
        end = min(part.until, datetime.combine(start.date() + _ONE_DAY, time(), UTC))
        yield Part(start, end, part.day, start.date())
        start = end
