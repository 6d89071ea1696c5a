"""The six cards above all tabs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import accumulate

from analytics_core.charts import formats
from analytics_core.charts.api_usage import active_keys
from analytics_core.charts.cards import card, change
from analytics_core.charts.credits import balance
from analytics_core.charts.daily import a_day
from analytics_core.charts.projects import renders_each
from analytics_core.charts.sentences import Noun
from analytics_core.charts.storage import FILES
from analytics_core.charts.timeline import Timeline
from analytics_core.charts.values import Card, Number, Role, Tone, Unit
from analytics_core.model.results import ActivityStats, Comparison, RenderStats


def summary(comparison: Comparison, now: datetime) -> tuple[Card, ...]:
    """Renders, credits, API calls, storage, projects and account; `now` is an aware instant."""
    stats, before = comparison.current, comparison.previous
    bins = Timeline.of(comparison, now).bins
    return (
        card(
            "renders",
            "Renders",
            Role.RENDERS,
            stats.renders.total,
            unit=Unit.COUNT,
            context=_success(stats.renders),
            before=before.renders.total if before else None,
            rise=Tone.GOOD,
            line=bins.whole(stats.renders.by_day),
        ),
        card(
            "credits",
            "Credits spent",
            Role.CREDITS,
            stats.credits.spent,
            unit=Unit.CREDITS,
            context=_dotted(a_day(stats.credits.average_per_day), balance(stats.credits)),
            before=before.credits.spent if before else None,
            line=bins.whole(stats.credits.spent_by_day),
        ),
        card(
            "api",
            "API calls",
            Role.API,
            stats.api.total_calls,
            unit=Unit.COUNT,
            context=active_keys(stats.api),
            before=before.api.total_calls if before else None,
            rise=Tone.GOOD,
            line=bins.whole(stats.api.by_day),
        ),
        card(
            "storage",
            "Storage",
            Role.STORAGE,
            stats.storage.stored_bytes,
            unit=Unit.BYTES,
            context=FILES.counted(stats.storage.stored_files),
            before=before.storage.stored_bytes if before else None,
            line=bins.ends(stats.storage.stored_by_day),
        ),
        card(
            "projects",
            "Projects",
            Role.PROJECTS,
            stats.projects.total,
            unit=Unit.COUNT,
            context=renders_each(stats.projects),
            before=before.projects.total if before else None,
            rise=Tone.GOOD,
            line=_cumulative(bins.sums(stats.projects.by_day)),
        ),
        _account(
            stats.activity,
            before.activity if before else None,
            now,
            bins.whole(stats.activity.logins_by_day),
        ),
    )


def _account(
    activity: ActivityStats,
    before: ActivityStats | None,
    now: datetime,
    line: tuple[Number, ...],
) -> Card:
    """Logins are of all time; what changes is how many of them fall into the range."""
    logins = Noun("login", "logins")
    last = activity.last_login_at
    seen = f"last {formats.ago(last, now)}" if last else "no login recorded"
    age = activity.account_age_days
    since = None
    if before is not None:
        logins_before = sum(before.logins_by_day)
        since = change(sum(activity.logins_by_day), logins_before, Unit.COUNT)
        since = since and replace(since, before=f"{logins.counted(logins_before)} before")
    return Card(
        "account",
        "Account",
        Role.ACCOUNT,
        f"{formats.count(activity.logins)} {logins.of(activity.logins)}",
        activity.logins,
        _dotted(seen, "" if age is None else f"{Noun('day', 'days').counted(age)} old"),
        since,
        line,
    )


def _success(stats: RenderStats) -> str:
    if stats.success_rate is not None:
        return f"{formats.percent(stats.success_rate)} succeeded"
    return "none finished yet" if stats.total else "none in this range"


def _cumulative(amounts: Sequence[Number]) -> tuple[Number, ...]:
    return tuple(accumulate(amounts))


def _dotted(*parts: str) -> str:
    return " · ".join(filter(None, parts))
