"""The Credits tab: what was spent, what came in, and what is left."""

from __future__ import annotations

from datetime import datetime

from analytics_core.charts import formats, sentences
from analytics_core.charts.cards import card
from analytics_core.charts.daily import Amount, amounts
from analytics_core.charts.partitions import label, parts, ranked
from analytics_core.charts.sentences import Noun
from analytics_core.charts.timeline import Timeline
from analytics_core.charts.values import Card, Chart, Kind, Role, TabContent, Unit
from analytics_core.model.results import Comparison, CreditStats
from analytics_core.model.vocabulary import UNSPECIFIED, Category

_SPENT = Noun("credit spent", "credits spent")
_LABELS: dict[str, str] = {
    Category.RENDER: "Renders",
    Category.REFUND: "Refunds",
    Category.PURCHASE: "Purchases",
    Category.SUBSCRIPTION: "Subscription",
    Category.BONUS: "Bonuses",
    UNSPECIFIED: "Other",
}
_HOW = "Make a render or buy credits, or choose a longer range."


def credits(comparison: Comparison, now: datetime) -> TabContent:
    timeline = Timeline.of(comparison, now)
    stats = comparison.current.credits
    before = comparison.previous.credits if comparison.previous else None
    charts = (
        _by_day(spent_by_day(comparison), timeline),
        _by_day(_earned_by_day(comparison), timeline),
        _by_category(stats),
    )
    return TabContent("credits", "Credits", _cards(stats, before), charts)


def spent_by_day(comparison: Comparison) -> Amount:
    """Credits spent by day, for the tabs that show them."""
    previous = comparison.previous
    return Amount(
        "spent",
        "Credits spent",
        Role.CREDITS,
        _SPENT,
        comparison.current.credits.spent_by_day,
        previous.credits.spent_by_day if previous else None,
        Unit.CREDITS,
    )


def balance(stats: CreditStats) -> str:
    """`1,420 left`, `none left`, `35 overdrawn`."""
    if stats.balance < 0:
        return f"{formats.count(-stats.balance)} overdrawn"
    return f"{formats.count(stats.balance)} left" if stats.balance else "none left"


def _cards(stats: CreditStats, before: CreditStats | None) -> tuple[Card, ...]:
    role, unit = Role.CREDITS, Unit.CREDITS
    return (
        card(
            "credits-spent",
            "Spent",
            role,
            stats.spent,
            unit=unit,
            context="credits in this range",
            before=before.spent if before else None,
        ),
        card(
            "credits-earned",
            "Earned",
            role,
            stats.earned,
            unit=unit,
            context="bought, refunded or given",
            before=before.earned if before else None,
        ),
        card(
            "credits-net",
            "Net",
            role,
            stats.net,
            unit=unit,
            context="earned minus spent",
            before=before.net if before else None,
        ),
        card(
            "credits-average",
            "Average per day",
            role,
            stats.average_per_day,
            unit=unit,
            context="credits spent",
            before=before.average_per_day if before else None,
        ),
        card(
            "credits-balance",
            "Balance",
            role,
            stats.balance,
            unit=unit,
            context="at the end of the range",
            before=before.balance if before else None,
        ),
    )


def _by_day(measure: Amount, timeline: Timeline) -> Chart:
    """A panel for one of the two: credits come in rarely and much at a time."""
    return amounts(
        f"credits-{measure.key}-by-day",
        f"{measure.label} by {timeline.step.noun}",
        (measure,),
        timeline,
        empty=f"{measure.label} would appear here. {_HOW}",
    )


def _earned_by_day(comparison: Comparison) -> Amount:
    previous = comparison.previous
    return Amount(
        "earned",
        "Credits earned",
        Role.CREDITS,
        Noun("credit earned", "credits earned"),
        comparison.current.credits.earned_by_day,
        previous.credits.earned_by_day if previous else None,
        Unit.CREDITS,
    )


def _by_category(stats: CreditStats) -> Chart:
    noun = Noun("credit booked", "credits booked")
    return parts(
        "credits-by-category",
        Kind.BARS,
        "By category",
        ranked(stats.by_category),
        dimension="category",
        role=Role.CREDITS,
        noun=noun,
        summary=sentences.leader(
            stats.by_category, noun, "fell under", lambda key: _LABELS.get(key, label(key)).lower()
        ),
        empty=f"What credits were spent on and where they came from would appear here. {_HOW}",
        unit=Unit.CREDITS,
        labels=_LABELS,
    )
