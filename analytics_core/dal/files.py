"""Stored files, added up by the day they came, the day they went, and their media type."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import SelectBase, String, func, literal, null, select, union_all

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.question import Form, Questioner
from analytics_core.dal.rollup.reading import RollupRepository, gaps_of
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope


class FileTally(NamedTuple):
    """Files and bytes that were `created` or `deleted` on a day; day 0 is before the range."""

    event: str
    day: int
    media_type: str | None
    files: int
    bytes: int


class FileRepository:
    def __init__(self, questioner: Questioner[Catalog], rollups: RollupRepository) -> None:
        self._questioner, self._rollups = questioner, rollups

    def tallies(self, scope: Scope, dates: DateRange) -> list[FileTally]:
        """What came and went up to the end of the range, by full media type.

        An event, day and media type may come in parts.
        """
        rolled = self._rollups.rolled("files", scope, dates, since_ever=True)
        tallies: list[FileTally] = []
        if rolled is None or rolled.gaps:
            rows = self._questioner.ask(write_tallies, scope, dates, gaps_of(rolled))
            tallies += [FileTally(*row) for row in rows]
        if rolled:
            events = ["file_created", "file_deleted"]
            for one in self._rollups.sums(rolled, dates, by_day=events, before=events):
                event = one.dimension.removeprefix("file_")
                size = int(one.amount)
                tallies.append(FileTally(event, one.day or 0, one.member or None, one.count, size))
        return tallies


def write_tallies(catalog: Catalog, form: Form) -> SelectBase:
    f = catalog.files.c
    events = []
    for event, instant in (("created", f.created_at), ("deleted", f.deleted_at)):
        files = (
            select(
                form.day_number(instant).label("day"),
                f.media_type if event == "created" else null().cast(String).label("media_type"),
                f.size,
            )
            .where(form.within(f.user_id), form.until_end(instant))
            .subquery()
            .c
        )
        events.append(
            select(
                literal(event),
                files.day,
                files.media_type,
                func.count(),
                func.coalesce(func.sum(files.size), 0),
            ).group_by(files.day, files.media_type)
        )
    return union_all(*events)
