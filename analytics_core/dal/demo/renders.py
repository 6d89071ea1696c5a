"""The renders of some users in one window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analytics_core.dal.demo.columns import (
    Column,
    Flags,
    Floats,
    Ints,
    instants,
    time_ordered_ids,
    words,
)
from analytics_core.dal.demo.people import PLUGINS, People
from analytics_core.dal.demo.rhythm import Calendar
from analytics_core.dal.demo.work import PLATFORMS, Group, Weather, pick, pick_days
from analytics_core.model.vocabulary import Quality, RenderStatus, RenderType

TYPES = tuple(RenderType)
STATUSES = (
    *(RenderStatus.COMPLETED, RenderStatus.FAILED),
    *(RenderStatus.PENDING, RenderStatus.PROCESSING),
)
COMPLETED, FAILED, PENDING, PROCESSING = range(4)
QUALITIES = (*Quality, None)
VERSIONS = tuple(f"{1 + n // 10}.{n % 10}.{n * 7 % 4}" for n in range(200))
# Of images and videos, by quality; old plugins that name none get the standard one.
_COST = np.array([[1, 2, 4, 1], [5, 8, 14, 5]])
_SECONDS = np.array([[8.5, 17.0, 36.0, 9.0], [74.0, 128.0, 240.0, 78.0]])
# How much queues and scenes spread the times of one quality, as sigma of a lognormal.
_SPREAD = 0.32
_DAYS_A_VERSION = 45
_SECOND = 1_000_000


@dataclass(frozen=True)
class Renders:
    """Renders in the order of time, one array entry each; `finished` may lie after now."""

    ids: Column
    owners: Ints
    days: Ints
    moments: Ints
    finished: Ints
    types: Ints
    statuses: Ints
    qualities: Ints
    plugins: Ints
    from_plugin: Flags
    versions: Ints
    costs: Ints
    seconds: Floats

    def __len__(self) -> int:
        return len(self.owners)


def make_renders(
    calendar: Calendar,
    people: People,
    weather: Weather,
    group: Group,
    work: Floats,
    window: slice,
    rng: np.random.Generator,
) -> Renders:
    owners = group.owners
    days = pick_days(work, window, owners - group.first, rng)
    moments = calendar.moments(people.zones[owners], days, rng)
    order = np.argsort(moments, kind="stable")
    owners, days, moments = owners[order], days[order], moments[order]
    count = len(owners)
    types = (rng.random(count) < people.video[owners]).astype(np.int64)
    qualities = pick(people.quality_shares, owners, rng)
    # Plugins came late and spread.
    spread = 0.6 + 0.5 * days / len(calendar.dates)
    from_plugin = rng.random(count) < people.plugin[owners] * spread
    seconds = _SECONDS[types, qualities] * weather.slowness[days]
    seconds = np.round(seconds * np.exp(rng.normal(0, _SPREAD, count)), 2)
    luck = rng.random(count)
    fails = luck < weather.failing[days] * people.failing[owners] + 0.02 * types
    seconds = np.where(fails, np.round(seconds * rng.random(count), 2) + 0.01, seconds)
    finished = moments + (seconds * _SECOND).astype(np.int64) // 1000 * 1000
    statuses = np.where(fails, FAILED, COMPLETED)
    # A few are never heard of again; what is under way now is not finished.
    statuses = np.where(luck > 0.998, PROCESSING, statuses)
    statuses = np.where(luck > 0.9992, PENDING, statuses)
    statuses = np.where(finished > calendar.now, PROCESSING, statuses)
    return Renders(
        ids=time_ordered_ids(moments, rng),
        owners=owners,
        days=days,
        moments=moments,
        finished=finished,
        types=types,
        statuses=statuses,
        qualities=qualities,
        plugins=pick(people.plugin_shares, owners, rng),
        from_plugin=from_plugin,
        versions=np.maximum(days - people.version_lags[owners], 0) // _DAYS_A_VERSION,
        costs=_COST[types, qualities],
        seconds=seconds,
    )


def render_rows(
    people: People, renders: Renders, projects: Column, rng: np.random.Generator
) -> Column:
    """The table `renders`; `projects` is the project id of each."""
    platforms = pick(people.platform_shares, renders.owners, rng)
    return pa.table(
        {
            "id": renders.ids,
            "user_id": people.ids.take(pa.array(renders.owners)),
            "project_id": projects,
            "type": words(TYPES, renders.types),
            "status": words(STATUSES, renders.statuses),
            "quality": words(QUALITIES, renders.qualities),
            "platform": words(PLATFORMS, np.where(renders.from_plugin, 0, platforms)),
            "source_platform": plugin_names(renders),
            "plugin_version": plugin_versions(renders),
            "credits_cost": renders.costs,
            "processing_time": pa.array(renders.seconds, mask=renders.statuses >= PENDING),
            "created_at": instants(renders.moments),
        }
    )


def plugin_names(renders: Renders) -> Column:
    """The source platform of each render; null where no plugin asked for it."""
    return words((None, *PLUGINS), np.where(renders.from_plugin, renders.plugins + 1, 0))


def plugin_versions(renders: Renders) -> Column:
    return words((None, *VERSIONS), np.where(renders.from_plugin, renders.versions + 1, 0))
