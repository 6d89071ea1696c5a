"""How the account has been used since it was opened."""

from __future__ import annotations

from datetime import datetime

from analytics_core.dal.activity import ActivityRepository
from analytics_core.model.daterange import date_of
from analytics_core.model.results import ActivityStats
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import ActivityEvent
from analytics_core.services.partition import by_day
from analytics_core.services.window import Window


def activity_stats(
    repository: ActivityRepository, scope: Scope, window: Window, now: datetime
) -> ActivityStats:
    """`account_age_days` counts calendar dates from the account's first to today's."""
    tallies, account = repository.tallies(scope, window.dates)
    logins = [tally for tally in tallies if tally.event == ActivityEvent.LOGIN]
    signed_in = [tally.last_at for tally in logins]
    if account.last_login_at:
        signed_in.append(account.last_login_at)
    age = None
    if account.created_at and scope.only_user:
        zone = window.dates.zone
        age = (date_of(now, zone) - date_of(account.created_at, zone)).days
    daily = by_day(window.days, ((tally.day, tally.times) for tally in logins))
    return ActivityStats(
        logins=sum(tally.times for tally in logins),
        signups=sum(t.times for t in tallies if t.event == ActivityEvent.SIGNUP),
        last_login_at=max(signed_in, default=None),
        account_age_days=age,
        logins_by_day=tuple(int(times) for times in daily),
    )
