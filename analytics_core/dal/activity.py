"""What accounts did: logins and sign-ups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import SelectBase, func, null, select, union_all

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.question import Form, Questioner
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import ActivityEvent


@dataclass(frozen=True, slots=True)
class ActivityTally:
    """How often something happened on a day; day 0 is before the range, `days` + 1 after it."""

    event: str
    day: int
    times: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class AccountDates:
    """When the accounts of a scope began (the first of them) and were last signed in to."""

    created_at: datetime | None
    last_login_at: datetime | None


class ActivityRepository:
    def __init__(self, questioner: Questioner[Catalog]) -> None:
        self._questioner = questioner

    def tallies(self, scope: Scope, dates: DateRange) -> tuple[list[ActivityTally], AccountDates]:
        """All logins and sign-ups there ever were, and what the accounts themselves say."""
        tallies: list[ActivityTally] = []
        accounts = AccountDates(None, None)
        for *tally, created_at, last_login_at in self._questioner.ask(write_tallies, scope, dates):
            if tally[0] is None:
                accounts = AccountDates(created_at, last_login_at)
            else:
                tallies.append(ActivityTally(*tally))
        return tallies, accounts


def write_tallies(catalog: Catalog, form: Form) -> SelectBase:
    a, u = catalog.account_activity.c, catalog.users.c
    events = (
        select(
            a.event,
            form.day_number(a.created_at).label("day"),
            a.created_at,
        )
        .where(
            form.within(a.user_id),
            a.event.in_([ActivityEvent.LOGIN, ActivityEvent.SIGNUP]),
            a.created_at.is_not(None),
        )
        .subquery()
        .c
    )
    # Apart from those of events: a product's tables need not agree on what an instant is.
    dates = (func.min(u.created_at), func.max(u.last_login_at))
    tally = (events.event, events.day, func.count(), func.max(events.created_at))
    return union_all(
        select(*tally, *(null().cast(one.type) for one in dates)).group_by(
            events.event, events.day
        ),
        select(*(null().cast(one.type) for one in tally), *dates).where(form.within(u.id)),
    )
