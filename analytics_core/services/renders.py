"""How many renders, of which kind, how fast and how well."""

from __future__ import annotations

from collections import defaultdict

from analytics_core.dal.renders import RenderDay, RenderRepository
from analytics_core.model.results import RenderStats
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import Platform, Quality, RenderStatus, RenderType
from analytics_core.services.partition import closed_partition
from analytics_core.services.window import Window


def render_stats(repository: RenderRepository, scope: Scope, window: Window) -> RenderStats:
    tallies = repository.tallies(scope, window.dates)
    everything, kinds = tallies.days, tallies.dimensions
    by_number: dict[int, list[RenderDay]] = defaultdict(list)
    for part in everything:
        by_number[part.day].append(part)
    days = [by_number.get(number, []) for number in range(1, window.days + 1)]
    return RenderStats(
        total=sum(day.renders for day in everything),
        by_type=closed_partition(kinds["type"], RenderType),
        by_status=closed_partition(kinds["status"], RenderStatus),
        by_quality=closed_partition(kinds["quality"], Quality),
        by_platform=closed_partition(kinds["platform"], Platform, otherwise=Platform.WEB),
        average_processing_time=_average_time(everything),
        success_rate=_success_rate(everything),
        credits_spent=sum(day.credits or 0 for day in everything),
        by_day=tuple(sum(part.renders for part in day) for day in days),
        processing_time_by_day=tuple(map(_average_time, days)),
        success_rate_by_day=tuple(map(_success_rate, days)),
    )


def _average_time(days: list[RenderDay]) -> float | None:
    timed = sum(day.timed for day in days)
    return sum(day.seconds for day in days) / timed if timed else None


def _success_rate(days: list[RenderDay]) -> float | None:
    completed = sum(day.completed for day in days)
    finished = completed + sum(day.failed for day in days)
    return 100 * completed / finished if finished else None
