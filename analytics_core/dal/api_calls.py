"""API calls, from the best source there is for each user and UTC day.

Recorded calls come first; where a user's day has none, the stored daily aggregate counts, on the
local date of the same name; where it has neither, renders that came from a plugin. Whether a day
has a source is asked of the whole UTC day, so that ranges which cut through it still add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Executable,
    FromClause,
    Select,
    String,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.days import utc_date
from analytics_core.dal.question import Form, Questioner
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import ApiSource

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ApiTally:
    """How many calls fall on one member of one dimension.

    Dimensions: `recorded` and `inferred` by number of the day from 1, `daily` by ISO date,
    `platform`, `route` ("POST /v1/renders"), `status` (code) and `duration` (bucket).
    """

    dimension: str
    member: str | None
    calls: int


class ApiCallRepository:
    def __init__(self, catalog: Catalog, questioner: Questioner) -> None:
        self._catalog, self._questioner = catalog, questioner

    def tallies(self, scope: Scope, dates: DateRange) -> list[ApiTally]:
        """The calls of the range by every dimension, all from one statement."""
        first, end = _touched_days(dates)
        answers = self._questioner.ask(
            self._write_tallies,
            scope,
            dates,
            days=dates.days,
            first=dates.first,
            last=dates.last,
            touched_first=first,
            touched_end=end,
            touched_start=datetime.combine(first, time(), UTC),
            touched_until=datetime.combine(end, time(), UTC),
        )
        return [ApiTally(*row) for row in answers]

    def _write_tallies(self, form: Form) -> Executable:
        touched = self._recorded(form)
        recorded_days = select(touched.c.user_id, touched.c.date).distinct().cte("recorded_days")
        recorded = select(touched).where(touched.c.day.between(1, bindparam("days"))).subquery()
        stored = self._stored_days(form)
        plugin = self._plugin_renders(form)

        unrecorded = ~_has_day(recorded_days, plugin.c.user_id, plugin.c.date)
        inferred = unrecorded & ~_has_day(stored, plugin.c.user_id, plugin.c.date)
        counted = (
            stored.c.date.between(bindparam("first"), bindparam("last")),
            ~_has_day(recorded_days, stored.c.user_id, stored.c.date),
        )
        recorded_by = {
            ApiSource.RECORDED: recorded.c.day,
            "route": recorded.c.method + " " + recorded.c.route,
            "status": recorded.c.status_code,
        }
        platforms = union_all(
            select(recorded.c.platform, recorded.c.calls),
            select(plugin.c.platform, plugin.c.calls).where(unrecorded),
        ).subquery()
        return union_all(
            *(_tally(name, member, recorded.c.calls) for name, member in recorded_by.items()),
            self._durations(form),
            _tally("platform", platforms.c.platform, platforms.c.calls),
            _tally(ApiSource.DAILY, stored.c.date, stored.c.api_calls).where(*counted),
            _tally(ApiSource.INFERRED, plugin.c.day, plugin.c.calls).where(inferred),
        )

    def _recorded(self, form: Form) -> CTE:
        """The recorded calls of all touched days, counted by everything that is asked of them."""
        a = self._catalog.api_calls.c
        calls = (
            select(
                form.day_number(a.occurred_at).label("day"),
                form.owner(a.user_id).label("user_id"),
                utc_date(a.occurred_at, form.dialect).label("date"),
                *(a.method, a.route, a.status_code, a.platform),
            )
            .where(
                form.within(a.user_id),
                a.occurred_at >= bindparam("touched_start"),
                a.occurred_at < bindparam("touched_until"),
            )
            .subquery()
        )
        return (
            select(*calls.c, func.count().label("calls")).group_by(*calls.c).cte("recorded_calls")
        )

    def _durations(self, form: Form) -> Select[Any, Any, Any]:
        """The latency histogram; with it, the cells of `_recorded` would be almost single calls."""
        a = self._catalog.api_calls.c
        bucket = a.duration_bucket
        return (
            select(literal("duration"), bucket.cast(String), func.count())
            .where(form.within(a.user_id), form.during(a.occurred_at))
            .group_by(bucket)
        )

    def _stored_days(self, form: Form) -> CTE:
        d = self._catalog.usage_tracking.c
        return (
            select(d.user_id, d.date, d.api_calls)
            .where(
                form.within(d.user_id),
                d.date >= bindparam("touched_first"),
                d.date < bindparam("touched_end"),
                # A host's aggregate may say nothing of calls.
                d.api_calls.is_not(None),
            )
            .cte("stored_days")
        )

    def _plugin_renders(self, form: Form) -> CTE:
        r = self._catalog.renders.c
        renders = (
            select(
                form.day_number(r.created_at).label("day"),
                form.owner(r.user_id).label("user_id"),
                utc_date(r.created_at, form.dialect).label("date"),
                r.source_platform.label("platform"),
            )
            .where(
                form.within(r.user_id),
                form.during(r.created_at),
                # Spelled out, not bound: only so does the partial index match.
                r.source_platform != literal_column("''"),
            )
            .subquery()
        )
        return (
            select(*renders.c, func.count().label("calls"))
            .group_by(*renders.c)
            .cte("plugin_renders")
        )


def _touched_days(dates: DateRange) -> tuple[date, date]:
    """The UTC days, first and one past the last, that the range cuts through or is named after."""
    first = min(dates.first, dates.start.date())
    last = max(dates.last, (dates.end - timedelta(microseconds=1)).date())
    return first, last + _DAY


def _has_day(
    days: FromClause, user_id: ColumnElement[str], day: ColumnElement[date]
) -> ColumnElement[bool]:
    return exists().where(days.c.user_id == user_id, days.c.date == day)


def _tally(
    dimension: str, member: ColumnElement[object], calls: ColumnElement[int]
) -> Select[Any, Any, Any]:
    return select(literal(dimension), member.cast(String), func.sum(calls)).group_by(member)
