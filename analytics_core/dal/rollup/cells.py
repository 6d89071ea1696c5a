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
    literal_column,
    null,
    select,
    union_all,
)

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.listed import listed
from analytics_core.dal.question import Form
from analytics_core.dal.rollup.kept import RollupTables
from analytics_core.dal.tables import UtcInstant

PROJECTS: Mapping[str, Any] = {"id": String()}
# Which cells are read; `part` is the number of the dimension and part that they add up to.
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

    @property
    def is_own(self) -> bool:
        return self.catalog.is_own


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
    """What cells of the pieces add up to, by part and member."""
    c = _cells(rollups, form)
    return _added_up(c, c.count, c.amount, c.timed, c.seconds)


def write_counts(rollups: Rollups, form: Form) -> SelectBase:
    """The same without amounts."""
    c = _cells(rollups, form)
    return _added_up(c, c.count)


def write_renders_of_new_projects(rollups: Rollups, form: Form) -> SelectBase:
    """How many renders in cells of the pieces, and in gaps, belong to projects of the range."""
    c = _cells(rollups, form)
    renders: Any = select(c.member, (c.sign * c.count).label("count"))
    if form.with_gaps:
        r = rollups.catalog.renders.c
        rows = select(r.project_id, literal_column("1"))
        renders = union_all(renders, rows.where(form.within(r.user_id), form.during(r.created_at)))
    projects = (
        select(listed("projects", PROJECTS, form.dialect).c.id)
        if rollups.tables.is_apart
        else new_projects(rollups.catalog, form)
    )
    each = renders.subquery().c
    # Within the sum, so that the projects are hashed once instead of looked up for each cell.
    counted = case((each.member.in_(projects), each["count"]), else_=0)
    return select(func.coalesce(func.sum(counted), 0))


def _added_up(cells: Any, *measures: ColumnElement[Any]) -> SelectBase:
    members = (cells.part, cells.member)
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
        return select(p.sign, p.part, *each.c).subquery().c
    return cells.add_columns(p.sign, p.part).subquery().c
