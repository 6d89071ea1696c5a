"""What accounts did: logins and sign-ups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import SelectBase, func, select

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

    def tallies(self, scope: Scope, dates: DateRange) -> list[ActivityTally]:
        """All logins and sign-ups there ever were."""
        return [ActivityTally(*row) for row in self._questioner.ask(write_tallies, scope, dates)]

    def account_dates(self, scope: Scope) -> AccountDates:
        return AccountDates(*self._questioner.ask(write_account_dates, scope)[0])


def write_tallies(catalog: Catalog, form: Form) -> SelectBase:
    a = catalog.account_activity.c
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
    return select(events.event, events.day, func.count(), func.max(events.created_at)).group_by(
        events.event, events.day
    )


def write_account_dates(catalog: Catalog, form: Form) -> SelectBase:
    u = catalog.users.c
    return select(func.min(u.created_at), func.max(u.last_login_at)).where(form.within(u.id))
