"""Projects, and the renders that belong to them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import SelectBase, func, select

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.question import Form, Questioner
from analytics_core.dal.rollup.cells import new_projects
from analytics_core.dal.rollup.reading import RollupRepository, gaps_of
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope


@dataclass(frozen=True, slots=True)
class ProjectTally:
    """How many projects were created on a day, by status and platform."""

    day: int
    status: str | None
    platform: str | None
    projects: int


class ProjectRepository:
    def __init__(self, questioner: Questioner[Catalog], rollups: RollupRepository) -> None:
        self._questioner, self._rollups = questioner, rollups

    def tallies(self, scope: Scope, dates: DateRange) -> list[ProjectTally]:
        return [ProjectTally(*row) for row in self._questioner.ask(write_tallies, scope, dates)]

    def count_renders(self, scope: Scope, dates: DateRange) -> int:
        """The renders of the range that belong to projects created in it."""
        rolled = self._rollups.rolled("renders", scope, dates)
        count = 0
        if rolled is None or (rolled.gaps and not self._rollups.tells_gaps):
            found = self._questioner.ask(write_render_count, scope, dates, gaps_of(rolled))
            count = int(found[0][0])
        if rolled:
            count += self._rollups.count_renders_of_new_projects(rolled, dates)
        return count


def write_tallies(catalog: Catalog, form: Form) -> SelectBase:
    p = catalog.projects.c
    projects = (
        select(
            form.day_number(p.created_at).label("day"),
            p.status,
            p.platform,
        )
        .where(form.within(p.user_id), form.during(p.created_at))
        .subquery()
    )
    return select(*projects.c, func.count()).group_by(*projects.c)


def write_render_count(catalog: Catalog, form: Form) -> SelectBase:
    r = catalog.renders.c
    return select(func.count()).where(
        form.within(r.user_id),
        form.during(r.created_at),
        r.project_id.in_(new_projects(catalog, form)),
    )
