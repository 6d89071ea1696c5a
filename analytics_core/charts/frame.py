"""A chart of an analyst's own numbers, out of a pandas frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from analytics_core.charts import formats
from analytics_core.charts.partitions import label
from analytics_core.charts.values import Chart, Kind, Member, Number, Role, Series, Unit

if TYPE_CHECKING:
    import pandas as pd

_COLOURS = tuple(role for role in Role if role is not Role.BEFORE)


def from_frame(
    frame: pd.DataFrame | pd.Series[Any],
    title: str,
    *,
    summary: str = "",
    kind: str | None = None,
    unit: str = "count",
    role: str | None = None,
) -> Chart:
    """A member per row of the index and a series per column.

    An index of dates makes lines, any other bars, unless `kind` says "pie". A column named after a
    metric (`renders`, `credits_spent`, …) has its colour; `role` decides that of the first column.
    Raises `ValueError` for an unknown kind, unit or role, for an index with duplicates, for bars
    or a pie of several columns, and for a pie of negative parts.
    """
    import pandas as pd

    columns = frame.to_frame(frame.name or title) if isinstance(frame, pd.Series) else frame
    if not columns.index.is_unique:
        raise ValueError("every row needs an index value of its own")
    over_time = isinstance(columns.index, pd.DatetimeIndex)
    chosen = Kind(kind) if kind else Kind.LINES if over_time else Kind.BARS
    if chosen is not Kind.LINES and len(columns.columns) != 1:
        raise ValueError(f"{chosen} show one column; choose one")
    nothing = not columns.notna().any(axis=None)
    if chosen is Kind.PIE:
        if (columns < 0).any(axis=None):
            raise ValueError("the parts of a whole cannot be negative")
        nothing = nothing or not columns.fillna(0).any(axis=None)
    roles = _roles([str(name) for name in columns])
    if role is not None:
        roles[:1] = [Role(role)]
    return Chart(
        key=re.sub(r"\W+", "-", title.lower()).strip("-"),
        kind=chosen,
        title=title,
        summary=summary,
        dimension="date" if over_time else str(columns.index.name or "member"),
        unit=Unit(unit),
        members=tuple(_member(position) for position in columns.index),
        series=tuple(
            Series(str(name), _label(str(name)), colour, _values(columns[name]))
            for name, colour in zip(columns, roles, strict=True)
        ),
        empty="There is nothing to draw." if nothing else None,
    )


def _label(column: str) -> str:
    return re.sub(r"^Api\b", "API", label(column))


def _roles(names: list[str]) -> list[Role]:
    """A colour for each column: that of the metric it is named after, else one that is free."""
    named = {name: role for name in names for role in _COLOURS if name.startswith(role)}
    free = [role for role in _COLOURS if role not in named.values()] or list(_COLOURS)
    others = [name for name in names if name not in named]
    named |= {name: free[n % len(free)] for n, name in enumerate(others)}
    return [named[name] for name in names]


def _values(column: pd.Series[Any]) -> tuple[Number | None, ...]:
    return tuple(column.astype(object).where(column.notna(), None).tolist())


def _member(position: Any) -> Member:
    import pandas as pd

    if isinstance(position, pd.Timestamp):
        when = position.date()
        return Member(when.isoformat(), formats.day(when), formats.full_day(when))
    return Member(str(position), label(str(position)))
