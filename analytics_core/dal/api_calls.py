"""API calls, from the best source there is for each user and UTC day.

Recorded calls come first; where a user's day has none, the stored daily aggregate counts, on the
local date of the same name; where it has neither, renders that came from a plugin. Whether a day
has a source is asked of the whole UTC day, so that ranges which cut through it still add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Select,
    SelectBase,
    String,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.types import TypeEngine

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.days import utc_date
from analytics_core.dal.listed import array_text, listed, parameters_of
from analytics_core.dal.question import Form, Questioner, Whose, fitting
from analytics_core.dal.rollup.reading import (
    Rolled,
    RollupRepository,
    days_by_date,
    gaps_of,
    touched_days,
)
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import ApiSource

_DAY = timedelta(days=1)
# The stretches that days and UTC midnights cut a range into, by number from 1.
_PARTS: Mapping[str, TypeEngine[Any]] = {"number": Integer(), "day": Integer(), "date": Date()}
# What comes out of rollup cells, for the question which source is best for a UTC day.
_CELLS: Mapping[str, Mapping[str, TypeEngine[Any]]] = {
    "rolled_dates": {"date": Date()},
    "rolled_plugin": {
        "day": Integer(),
        "date": Date(),
        "platform": String(),
        "calls": BigInteger(),
    },
}


class ApiTally(NamedTuple):
    """How many calls fall on one member of one dimension.

    Dimensions: `recorded` and `inferred` by number of the day from 1, `daily` by ISO date,
    `platform`, `route` ("POST /v1/renders"), `status` (code) and `duration` (bucket).
    """

    dimension: str
    member: str | None
    calls: int


class ApiCallRepository:
    def __init__(self, questioner: Questioner[Catalog], rollups: RollupRepository) -> None:
        self._questioner, self._rollups = questioner, rollups

    def tallies(self, scope: Scope, dates: DateRange) -> list[ApiTally]:
        """The calls of the range by every dimension; a member may come in parts."""
        first, end = touched_days(dates)
        touched_start, touched_until = (datetime.combine(day, time(), UTC) for day in (first, end))
        calls = self._rollups.rolled("api_calls", scope, dates)
        renders = self._rollups.rolled("renders", scope, dates)
        rolled_calls, rolled_dates = self._rolled_calls(calls, dates)
        every_day = len(rolled_dates) == (end - first).days
        if calls and every_day:
            # No day of it lies in a gap, and other sources do not count.
            return rolled_calls
        cells: dict[str, list[tuple[Any, ...]]] = {}
        if calls:
            cells["rolled_dates"] = [(one,) for one in sorted(rolled_dates)]
        if renders:
            # Where every day has recorded calls, renders stand for none.
            cells["rolled_plugin"] = [] if every_day else self._rolled_plugin(renders, dates)
        dialect = self._questioner.dialect
        listings = [
            parameters_of(name, _CELLS[name], rows, dialect) for name, rows in cells.items()
        ]
        answers = self._questioner.ask(
            write_tallies,
            scope,
            dates,
            gaps_of(calls, renders),
            days=dates.days,
            first=dates.first,
            last=dates.last,
            touched_first=first,
            touched_end=end,
            touched_days=(end - first).days,
            touched_start=touched_start,
            touched_until=touched_until,
            **(_parts(dates) if dialect == "postgresql" else {}),
            **{name: value for listing in listings for name, value in listing.items()},
        )
        return [*(ApiTally(*row) for row in answers), *rolled_calls]

    def _rolled_calls(
        self, rolled: Rolled | None, dates: DateRange
    ) -> tuple[list[ApiTally], set[date]]:
        """The calls that are in cells, and the touched UTC days that have any."""
        tallies: list[ApiTally] = []
        found: set[date] = set()
        if rolled is None:
            return tallies, found
        others = ["call_platform", "call_route", "call_duration"]
        for one in self._rollups.sums(
            rolled, dates, by_date=["call_status"], in_all=others, only_counts=True
        ):
            name = one.dimension.removeprefix("call_")
            if one.part.date:
                found.add(one.part.date)
                if not 1 <= (one.day or 0) <= dates.days:
                    continue
                tallies.append(ApiTally(ApiSource.RECORDED, str(one.day), one.count))
            tallies.append(ApiTally(name, one.member, one.count))
        return tallies, found

    def _rolled_plugin(self, rolled: Rolled, dates: DateRange) -> list[tuple[Any, ...]]:
        """The renders from plugins that are in cells: day, UTC date, platform and number."""
        sums = self._rollups.sums(
            rolled, dates, by_date=["render_source_platform"], only_counts=True
        )
        return [
            (one.day, one.part.date, one.member, one.count)
            for one in sums
            if 1 <= (one.day or 0) <= dates.days
        ]


def write_tallies(catalog: Catalog, form: Form) -> SelectBase:
    rolled = form.is_rolled("api_calls")
    touched = _recorded(catalog, form) if "api_calls" not in form.in_cells else None
    days = [select(touched.c.user_id, touched.c.date).distinct()] if touched is not None else []
    if rolled:
        days.append(_rolled_dates(catalog, form))
    recorded_days = union_all(*days).cte("recorded_days")
    stored = _stored_days(catalog, form)
    plugin = _plugin_renders(catalog, form, recorded_days)

    unrecorded = ~_has_day(recorded_days, plugin.c.user_id, plugin.c.date)
    inferred = unrecorded & ~_has_day(stored, plugin.c.user_id, plugin.c.date)
    counted = (
        stored.c.date.between(bindparam("first"), bindparam("last")),
        ~_has_day(recorded_days, stored.c.user_id, stored.c.date),
    )
    return union_all(
        *(_recorded_tallies(catalog, form, touched) if touched is not None else []),
        _tally("platform", plugin.c.platform, plugin.c.calls).where(unrecorded),
        _tally(ApiSource.DAILY, stored.c.date, stored.c.api_calls).where(*counted),
        _tally(ApiSource.INFERRED, plugin.c.day, plugin.c.calls).where(inferred),
    )


def _recorded_tallies(catalog: Catalog, form: Form, touched: CTE) -> list[Select[Any]]:
    recorded = select(touched).where(touched.c.day.between(1, bindparam("days"))).subquery()
    recorded_by = {
        ApiSource.RECORDED: recorded.c.day,
        "route": recorded.c.method + " " + recorded.c.route,
        "status": recorded.c.status_code,
        "platform": recorded.c.platform,
    }
    tallies = [_tally(name, member, recorded.c.calls) for name, member in recorded_by.items()]
    return [*tallies, _durations(catalog, form)]


def _rolled_dates(catalog: Catalog, form: Form) -> Select[Any]:
    rolled = listed("rolled_dates", _CELLS["rolled_dates"], form.dialect)
    owner = form.owner(catalog.api_calls.c.user_id)
    return select(owner.label("user_id"), rolled.c.date)


def _recorded(catalog: Catalog, form: Form) -> CTE:
    """The recorded calls of all touched days, counted by everything that is asked of them."""
    a = catalog.api_calls.c
    touched = (
        form.within(a.user_id),
        a.occurred_at >= bindparam("touched_start"),
        a.occurred_at < bindparam("touched_until"),
        form.unless_rolled(a.occurred_at),
    )
    members = (a.method, a.route, a.status_code, a.platform)
    return _counted(form, a.occurred_at, a.user_id, members, touched).cte("recorded_calls")


def _durations(catalog: Catalog, form: Form) -> Select[Any, Any, Any]:
    """The latency histogram; with it, the cells of `_recorded` would be almost single calls."""
    a = catalog.api_calls.c
    bucket = a.duration_bucket
    return (
        select(literal("duration"), bucket.cast(String), func.count())
        .where(form.within(a.user_id), form.during(a.occurred_at))
        .group_by(bucket)
    )


def _stored_days(catalog: Catalog, form: Form) -> CTE:
    d = catalog.usage_tracking.c
    return (
        select(form.owner(d.user_id).label("user_id"), d.date, d.api_calls)
        .where(
            form.within(d.user_id),
            d.date >= bindparam("touched_first"),
            d.date < bindparam("touched_end"),
            # A host's aggregate may say nothing of calls.
            d.api_calls.is_not(None),
        )
        .cte("stored_days")
    )


def _plugin_renders(catalog: Catalog, form: Form, recorded_days: CTE) -> CTE:
    r = catalog.renders.c
    from_plugins = [
        form.within(r.user_id),
        form.during(r.created_at),
        # Spelled out, not bound: only so does the partial index match.
        r.source_platform != literal_column("''"),
    ]
    if form.whose is Whose.ONE:
        # Where every day has recorded calls, renders stand for none and need not be read.
        days = select(func.count(recorded_days.c.date.distinct())).scalar_subquery()
        from_plugins.append(days < bindparam("touched_days"))
    platform = r.source_platform.label("platform")
    counted = _counted(form, r.created_at, r.user_id, (platform,), from_plugins)
    if not form.is_rolled("renders"):
        return counted.cte("plugin_renders")
    rolled = listed("rolled_plugin", _CELLS["rolled_plugin"], form.dialect).c
    owner = form.owner(r.user_id).label("user_id")
    cells = select(rolled.day, owner, rolled.date, rolled.platform, rolled.calls)
    parts = [cells] if "renders" in form.in_cells else [counted, cells]
    return union_all(*parts).cte("plugin_renders")


@lru_cache(maxsize=128)
def _parts(dates: DateRange) -> dict[str, Any]:
    """The parameters of `_counted` on PostgreSQL."""
    parts = days_by_date(dates)
    rows = [(number, part.day, part.date) for number, part in enumerate(parts, 1)]
    cuts = fitting({"cuts": array_text(part.start for part in parts)})
    return {**cuts, **parameters_of("parts", _PARTS, rows, "postgresql")}


def _counted(
    form: Form,
    instant: ColumnElement[datetime],
    user_id: ColumnElement[str],
    members: Iterable[ColumnElement[Any]],
    conditions: Iterable[ColumnElement[bool]],
) -> Select[Any]:
    """How many rows there are of each day, user, UTC date and what else tells them apart."""
    owner = form.owner(user_id).label("user_id")
    if form.dialect != "postgresql":
        date_ = utc_date(instant, form.dialect).label("date")
        rows = select(form.day_number(instant).label("day"), owner, date_, *members)
        one_by_one = rows.where(*conditions).subquery().c
        return select(*one_by_one, func.count().label("calls")).group_by(*one_by_one)
    # One number tells day and date: both of each row would cost as much as all the rest of it.
    number = form.number(instant, "cuts").label("number")
    one_by_one = select(number, owner, *members).where(*conditions).subquery().c
    groups = select(*one_by_one, func.count().label("calls")).group_by(*one_by_one).subquery().c
    parts = listed("parts", _PARTS, form.dialect).c
    others = [column for name, column in groups.items() if name not in ("number", "user_id")]
    return select(parts.day, groups.user_id, parts.date, *others).where(
        groups.number == parts.number
    )


def _has_day(
    days: FromClause, user_id: ColumnElement[str], day: ColumnElement[date]
) -> ColumnElement[bool]:
    return exists().where(days.c.user_id == user_id, days.c.date == day)


def _tally(
    dimension: str, member: ColumnElement[object], calls: ColumnElement[int]
) -> Select[Any, Any, Any]:
    return select(literal(dimension), member.cast(String), func.sum(calls)).group_by(member)
