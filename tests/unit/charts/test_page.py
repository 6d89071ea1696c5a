"""A page holds what the dashboard shows, found by its keys."""

from __future__ import annotations

import pytest

from analytics_core.charts import summary, tabs
from analytics_core.charts.page import page
from tests.support.samples import NOW, empty_comparison, sample_comparison

ANSWER = sample_comparison()
PAGE = page("Mara", ANSWER, NOW)


def test_the_heading_says_whose_usage_which_dates_and_against_which() -> None:
    heading = PAGE.heading
    assert (heading.who, heading.zone) == ("Mara", "Asia/Kolkata")
    assert heading.dates == "Oct 2 – Oct 31, 2026"
    assert heading.against == "Sep 2 – Oct 1, 2026"


def test_the_heading_says_when_it_was_asked_in_the_viewers_zone() -> None:
    assert PAGE.heading.as_of == "Nov 1, 2026, 15:30"


def test_without_a_period_before_nothing_is_compared() -> None:
    assert page("Mara", sample_comparison(compare=False), NOW).heading.against is None


def test_a_user_without_any_record_gets_a_page_that_says_so() -> None:
    assert page("Nils", empty_comparison(), NOW).heading.dates == "No usage recorded yet"


def test_cards_and_tabs_are_those_of_the_dashboard() -> None:
    assert PAGE.cards == summary(ANSWER, NOW)
    assert PAGE.tabs == tabs(ANSWER, NOW)


@pytest.mark.parametrize("name", ["credits", "Credits"])
def test_a_tab_is_found_by_key_and_by_label(name: str) -> None:
    assert PAGE.tab(name).label == "Credits"


def test_a_chart_is_found_by_key() -> None:
    assert PAGE.chart("renders-by-type").title == "By type"


def test_an_unknown_key_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(KeyError, match="renders-by-type"):
        PAGE.chart("by-colour")
    with pytest.raises(KeyError, match="overview"):
        PAGE.tab("colours")
