"""The credit ledger of some users in one window: nobody spends what they do not have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analytics_core.dal.demo.columns import Column, Ints, instants, time_ordered_ids, words
from analytics_core.dal.demo.people import People
from analytics_core.dal.demo.renders import FAILED, Renders
from analytics_core.dal.demo.rhythm import Calendar
from analytics_core.dal.demo.work import Group
from analytics_core.model.vocabulary import Category, TransactionKind

SIGNUP_BONUS = 50
CATEGORIES = tuple(Category)
RENDER, REFUND, PURCHASE, SUBSCRIPTION, BONUS = range(5)
_SECOND = 1_000_000
# Monthly plans, in credits, and what is sold beside them.
_PLANS = np.array([0, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000])
_PACKS = np.array([20, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000])
_CREDITS_A_RENDER = 2.1


@dataclass(frozen=True)
class Entries:
    """Entries of one category; `renders` are positions of the renders they belong to, -1 none."""

    category: int
    owners: Ints
    moments: Ints
    amounts: Ints
    renders: Ints | None = None


def make_entries(
    calendar: Calendar,
    people: People,
    group: Group,
    renders: Renders,
    window: slice,
    balances: Ints,
    rng: np.random.Generator,
) -> list[Entries]:
    """All entries of a group; adds them up in `balances`, one entry per user, in place."""
    places = np.arange(len(renders))
    debits = Entries(RENDER, renders.owners, renders.moments, renders.costs, places)
    failed = np.flatnonzero(renders.statuses == FAILED)
    refunds = Entries(
        REFUND,
        renders.owners[failed],
        np.minimum(renders.finished[failed] + 2 * _SECOND, calendar.now),
        renders.costs[failed],
        failed,
    )
    income = [
        _subscriptions(calendar, people, group, window, rng),
        _bonuses(calendar, renders, rng),
    ]
    # Refunds are left out of the reckoning, so that the balance can only be higher.
    purchases = _purchases(group, balances, debits, income, rng)
    entries = [debits, refunds, *income, purchases]
    for one in entries:
        np.add.at(balances, one.owners, -one.amounts if one is debits else one.amounts)
    return entries


def _subscriptions(
    calendar: Calendar, people: People, group: Group, window: slice, rng: np.random.Generator
) -> Entries:
    """A plan's credits once a month: most of what the user needs, on the user's day."""
    wanted = 0.72 * _CREDITS_A_RENDER * group.counts
    plans = _PLANS[np.searchsorted(_PLANS, wanted, "right") - 1]
    days = np.arange(window.start, window.stop)
    users = group.users
    due = calendar.months_days[window] == people.billing_days[users, None]
    due &= (days >= people.first_days[users, None]) & (days <= people.last_days[users, None])
    due &= (calendar.done[people.zones[users]][:, window] > 0) & (plans > 0)[:, None]
    rows, columns = np.nonzero(due)
    moments = calendar.moments(people.zones[users[rows]], days[columns], rng)
    return Entries(SUBSCRIPTION, users[rows], moments, plans[rows])


def _bonuses(calendar: Calendar, renders: Renders, rng: np.random.Generator) -> Entries:
    """Credits for bringing a friend: one user in eight in a window, Mara always."""
    users, places = np.unique(renders.owners, return_index=True)
    lucky = (rng.random(len(users)) < 0.125) | (users == 0)
    moments = np.minimum(renders.moments[places[lucky]] + 600 * _SECOND, calendar.now)
    amounts = rng.choice([10, 20, 25, 50], len(moments))
    return Entries(BONUS, users[lucky], moments, amounts)


def _purchases(
    group: Group, balances: Ints, debits: Entries, income: list[Entries], rng: np.random.Generator
) -> Entries:
    """Packs bought just before a debit that would leave too little."""
    owners = np.concatenate([debits.owners, *(one.owners for one in income)])
    moments = np.concatenate([debits.moments, *(one.moments for one in income)])
    changes = np.concatenate([-debits.amounts, *(one.amounts for one in income)])
    order = np.lexsort((moments, owners))
    owners, moments, changes = owners[order], moments[order], changes[order]
    wanted = 0.22 * _CREDITS_A_RENDER * group.counts
    packs = _PACKS[np.clip(np.searchsorted(_PACKS, wanted, "right") - 1, 0, None)]
    pack = packs[owners - group.first]
    running = np.cumsum(changes)
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    places = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(owners)))
    # The running balance of each user: the common sum less what it was before their first entry.
    running -= (running - changes)[starts][places]
    missing = np.maximum(pack // 20 - (balances[owners] + running), 0)
    # The highest so far, user by user: users are set apart by more than anybody can miss.
    apart = np.int64(missing.max(initial=0) + 1) * places
    bought = -(-(np.maximum.accumulate(missing + apart) - apart) // pack)
    more = np.diff(bought, prepend=0)
    more[starts] = bought[starts]
    at = np.flatnonzero(more)
    before = rng.integers(20, 240, len(at)) * _SECOND
    return Entries(PURCHASE, owners[at], moments[at] - before, (more * pack)[at])


def signup_bonuses(people: People) -> Entries:
    """What everybody gets who signs up; Nils alone has not confirmed his address yet."""
    users = np.arange(len(people) - 1)
    moments = people.signed_up[users] + _SECOND
    return Entries(BONUS, users, moments, np.full(len(users), SIGNUP_BONUS))


def entry_rows(
    people: People, entries: list[Entries], render_ids: Column, rng: np.random.Generator
) -> Column:
    """The table `credit_transactions`, in the order of time."""
    moments = np.concatenate([one.moments for one in entries])
    order = np.argsort(moments, kind="stable")
    category = np.repeat([one.category for one in entries], [len(one.owners) for one in entries])
    renders = np.concatenate(
        [np.full(len(one.owners), -1) if one.renders is None else one.renders for one in entries]
    )[order]
    references = render_ids.take(pa.array(renders, mask=renders < 0))
    category = category[order]
    kinds = (TransactionKind.DEBIT, TransactionKind.CREDIT)
    return pa.table(
        {
            "id": time_ordered_ids(moments[order], rng),
            "user_id": people.ids.take(
                pa.array(np.concatenate([one.owners for one in entries])[order])
            ),
            "kind": words(kinds, np.where(category == RENDER, 0, 1)),
            "amount": np.concatenate([one.amounts for one in entries])[order],
            "category": words(CATEGORIES, category),
            "reference_id": references,
            "created_at": instants(moments[order]),
        }
    )
