"""The projects of some users in one window, and which of them renders belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from analytics_core.dal.demo.columns import Column, Floats, Ints, instants, keyed_ids, words
from analytics_core.dal.demo.people import People
from analytics_core.dal.demo.renders import Renders
from analytics_core.dal.demo.rhythm import Calendar
from analytics_core.dal.demo.shape import DemoShape
from analytics_core.dal.demo.work import PLATFORMS, Group, pick, pick_days
from analytics_core.model.vocabulary import ProjectStatus

STATUSES = (ProjectStatus.COMPLETED, ProjectStatus.PROCESSING, ProjectStatus.FAILED)
_FRESH = 10 * 86_400 * 1_000_000
_PLACES = (
    *("Harbour", "Station", "Garden", "Museum", "Lakeside", "Market", "Mill", "Hill", "Park"),
    *("Castle", "Bridge", "River", "Cedar", "Orchard", "Quarry", "Terrace", "Atrium"),
)
_BUILDINGS = (
    *("House", "Library", "Lobby", "Tower", "Pavilion", "School", "Offices", "Loft", "Hall"),
    *("Villa", "Courtyard", "Kitchen", "Hotel", "Studio"),
)


@dataclass(frozen=True)
class Projects:
    """New projects by user and time; `numbers` count each user's projects from 0."""

    owners: Ints
    numbers: Ints
    moments: Ints

    def __len__(self) -> int:
        return len(self.owners)


def make_projects(
    calendar: Calendar,
    people: People,
    group: Group,
    work: Floats,
    window: slice,
    so_far: Ints,
    rng: np.random.Generator,
) -> Projects:
    """New projects of a group; `so_far` is how many each user has, and is left as it is."""
    # A beginner has one project at once; then one comes with every few dozen renders.
    new = rng.poisson(group.counts / 48) + ((group.counts > 0) & (so_far[group.users] == 0))
    owners = np.repeat(group.users, new)
    days = pick_days(work, window, owners - group.first, rng)
    moments = calendar.moments(people.zones[owners], days, rng)
    order = np.lexsort((moments, owners))
    position = np.arange(len(owners)) - np.repeat(np.cumsum(new) - new, new)
    return Projects(owners, so_far[owners] + position, moments[order])


def project_ids(shape: DemoShape, owners: Ints, numbers: Ints) -> Column:
    return keyed_ids(shape.seed, "projects", owners, numbers)


def project_rows(
    shape: DemoShape,
    calendar: Calendar,
    people: People,
    projects: Projects,
    rng: np.random.Generator,
) -> Column:
    """The table `projects`; new ones are mostly still under way."""
    count = len(projects)
    fresh = calendar.now - projects.moments < _FRESH
    luck = rng.random(count)
    status = np.where(luck < np.where(fresh, 0.55, 0.05), 1, np.where(luck > 0.95, 2, 0))
    names = np.array([f"{a} {b}" for a in _PLACES for b in _BUILDINGS])
    return pa.table(
        {
            "id": project_ids(shape, projects.owners, projects.numbers),
            "user_id": people.ids.take(pa.array(projects.owners)),
            "name": words(names.tolist(), rng.integers(0, len(names), count)),
            "status": words(STATUSES, status),
            "platform": words(PLATFORMS, pick(people.platform_shares, projects.owners, rng)),
            "created_at": instants(projects.moments),
        }
    )


def projects_of_renders(
    shape: DemoShape, renders: Renders, projects: Projects, so_far: Ints, rng: np.random.Generator
) -> Column:
    """A project id for each render: one of its user's newest by then, or none."""
    moments = np.concatenate([projects.moments, renders.moments])
    start, span = moments.min() if len(moments) else 0, np.ptp(moments) + 1 if len(moments) else 1
    # One sorted sequence of projects, in which each user has a stretch as long as the window.
    ladder = projects.owners * span + (projects.moments - start)
    known = np.searchsorted(ladder, renders.owners * span + (renders.moments - start), "right")
    known -= np.searchsorted(projects.owners, renders.owners, "left")
    newest = so_far[renders.owners] + known - 1
    number = newest - (rng.geometric(0.55, len(renders)) - 1)
    none = (newest < 0) | (rng.random(len(renders)) < 0.12)
    ids = project_ids(shape, renders.owners, np.maximum(number, 0))
    return compute.if_else(pa.array(none), pa.scalar(None, pa.string()), ids)
