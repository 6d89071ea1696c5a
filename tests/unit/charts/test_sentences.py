"""Sentences are grammatical for none, one and many, and claim only what the numbers bear."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts import sentences
from analytics_core.charts.sentences import Noun
from analytics_core.charts.values import Unit

RENDERS = Noun("render", "renders")
FIRST = date(2026, 10, 5)  # a Monday


def days(number: int) -> list[date]:
    return [FIRST + timedelta(days=n) for n in range(number)]


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "no renders"), (1, "1 render"), (1598, "1,598 renders")]
)
def test_nouns_agree_with_their_number(amount, text):
    assert RENDERS.counted(amount) == text


@pytest.mark.parametrize(
    ("value", "before", "text"),
    [
        (1598, 1352, "Renders rose 18% to 1,598"),
        (97, 100, "Renders fell 3% to 97"),
        (1003, 1000, "Renders rose 0.3% to 1,003"),
        (5, 5, "Renders stayed at 5"),
        (0, 0, "Renders stayed at 0"),
        (5, 0, "Renders came to 5, after none in the period before"),
        (0, 5, "Renders fell to none, from 5 in the period before"),
        (500, 2, "Renders rose from 2 to 500"),
    ],
)
def test_a_trend_tells_direction_size_and_result(value, before, text):
    assert sentences.trend("Renders", value, before, Unit.COUNT) == text


def test_a_rate_rises_from_one_share_to_another_and_not_by_a_share_of_a_share():
    told = sentences.trend("Success rate", 96.4, 95.1, Unit.PERCENT)
    assert told == "Success rate rose from 95.1% to 96.4%"


def test_values_that_read_the_same_are_not_said_to_have_risen():
    told = sentences.trend("Time", 46.71, 46.70, Unit.SECONDS)
    assert told == "Time stayed about 46.7 s"


def test_a_weekday_is_busiest_where_it_stood_out_in_most_weeks():
    values = [9 if day.weekday() == 4 else 2 for day in days(28)]
    assert sentences.busiest(days(28), values, Unit.COUNT) == "Fridays are busiest"


def test_one_odd_day_makes_no_habit():
    values = [100 if n == 4 else 2 for n in range(28)]
    assert sentences.busiest(days(28), values, Unit.COUNT) == "most on Oct 9 (100)"


def test_in_a_short_range_the_busiest_date_is_told():
    assert sentences.busiest(days(7), [1, 2, 3, 9, 3, 2, 1], Unit.COUNT) == "most on Oct 8 (9)"


@pytest.mark.parametrize("values", [[], [4], [0, 0, 0], [3, 3, 1]])
def test_no_day_is_busiest_where_there_is_none_or_no_single_one(values):
    assert sentences.busiest(days(len(values)), values, Unit.COUNT) == ""


@given(st.lists(st.integers(0, 9), min_size=21, max_size=90))
def test_a_weekday_called_busiest_has_the_highest_mean(values):
    told = sentences.busiest(days(len(values)), values, Unit.COUNT)
    if told.endswith("are busiest"):
        means = {
            day.strftime("%As"): sum(values[n::7]) / len(values[n::7])
            for n, day in enumerate(days(7))
        }
        assert told.split()[0] == max(means, key=means.__getitem__)


@pytest.mark.parametrize(
    ("partition", "text"),
    [
        ({"web": 812, "tools": 786}, "812 of 1,598 renders (50.8%) came from web"),
        ({"web": 12, "tools": 0}, "all 12 renders came from web"),
        ({"web": 2, "tools": 0}, "both renders came from web"),
        ({"web": 1, "tools": 0}, "the only render came from web"),
        ({"web": 4, "tools": 4, "canvas": 1}, "4 renders each came from web and tools"),
        ({"web": 1, "tools": 1}, "1 render each came from web and tools"),
        ({"a": 2, "b": 2, "c": 2}, "6 renders; 3 share first place with 2 each"),
        ({"web": 0}, "no renders"),
        ({}, "no renders"),
    ],
)
def test_the_leading_part_of_a_whole_is_named(partition, text):
    assert sentences.leader(partition, RENDERS, "came from", str) == text


@pytest.mark.parametrize(
    ("parts", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_lists_end_with_and(parts, text):
    assert sentences.joined(parts) == text


def test_a_sentence_begins_large_ends_with_a_stop_and_skips_what_is_not_said():
    assert sentences.sentence("all 3 came", "", "most on Oct 1") == "All 3 came; most on Oct 1."


def test_a_tally_leaves_out_what_did_not_happen():
    assert sentences.tally({"completed": 1540, "failed": 0, "new": 1}) == "1,540 completed, 1 new"
