"""The API usage tab."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analytics_core.charts.api_usage import api_usage
from analytics_core.charts.values import Chart
from analytics_core.model.results import Comparison, Latency
from analytics_core.model.vocabulary import ApiSource
from tests.support.samples import NOW, sample_comparison


def sample(**results) -> Comparison:
    comparison = sample_comparison(compare=False)
    stats = replace(comparison.current.api, **results)
    return Comparison(replace(comparison.current, api=stats))


def chart(key: str, comparison: Comparison) -> Chart:
    return next(c for c in api_usage(comparison, NOW).charts if c.key == key)


def keys_of_cards(comparison: Comparison) -> list[str]:
    return [card.key for card in api_usage(comparison, NOW).cards]


def test_durations_have_cards_where_calls_were_recorded():
    assert keys_of_cards(sample(latency_ms=Latency(180.0, 900.0)))[-2:] == ["api-p50", "api-p95"]


def test_durations_have_no_cards_where_none_was_recorded():
    assert keys_of_cards(sample(latency_ms=Latency(None, None))) == [
        "api-calls",
        "api-active-keys",
        "api-average",
    ]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (ApiSource.INFERRED, "inferred from plugin renders"),
        (ApiSource.DAILY, "from stored daily counts"),
        (ApiSource.MIXED, "partly inferred"),
    ],
)
def test_what_was_not_recorded_is_not_passed_off_as_recorded(source, told):
    comparison = sample(source=source)
    assert told in chart("api-by-day", comparison).summary
    assert told in api_usage(comparison, NOW).cards[0].context


def test_ten_routes_are_named_and_the_rest_is_counted():
    routes = {f"GET /v1/{n}": 100 - n for n in range(14)}
    members = chart("api-by-route", sample(by_route=routes)).members
    assert [member.label for member in members][-2:] == ["GET /v1/9", "4 other routes"]


def test_routes_keep_their_own_spelling():
    routes = {"get /users/{user_id}": 3}
    drawn = chart("api-by-route", sample(by_route=routes))
    assert drawn.members[0].label == "get /users/{user_id}"
    assert drawn.summary == "All 3 recorded calls went to get /users/{user_id}."


def test_status_classes_keep_their_order():
    drawn = chart("api-by-status-class", sample(by_status_class={"5xx": 9, "2xx": 1, "4xx": 4}))
    assert [member.key for member in drawn.members] == ["2xx", "4xx", "5xx"]


def test_platforms_that_are_not_all_calls_are_not_said_to_be():
    drawn = chart("api-by-platform", sample(total_calls=100, by_platform={"revit": 3, "rhino": 1}))
    assert drawn.summary == "3 of 4 calls with a known platform (75%) came from Revit."


def test_keys_have_no_period_before():
    keys = api_usage(sample_comparison(), NOW).cards[1]
    assert (keys.key, keys.change) == ("api-active-keys", None)
