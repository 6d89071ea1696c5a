"""The six cards above all tabs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analytics_core.charts import summary
from analytics_core.charts.values import Card, Tone
from analytics_core.model.results import Comparison, Statistics
from tests.support.samples import NOW, empty_comparison, sample_comparison


def cards(comparison: Comparison) -> dict[str, Card]:
    return {card.key: card for card in summary(comparison, NOW)}


def with_(**results) -> Comparison:
    """The sample with some of its results changed, as `renders={"total": 1}`."""
    stats: Statistics = sample_comparison(compare=False).current
    changed = {name: replace(getattr(stats, name), **values) for name, values in results.items()}
    return Comparison(replace(stats, **changed))


def test_there_is_a_card_for_each_of_the_six():
    assert list(cards(sample_comparison())) == [
        "renders",
        "credits",
        "api",
        "storage",
        "projects",
        "account",
    ]


@pytest.mark.parametrize(
    ("key", "results", "value", "context"),
    [
        ("renders", {"total": 1598, "success_rate": 96.44}, "1,598", "96.4% succeeded"),
        ("renders", {"total": 3, "success_rate": None}, "3", "none finished yet"),
        (
            "credits",
            {"spent": 3041, "average_per_day": 98.097, "balance": 1420},
            "3,041",
            "98.1 a day · 1,420 left",
        ),
        (
            "credits",
            {"spent": 5, "average_per_day": 1.0, "balance": -35},
            "5",
            "1 a day · 35 overdrawn",
        ),
        ("api", {"total_calls": 894, "active_keys": 3}, "894", "3 active keys"),
        ("api", {"total_calls": 1, "active_keys": 1}, "1", "1 active key"),
        (
            "storage",
            {"stored_bytes": 4_200_000_000, "stored_files": 1204},
            "4.2 GB",
            "1,204 files",
        ),
        ("storage", {"stored_bytes": 12, "stored_files": 1}, "12 B", "1 file"),
        (
            "projects",
            {"total": 23, "average_renders_per_project": 69.48},
            "23",
            "69.5 renders each",
        ),
        ("projects", {"total": 1, "average_renders_per_project": 1.0}, "1", "1 render each"),
    ],
)
def test_a_card_has_its_number_and_a_line_of_context(key, results, value, context):
    card = cards(with_(**{key: results}))[key]
    assert (card.value, card.context) == (value, context)


def test_the_account_tells_logins_the_last_of_them_and_its_age():
    card = cards(with_(activity={"logins": 42, "account_age_days": 303}))["account"]
    assert (card.value, card.context) == ("42 logins", "last 2 h ago · 303 days old")


def test_an_account_nobody_logged_in_to_says_so():
    activity = {"logins": 1, "last_login_at": None, "account_age_days": None}
    card = cards(with_(activity=activity))["account"]
    assert (card.value, card.context) == ("1 login", "no login recorded")


def test_the_account_changes_by_the_logins_of_the_range_not_by_those_of_all_time():
    comparison = sample_comparison()
    assert comparison.previous is not None
    now, before = comparison.current.activity, comparison.previous.activity
    expected = sum(now.logins_by_day) - sum(before.logins_by_day)
    change = cards(comparison)["account"].change
    assert change is not None
    assert change.difference.replace("−", "-") == f"{expected:+}"
    assert change.before == f"{sum(before.logins_by_day)} logins before"


def test_without_the_period_before_no_card_has_a_change():
    assert all(card.change is None for card in summary(sample_comparison(compare=False), NOW))


def test_spending_more_is_neither_good_nor_bad_and_making_more_is_good():
    comparison = sample_comparison(days=400)
    tones = {key: card.change.tone for key, card in cards(comparison).items() if card.change}
    assert tones["credits"] is Tone.NEUTRAL
    assert tones["renders"] is Tone.GOOD


def test_a_card_of_somebody_without_any_record_is_still_a_card():
    card = cards(empty_comparison())["renders"]
    assert (card.value, card.context, card.line) == ("0", "none in this range", ())


def test_the_small_line_of_a_long_range_has_whole_weeks_only():
    assert len(cards(sample_comparison(days=400))["renders"].line) == 400 // 7


def test_the_line_of_projects_grows_to_their_number():
    card = cards(sample_comparison())["projects"]
    assert card.line[-1] == card.exact
