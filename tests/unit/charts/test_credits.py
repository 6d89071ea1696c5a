"""The Credits tab."""

from __future__ import annotations

from dataclasses import replace

from analytics_core.charts.credits import balance, credits
from analytics_core.model.results import Comparison
from tests.support.samples import NOW, sample_comparison


def test_there_are_cards_for_spent_earned_net_average_and_balance():
    stats = sample_comparison().current.credits
    exact = {card.key: card.exact for card in credits(sample_comparison(), NOW).cards}
    assert exact == {
        "credits-spent": stats.spent,
        "credits-earned": stats.earned,
        "credits-net": stats.net,
        "credits-average": stats.average_per_day,
        "credits-balance": stats.balance,
    }


def test_spent_and_earned_have_a_panel_each():
    keys = [chart.key for chart in credits(sample_comparison(), NOW).charts]
    assert keys == ["credits-spent-by-day", "credits-earned-by-day", "credits-by-category"]


def test_categories_are_named_and_longest_first():
    comparison = sample_comparison(compare=False)
    by_category = {"render": 5, "purchase": 90, "unspecified": 1}
    stats = replace(comparison.current.credits, by_category=by_category)
    chart = credits(Comparison(replace(comparison.current, credits=stats)), NOW).charts[-1]
    assert [member.label for member in chart.members] == ["Purchases", "Renders", "Other"]
    assert chart.summary == "90 of 96 credits booked (93.8%) fell under purchases."


def test_a_balance_is_told_as_left_none_or_overdrawn():
    stats = sample_comparison().current.credits
    told = [balance(replace(stats, balance=amount)) for amount in (1420, 0, -35.5)]
    assert told == ["1,420 left", "none left", "35.5 overdrawn"]
