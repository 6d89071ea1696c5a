"""The UTC calendar date of an instant, within a query."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ColumnElement, Date, cast, func, type_coerce

from analytics_core.dal.tables import NaiveUtcInstant


def utc_date(instant: ColumnElement[datetime], dialect: str) -> ColumnElement[date]:
    """The UTC calendar date of an instant, as the database stores dates."""
    if dialect == "postgresql":
        if isinstance(instant.type, NaiveUtcInstant):
            return cast(instant, Date)
        return cast(func.timezone("UTC", instant), Date)
    seconds = type_coerce(instant, BigInteger) // 1_000_000
    return func.date(seconds, "unixepoch", type_=Date)
