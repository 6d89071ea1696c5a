"""Stretches of time as cells: nothing twice, nothing left out, and few of them in every zone."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.dal.rollup.covering import Piece, covering
from analytics_core.dal.rollup.sets import DAY, HOUR, QUARTER, WIDTHS, stretches
from analytics_core.model.daterange import DateRange

MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
A_QUARTER = timedelta(seconds=QUARTER)
quarters = st.integers(0, 5 * 96).map(lambda n: MIDNIGHT + n * A_QUARTER)
days = st.sets(st.integers(0, 5)).map(
    lambda found: stretches([MIDNIGHT.date() + timedelta(days=n) for n in found])
)


def counted(pieces: list[Piece]) -> dict[datetime, int]:
    """How often each quarter of an hour counts."""
    counts: Counter[datetime] = Counter()
    for piece in pieces:
        at = piece.start
        while at < piece.until:
            counts[at] += piece.sign
            at += A_QUARTER
    return {at: n for at, n in counts.items() if n}


def cells(pieces: list[Piece]) -> int:
    return sum((p.until - p.start) // timedelta(seconds=p.width) for p in pieces)


@given(quarters, quarters, days, st.sampled_from([*set(WIDTHS.values())]))
def test_every_quarter_of_a_stretch_counts_once_but_for_gaps(
    start: datetime,
    until: datetime,
    gaps: list[tuple[datetime, datetime]],
    widths: tuple[int, ...],
) -> None:
    wanted = {}
    at = start
    while at < until:
        if not any(first <= at < last for first, last in gaps):
            wanted[at] = 1
        at += A_QUARTER
    pieces = list(covering(start, until, gaps, widths))
    assert counted(pieces) == wanted
    for piece in pieces:
        assert piece.width in widths
        for one in (piece.start, piece.until):
            assert not (one - datetime.combine(one.date(), time(), UTC)).seconds % piece.width


@given(quarters, quarters, days)
def test_what_is_taken_away_is_of_a_day_without_gaps(
    start: datetime, until: datetime, gaps: list[tuple[datetime, datetime]]
) -> None:
    pieces = covering(start, until, gaps, WIDTHS["render_status"])
    for piece in pieces:
        assert not any(piece.start < last and first < piece.until for first, last in gaps)


@pytest.mark.parametrize(
    ("zone", "most"),
    [
        *[("UTC", 1), ("Europe/Madrid", 3), ("America/New_York", 5), ("America/Los_Angeles", 7)],
        *[("Asia/Tokyo", 9), ("Asia/Kolkata", 7), ("Asia/Kathmandu", 9), ("Pacific/Auckland", 7)],
    ],
)
def test_a_day_is_few_cells_in_every_zone(zone: str, most: int) -> None:
    january = DateRange(date(2026, 1, 1), date(2026, 1, 31), ZoneInfo(zone))
    for start, end in pairwise([*january.day_starts, january.end]):
        assert cells(list(covering(start, end, [], WIDTHS["render_status"]))) <= most


def test_a_day_of_madrid_is_a_utc_day_and_an_hour_more_and_one_less() -> None:
    start = MIDNIGHT - timedelta(hours=1)
    pieces = list(covering(start, start + timedelta(days=1), [], WIDTHS["render_status"]))
    last_hour = MIDNIGHT + timedelta(hours=23)
    assert pieces == [
        Piece(HOUR, start, MIDNIGHT, 1),
        Piece(DAY, MIDNIGHT, MIDNIGHT + timedelta(days=1), 1),
        Piece(HOUR, last_hour, last_hour + timedelta(hours=1), -1),
    ]
