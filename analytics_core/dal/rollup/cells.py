"""What is asked of the tables of rollups: whose nouns are in cells, and what cells add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    SelectBase,
    String,
    and_,
    case,
    func,
    null,
    select,
)

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.listed import listed
from analytics_core.dal.question import Form
from analytics_core.dal.rollup.kept import RollupTables
from analytics_core.dal.tables import UtcInstant

PROJECTS: Mapping[str, Any] = {"id": String()}
# Which cells are read; `part` is the number of what they add up to.
PIECES: Mapping[str, Any] = {
    "dimension": String(),
    "width": Integer(),
    "start": UtcInstant(),
    "until": UtcInstant(),
    "sign": Integer(),
    "part": Integer(),
}


@dataclass(frozen=True, slots=True)
class Rollups:
    """The tables of rollups, and those that they are rolled from."""

    tables: RollupTables
    catalog: Catalog


def new_projects(catalog: Catalog, form: Form) -> Select[str]:
    """The ids of projects created in the range."""
    p = catalog.projects.c
    return select(p.id).where(form.within(p.user_id), form.during(p.created_at))


def write_marked(rollups: Rollups, form: Form) -> SelectBase:
    """Each noun that users have in cells with each day marked, and until when it is followed."""
    tables = rollups.tables
    u, m = tables.users.c, tables.marks.c
    is_theirs = and_(m.source == u.source, m.noun == u.noun, m.user_id == u.user_id)
    found = tables.users.outerjoin(tables.marks, is_theirs)
    looked_at: ColumnElement[Any] = null()
    if tables.nouns is not None:
        n = tables.nouns.c
        found = found.join(tables.nouns, and_(n.source == u.source, n.noun == u.noun))
        looked_at = n.looked_at
    return (
        select(u.noun, m.day, looked_at)
        .select_from(found)
        .where(u.source == tables.source, form.within(u.user_id))
        .distinct()
    )


def write_sums(rollups: Rollups, form: Form) -> SelectBase:
    """What cells of the pieces add up to, by dimension, member and part."""
    c = _cells(rollups, form)
    return _added_up(c, c.count, c.amount, c.timed, c.seconds)


def write_counts(rollups: Rollups, form: Form) -> SelectBase:
    """The same without amounts."""
    c = _cells(rollups, form)
    return _added_up(c, c.count)


def write_renders_of_new_projects(rollups: Rollups, form: Form) -> SelectBase:
    """How many renders in cells of the pieces belong to projects created in the range."""
    c = _cells(rollups, form)
    projects = (
        select(listed("projects", PROJECTS, form.dialect).c.id)
        if rollups.tables.is_apart
        else new_projects(rollups.catalog, form)
    )
    # Within the sum, so that the projects are hashed once instead of looked up for each cell.
    counted = case((c.member.in_(projects), c.sign * c.count), else_=0)
    return select(func.coalesce(func.sum(counted), 0))


def _added_up(cells: Any, *measures: ColumnElement[Any]) -> SelectBase:
    members = (cells.dimension, cells.member, cells.part)
    return (
        select(*members, *(func.sum(cells.sign * measure) for measure in measures))
        .group_by(*members)
        .having(func.sum(cells.sign * cells.count) != 0)
    )


def _cells(rollups: Rollups, form: Form) -> Any:
    """The cells of the pieces that come with a question, each piece one stretch of an index."""
    pieces = listed("pieces", PIECES, form.dialect)
    c, p = rollups.tables.cells.c, pieces.c
    cells = select(c.member, c.count, c.amount, c.timed, c.seconds).where(
        c.source == rollups.tables.source,
        form.within(c.user_id),
        c.dimension == p.dimension,
        c.width == p.width,
        c.start >= p.start,
        c.start < p.until,
    )
    if form.dialect == "postgresql":
        # Piece by piece: a planner cannot know how short they are, and would read all cells.
        each = cells.offset(0).lateral("cells")
        return select(p.dimension, p.sign, p.part, *each.c).subquery().c
    return cells.add_columns(p.dimension, p.sign, p.part).subquery().c
