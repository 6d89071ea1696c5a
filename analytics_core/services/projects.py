"""Which projects were begun, and how many renders they took."""

from __future__ import annotations

from analytics_core.dal.projects import ProjectRepository
from analytics_core.model.results import ProjectStats
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import Platform, ProjectStatus
from analytics_core.services.partition import by_day, closed_partition
from analytics_core.services.window import Window

_PLATFORMS = (Platform.WEB, Platform.TOOLS, Platform.CANVAS)


def project_stats(repository: ProjectRepository, scope: Scope, window: Window) -> ProjectStats:
    tallies = repository.tallies(scope, window.dates)
    total = sum(tally.projects for tally in tallies)
    renders = repository.count_renders(scope, window.dates) if total else 0
    created = by_day(window.days, ((tally.day, tally.projects) for tally in tallies))
    return ProjectStats(
        total=total,
        by_platform=closed_partition(((t.platform, t.projects) for t in tallies), _PLATFORMS),
        by_status=closed_partition(((t.status, t.projects) for t in tallies), ProjectStatus),
        total_renders=renders,
        average_renders_per_project=renders / total if total else None,
        by_day=tuple(int(projects) for projects in created),
    )
