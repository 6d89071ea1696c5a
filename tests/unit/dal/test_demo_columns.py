"""Ids and instants of many rows at once are what single ones would be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.dal.demo.columns import instants, keyed_ids, time_ordered_ids, words

moments = st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), max_size=20)  # noqa: DTZ001
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001


def microseconds(times: list[datetime]) -> np.ndarray:
    return np.array([(t - EPOCH) // timedelta(microseconds=1) for t in times], dtype=np.int64)


@given(moments)
def test_time_ordered_ids_are_version_7_and_carry_their_time(times: list[datetime]) -> None:
    ids = time_ordered_ids(microseconds(times), np.random.default_rng(1)).to_pylist()
    for text, time in zip(ids, times, strict=True):
        assert str(UUID(text)) == text
        assert UUID(text).version == 7
        assert UUID(text).int >> 80 == (time - EPOCH) // timedelta(milliseconds=1)
    assert len(set(ids)) == len(ids)


@given(
    st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)), max_size=30, unique=True),
    st.integers(0, 2**40),
)
def test_keyed_ids_are_valid_different_and_stable(keys: list[tuple[int, int]], seed: int) -> None:
    owners, numbers = np.array(keys, dtype=np.int64).reshape(-1, 2).T
    ids = keyed_ids(seed, "projects", owners, numbers).to_pylist()
    assert all(UUID(text).version == 8 for text in ids)
    assert len(set(ids)) == len(keys)
    assert keyed_ids(seed, "projects", owners[::-1], numbers[::-1]).to_pylist() == ids[::-1]


def test_other_seeds_and_nouns_have_other_ids() -> None:
    one = np.ones(1, dtype=np.int64)
    ids = {keyed_ids(s, n, one, one)[0].as_py() for s in (1, 2) for n in ("users", "projects")}
    assert len(ids) == 4


@given(moments)
def test_instants_are_utc(times: list[datetime]) -> None:
    assert instants(microseconds(times)).to_pylist() == [t.replace(tzinfo=UTC) for t in times]


def test_words_are_looked_up_by_position() -> None:
    assert words(("a", None, "c"), np.array([2, 1, 0, 2])).to_pylist() == ["c", None, "a", "c"]
