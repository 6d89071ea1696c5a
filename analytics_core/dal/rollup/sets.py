"""What rows are added up by: one set of cells for each dimension that a chart groups by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    FromClause,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy import types as sql

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.database import Database
from analytics_core.dal.facets import digit, digit_of
from analytics_core.dal.question import Form, Whose, fitting_people, gap_parameters
from analytics_core.dal.tables import NaiveUtcInstant
from analytics_core.model.vocabulary import RenderStatus

QUARTER, HOUR, QUARTER_DAY, DAY = 900, 3_600, 21_600, 86_400
_ONE_DAY = timedelta(days=1)
# Every number of a day's series is read from cells, and days begin anywhere: with hours and
# quarters of a day, each is made of few cells in every zone. What is only wanted for a whole range
# needs days, and quarters of an hour at its ends.
_BY_DAY = (QUARTER, HOUR, QUARTER_DAY, DAY)
_BY_RANGE = (QUARTER, DAY)

Columns = Mapping[str, ColumnElement[Any]]


@dataclass(frozen=True)
class Fact:
    """One thing that rows of a noun tell, at an instant: the members it counts for, and amounts."""

    noun: FromClause
    instant: ColumnElement[datetime]
    members: Columns
    amount: ColumnElement[Any] | None = None
    seconds: ColumnElement[Any] | None = None


def _renders(catalog: Catalog) -> list[Fact]:
    r = catalog.renders.c
    completed = digit("status", r.facets) == digit_of("status", RenderStatus.COMPLETED)
    return [
        Fact(
            catalog.renders,
            r.created_at,
            {
                **{
                    f"render_{name}": digit(name, r.facets)
                    for name in ("status", "type", "quality", "platform")
                },
                "render_source_platform": func.nullif(r.source_platform, literal_column("''")),
                "render_project": r.project_id,
            },
            amount=r.credits_cost,
            seconds=case((and_(completed, r.processing_time > 0), r.processing_time)),
        )
    ]


def _ledger(catalog: Catalog) -> list[Fact]:
    t = catalog.credit_transactions.c
    # Neither has a space in it.
    member = func.coalesce(t.kind, "") + " " + func.coalesce(t.category, "")
    return [
        Fact(catalog.credit_transactions, t.created_at, {"ledger": member}, amount=t.amount),
    ]


def _files(catalog: Catalog) -> list[Fact]:
    f = catalog.files.c
    kinds = {"file_created": func.coalesce(f.media_type, "")}
    return [
        Fact(catalog.files, f.created_at, kinds, amount=f.size),
        Fact(catalog.files, f.deleted_at, {"file_deleted": literal("")}, amount=f.size),
    ]


def _api_calls(catalog: Catalog) -> list[Fact]:
    a = catalog.api_calls.c
    return [
        Fact(
            catalog.api_calls,
            a.occurred_at,
            {
                "call_status": a.status_code,
                "call_platform": func.coalesce(a.platform, ""),
                "call_route": a.method + " " + a.route,
                "call_duration": a.duration_bucket,
            },
        )
    ]


# A member of None is in no cell.
FACTS: Mapping[str, Callable[[Catalog], list[Fact]]] = {
    "renders": _renders,
    "credit_transactions": _ledger,
    "files": _files,
    "api_calls": _api_calls,
}
WIDTHS: Mapping[str, tuple[int, ...]] = {
    "render_status": _BY_DAY,
    "render_source_platform": _BY_DAY,
    "render_type": _BY_RANGE,
    "render_quality": _BY_RANGE,
    "render_platform": _BY_RANGE,
    "render_project": _BY_RANGE,
    "ledger": _BY_DAY,
    "file_created": _BY_DAY,
    "file_deleted": _BY_DAY,
    "call_status": _BY_DAY,
    "call_platform": _BY_RANGE,
    "call_route": _BY_RANGE,
    "call_duration": _BY_RANGE,
}
DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "renders": (
        *("render_status", "render_type", "render_quality", "render_platform"),
        *("render_source_platform", "render_project"),
    ),
    "credit_transactions": ("ledger",),
    "files": ("file_created", "file_deleted"),
    "api_calls": ("call_status", "call_platform", "call_route", "call_duration"),
}
CELL = (
    *("source", "user_id", "dimension", "width", "start", "member"),
    *("count", "amount", "timed", "seconds"),
)


def cells(catalog: Catalog, noun: str, form: Form) -> Executable:
    """The cells of one user's days, as rows of `CELL`; the days are the gaps of the form.

    They come in the order in which pages read them: so they lie on few pages of the table, which
    are looked at once each.
    """
    made: list[Select[Any]] = []
    for number, fact in enumerate(FACTS[noun](catalog)):
        rows = _rows(fact, form, f"rows_{number}")
        for dimension in fact.members:
            quarters = _added_up(rows, dimension).cte(f"quarters_{dimension}")
            for width in WIDTHS[dimension]:
                made.append(_widened(quarters, dimension, width, form.dialect))
    return union_all(*made).order_by("dimension", "width", "start", "member")


def _rows(fact: Fact, form: Form, name: str) -> FromClause:
    nothing: ColumnElement[int] = literal_column("0")
    return (
        select(
            bucket(fact.instant, QUARTER, form.dialect).label("start"),
            *(member.cast(String).label(name) for name, member in fact.members.items()),
            (func.coalesce(fact.amount, 0) if fact.amount is not None else nothing).label("amount"),
            (fact.seconds if fact.seconds is not None else literal_column("NULL"))
            .cast(sql.Double)
            .label("seconds"),
        )
        .where(form.within(fact.noun.c.user_id), form.in_gap(fact.instant))
        .cte(name)
    )


def _added_up(rows: FromClause, dimension: str) -> Select[Any]:
    member = rows.c[dimension]
    return (
        select(
            rows.c.start,
            member.label("member"),
            func.count().label("count"),
            func.sum(rows.c.amount).label("amount"),
            func.count(rows.c.seconds).label("timed"),
            func.coalesce(func.sum(rows.c.seconds), 0.0).label("seconds"),
        )
        .where(member.is_not(None))
        .group_by(rows.c.start, member)
    )


def _widened(quarters: FromClause, dimension: str, width: int, dialect: str) -> Select[Any]:
    q = quarters.c
    about = (
        bindparam("source", type_=Integer),
        bindparam("user_of_cells", type_=String),
        literal(dimension).label("dimension"),
        literal(width).label("width"),
    )
    sums = [q.count, q.amount, q.timed, q.seconds]
    if width == QUARTER:
        return select(*about, q.start, q.member, *sums)
    start = bucket(q.start, width, dialect).label("start")
    return select(*about, start, q.member, *map(func.sum, sums)).group_by(start, q.member)


def bucket(instant: ColumnElement[datetime], width: int, dialect: str) -> ColumnElement[datetime]:
    """The instant at which the bucket of this width, in seconds, begins that an instant is in."""
    if dialect == "postgresql":
        naive = isinstance(instant.type, NaiveUtcInstant)
        first = "timestamp '1970-01-01'" if naive else "timestamptz '1970-01-01 00:00:00+00'"
        return type_coerce(
            func.date_bin(
                literal_column(f"interval '{width} seconds'"), instant, literal_column(first)
            ),
            instant.type,
        )
    moment = type_coerce(instant, sql.BigInteger)
    return type_coerce(moment - moment % (width * 1_000_000), instant.type)


def stretches(days: Sequence[date]) -> list[tuple[datetime, datetime]]:
    """UTC days as half-open stretches of time, those that touch as one."""
    made: list[tuple[datetime, datetime]] = []
    for day in sorted(days):
        start = datetime.combine(day, time(), UTC)
        if made and made[-1][1] == start:
            made[-1] = made[-1][0], start + _ONE_DAY
        else:
            made.append((start, start + _ONE_DAY))
    return made


class Recomputation:
    """Adds up the rows of one database, which has this number; keeps the statements written."""

    def __init__(self, source: Database, catalog: Catalog, number: int) -> None:
        self._dialect, self._catalog, self._number = source.dialect, catalog, number
        self._written: dict[str, Any] = {}

    def of(
        self, noun: str, user_id: str, gaps: Sequence[tuple[datetime, datetime]]
    ) -> tuple[Any, dict[str, Any]]:
        """The statement that makes cells of a user's rows within gaps, and its parameters."""
        if noun not in self._written:
            form = Form(self._dialect, Whose.ONE, (), frozenset({noun}))
            self._written[noun] = cells(self._catalog, noun, form)
        whose = {**fitting_people("user", user_id), "user_of_cells": user_id}
        within = gap_parameters({noun: gaps}, self._dialect)
        return self._written[noun], {**whose, **within, "source": self._number}
