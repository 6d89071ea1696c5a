"""The whole invented history, as a stream of Arrow tables that never holds more than a part of it.

It is told in windows of thirty local dates, and in each by groups of users; every group of every
window has random numbers of its own. What carries over (balances, projects, the last days of the
daily aggregate) is one number per user.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa

from analytics_core.dal.demo import calls, ledger, people, projects, renders, uploads, work
from analytics_core.dal.demo.columns import (
    Column,
    Flags,
    Floats,
    Ints,
    instants,
    time_ordered_ids,
    words,
)
from analytics_core.dal.demo.rhythm import Calendar
from analytics_core.dal.demo.shape import DAYS_A_WINDOW, DemoShape
from analytics_core.model.vocabulary import ActivityEvent

# Recording of single calls began this many days before now; 30 days and the 30 before have it.
_RECORDED_DAYS = 75
# Enough for numpy to be at its best, little enough for memory to stay small.
_RENDERS_A_GROUP = 100_000
_MINUTE = 60_000_000
_EVENTS = tuple(ActivityEvent)
# A local date of a window touches the UTC dates from one before it to one after it.
_BORDER = 3


class History:
    """The tables of one `DemoShape`; can be told once."""

    def __init__(self, shape: DemoShape) -> None:
        self.shape = shape
        self.calendar = Calendar(shape)
        self.people = people.invent_people(shape, self.calendar)
        self.weather = work.Weather(shape, self.calendar)
        count = len(self.people)
        self._balances = np.zeros(count, dtype=np.int64)
        self._projects = np.zeros(count, dtype=np.int64)
        self._last_logins = np.zeros(count, dtype=np.int64)
        self._last_calls = np.zeros(count, dtype=np.int64)
        self._border = np.zeros((4, count, _BORDER), dtype=np.int64)

    def tell(self) -> Iterator[tuple[str, Column]]:
        """Tables and rows for them; rows only refer to rows that were told before.

        The last login of users is not known in time: it is what `last_logins` says at the end.
        """
        yield "users", people.user_rows(self.shape, self.people, self._last_logins)
        yield from self._signups()
        for number, (window, counts) in enumerate(
            zip(self.calendar.windows, self._counts(), strict=True)
        ):
            for group in _groups(counts):
                yield from self._group(number, window, group)
        yield (
            "plugin_api_keys",
            people.key_rows(self.shape, self.people, self._last_calls, self.calendar.now),
        )

    def last_logins(self) -> Column:
        """The columns `id` and `last_login_at` of those who have logged in."""
        known = np.flatnonzero(self._last_logins)
        return pa.table(
            {
                "id": self.people.ids.take(pa.array(known)),
                "last_login_at": instants(self._last_logins[known]),
            }
        )

    def _counts(self) -> Ints:
        """How many renders each user makes in each window: windows by users."""
        everybody = np.arange(len(self.people))
        expected = np.array(
            [
                self._work(window, everybody, None).sum(axis=1) * self.people.weights
                for window in self.calendar.windows
            ]
        )
        fixed = self.shape.first_users_last_30_days
        if fixed is not None:
            expected[-1, 0] = 0
        rest = self.shape.renders - (fixed or 0)
        if rest and not expected.sum():
            raise ValueError("nobody is there to make the renders")
        rng = np.random.default_rng([self.shape.seed, 5])
        chances = (expected / (expected.sum() or 1)).ravel()
        counts = rng.multinomial(rest, chances) if rest else np.zeros(chances.shape, np.int64)
        counts = counts.reshape(expected.shape)
        counts[-1, 0] += fixed or 0
        return counts

    def _work(self, window: slice, users: Ints, rng: np.random.Generator | None) -> Floats:
        busy = work.days_of_work(self.calendar, self.people, window, users, rng)
        if window == self.calendar.windows[-1] and users[0] == 0:
            # Mara's last thirty days are those of her zone.
            today = np.flatnonzero(self.calendar.done[self.people.zones[0]])[-1]
            busy[0, : today - DAYS_A_WINDOW + 1 - window.start] = 0
        return busy

    def _signups(self) -> Iterator[tuple[str, Column]]:
        rng = np.random.default_rng([self.shape.seed, 6])
        bonuses = ledger.signup_bonuses(self.people)
        np.add.at(self._balances, bonuses.owners, bonuses.amounts)
        none = pa.array([], type=pa.string())
        yield "credit_transactions", ledger.entry_rows(self.people, [bonuses], none, rng)
        everybody = np.arange(len(self.people))
        yield (
            "account_activity",
            self._events([(ActivityEvent.SIGNUP, everybody, self.people.signed_up)], rng),
        )

    def _group(self, number: int, window: slice, group: work.Group) -> Iterator[tuple[str, Column]]:
        rng = np.random.default_rng([self.shape.seed, 7, number, group.first])
        shared = (self.calendar, self.people)
        busy = self._work(window, group.users, rng)
        begun = projects.make_projects(*shared, group, busy, window, self._projects, rng)
        yield "projects", projects.project_rows(self.shape, *shared, begun, rng)
        made = renders.make_renders(*shared, self.weather, group, busy, window, rng)
        of = projects.projects_of_renders(self.shape, made, begun, self._projects, rng)
        np.add.at(self._projects, begun.owners, 1)
        yield "renders", renders.render_rows(self.people, made, of, rng)
        entries = ledger.make_entries(*shared, group, made, window, self._balances, rng)
        yield "credit_transactions", ledger.entry_rows(self.people, entries, made.ids, rng)
        asked = calls.make_calls(self.calendar, self.weather, made, rng)
        np.maximum.at(self._last_calls, asked.owners, asked.moments)
        recorded = self._recorded(asked.moments)
        yield "api_calls", calls.call_rows(self.people, made, asked, recorded, rng)
        files = uploads.make_files(self.calendar, made, rng)
        yield "files", uploads.file_rows(self.people, files, rng)
        yield "account_activity", self._sessions(made, entries, rng)
        measures = [
            (made.owners, made.moments, None),
            (made.owners, made.moments, made.costs),
            (asked.owners, asked.moments, None),
            (files.owners, files.moments, files.sizes),
        ]
        yield "usage_tracking", self._daily(window, group, measures)

    def _recorded(self, moments: Ints) -> Flags:
        return self.calendar.utc_days(moments) >= len(self.calendar.dates) - 1 - _RECORDED_DAYS

    def _sessions(
        self, made: renders.Renders, entries: list[ledger.Entries], rng: np.random.Generator
    ) -> Column:
        """Logins before the first render of a day, sometimes once more; some people log out."""
        order = np.lexsort((made.moments, made.owners))
        owners, days, moments = (one[order] for one in (made.owners, made.days, made.moments))
        new = (np.diff(owners, prepend=-1) != 0) | (np.diff(days, prepend=-1) != 0)
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(owners)) - 1 if len(first) else first
        who = owners[first]
        came = moments[first] - rng.integers(1, 16, len(first)) * _MINUTE
        again = (rng.random(len(first)) < 0.3) & (last > first)
        back = moments[last] - _MINUTE
        leaves = moments[last] + rng.integers(2, 40, len(first)) * _MINUTE
        left = (rng.random(len(first)) < 0.35) & (leaves <= self.calendar.now)
        bought = next(one for one in entries if one.category == ledger.PURCHASE)
        np.maximum.at(self._last_logins, who, came)
        np.maximum.at(self._last_logins, who[again], back[again])
        return self._events(
            [
                (ActivityEvent.LOGIN, who, came),
                (ActivityEvent.LOGIN, who[again], back[again]),
                (ActivityEvent.RENDER, who, moments[first]),
                (ActivityEvent.CREDIT_PURCHASE, bought.owners, bought.moments),
                (ActivityEvent.LOGOUT, who[left], leaves[left]),
            ],
            rng,
        )

    def _events(
        self, events: list[tuple[ActivityEvent, Ints, Ints]], rng: np.random.Generator
    ) -> Column:
        owners = np.concatenate([who for _, who, _ in events])
        moments = np.concatenate([when for _, _, when in events])
        codes = np.repeat(
            [_EVENTS.index(event) for event, _, _ in events], [len(who) for _, who, _ in events]
        )
        order = np.argsort(moments, kind="stable")
        return pa.table(
            {
                "id": time_ordered_ids(moments[order], rng),
                "user_id": self.people.ids.take(pa.array(owners[order])),
                "event": words(_EVENTS, codes[order]),
                "created_at": instants(moments[order]),
            }
        )

    def _daily(
        self,
        window: slice,
        group: work.Group,
        measures: list[tuple[Ints, Ints, Ints | None]],
    ) -> Column:
        """The table `usage_tracking`, of the UTC dates that no later window can touch."""
        users = slice(group.first, group.first + len(group.counts))
        days = window.stop - window.start + _BORDER
        sums = np.empty((len(measures), len(group.counts), days), dtype=np.int64)
        for measure, (owners, moments, amounts) in enumerate(measures):
            cells = (owners - group.first) * days + self.calendar.utc_days(moments)
            cells -= window.start - 1
            added = np.bincount(cells, amounts, minlength=sums[measure].size)
            sums[measure] = added.astype(np.int64).reshape(sums[measure].shape)
        sums[:, :, :_BORDER] += self._border[:, users]
        if window != self.calendar.windows[-1]:
            self._border[:, users] = sums[:, :, -_BORDER:]
            sums = sums[:, :, :-_BORDER]
        rows, columns = np.nonzero(sums.any(axis=0))
        dates = [
            self.calendar.first + timedelta(days=n)
            for n in range(window.start - 1, window.stop + _BORDER)
        ]
        created, spent, called, stored = sums[:, rows, columns]
        return pa.table(
            {
                "user_id": self.people.ids.take(pa.array(rows + group.first)),
                "date": pa.array(dates, type=pa.date32()).take(pa.array(columns)),
                "renders_created": created,
                "credits_spent": spent,
                "api_calls": called,
                "storage_used": stored,
            }
        )


def _groups(counts: Ints) -> Iterator[work.Group]:
    """Contiguous users with about `_RENDERS_A_GROUP` renders together, never a part of a user."""
    number = np.cumsum(counts) // _RENDERS_A_GROUP
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1), len(counts)]
    for first, end in pairwise(edges):
        yield work.Group(int(first), counts[first:end])
