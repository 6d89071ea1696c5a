"""One histogram for all durations, and what its quantiles are worth."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.model.latency import RELATIVE_ERROR, bucket_of, middle_of, quantile

durations = st.floats(0.001, 86_400_000.0)
shares = st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]) | st.floats(0, 1)


def histogram(milliseconds: list[float]) -> Counter[int]:
    return Counter(bucket_of(one) for one in milliseconds)


def lower_quantile(milliseconds: list[float], q: float) -> float:
    return sorted(milliseconds)[math.floor(q * (len(milliseconds) - 1))]


@given(durations)
def test_a_bucket_stands_for_its_durations_within_two_percent(milliseconds: float) -> None:
    assert middle_of(bucket_of(milliseconds)) == pytest.approx(
        milliseconds, rel=RELATIVE_ERROR + 1e-9
    )


def test_the_error_that_is_promised_is_two_percent() -> None:
    assert RELATIVE_ERROR == 0.02


@given(st.lists(durations, min_size=1), shares)
def test_a_quantile_is_within_two_percent_of_the_true_one(
    milliseconds: list[float], q: float
) -> None:
    found = quantile(histogram(milliseconds), q)
    assert found == pytest.approx(lower_quantile(milliseconds, q), rel=RELATIVE_ERROR + 1e-9)


@given(st.lists(durations), st.lists(durations, min_size=1), shares)
def test_histograms_merge_by_adding_them_up(
    some: list[float], others: list[float], q: float
) -> None:
    assert quantile(histogram(some) + histogram(others), q) == quantile(histogram(some + others), q)


@given(durations, durations)
def test_a_longer_duration_is_never_in_a_lower_bucket(one: float, other: float) -> None:
    assert bucket_of(min(one, other)) <= bucket_of(max(one, other))


@pytest.mark.parametrize(("milliseconds", "as_if"), [(0, 0.001), (-5, 0.001), (1e12, 86_400_000.0)])
def test_durations_beyond_reason_count_at_the_edge(milliseconds: float, as_if: float) -> None:
    assert bucket_of(milliseconds) == bucket_of(as_if)


def test_without_calls_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({3: 0}, 0.5) is None


def test_buckets_stay_where_they_are_because_stored_rows_hold_them() -> None:
    assert [bucket_of(ms) for ms in (1, 10, 182.4, 1240, 60_000)] == [0, 58, 131, 179, 276]
