"""Who works when: groups of users, their work on the dates of a window, and what all share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics_core.dal.demo.columns import Floats, Ints
from analytics_core.dal.demo.people import People
from analytics_core.dal.demo.rhythm import Calendar
from analytics_core.dal.demo.shape import DemoShape

PLATFORMS = ("web", "tools", "canvas")


@dataclass(frozen=True)
class Group:
    """A contiguous block of users, from user number `first`, and how many renders each makes."""

    first: int
    counts: Ints

    @property
    def users(self) -> Ints:
        return np.arange(self.first, self.first + len(self.counts))

    @property
    def owners(self) -> Ints:
        """The user number of each render."""
        return np.repeat(self.users, self.counts)


class Weather:
    """What all users share on a date: how fast renders are and how many fail, bad days included."""

    def __init__(self, shape: DemoShape, calendar: Calendar) -> None:
        rng = np.random.default_rng([shape.seed, 4])
        days = len(calendar.dates)
        self.bad = np.zeros(days, dtype=bool)
        self.bad[rng.integers(0, days, days // 90)] = True
        self.bad[days - 12] = True
        faster = np.linspace(1.18, 0.9, days)
        self.slowness = faster * rng.normal(1, 0.04, days) * np.where(self.bad, 1.6, 1)
        self.failing = np.where(self.bad, 0.16, 0.028)


def days_of_work(
    calendar: Calendar, people: People, window: slice, users: Ints, rng: np.random.Generator | None
) -> Floats:
    """How much each user works on each date of a window: users by dates.

    With a generator every date of every user has luck of its own; without one, what to expect.
    """
    zones = people.zones[users]
    days = np.arange(window.start, window.stop)
    here = (days >= people.first_days[users, None]) & (days <= people.last_days[users, None])
    work: Floats = calendar.done[zones][:, window] * calendar.business[window] * here
    return work if rng is None else work * rng.gamma(4, 1 / 4, work.shape)


def pick_days(work: Floats, window: slice, rows: Ints, rng: np.random.Generator) -> Ints:
    """A date for each entry of `rows`, which are rows of `work`, by the work done on it."""
    shares = np.cumsum(work, axis=1)
    shares /= np.where(shares[:, -1:] > 0, shares[:, -1:], 1)
    # All rows in one sorted sequence: row n lies between n and n + 1.
    ladder = (shares + np.arange(len(shares))[:, None]).ravel()
    found = np.searchsorted(ladder, rows + rng.random(len(rows)), side="right")
    last = work.shape[1] - 1 - np.argmax(work[:, ::-1] > 0, axis=1)
    days: Ints = np.minimum(found - rows * work.shape[1], last[rows]) + window.start
    return days


def pick(shares: Floats, rows: Ints, rng: np.random.Generator) -> Ints:
    """A column number for each entry of `rows`, which are rows of `shares`."""
    steps = np.cumsum(shares, axis=1)[:, :-1].astype(np.float32)
    luck = rng.random(len(rows), dtype=np.float32)
    picked = np.zeros(len(rows), dtype=np.int64)
    for step in steps.T:
        picked += luck > step[rows]
    return picked
