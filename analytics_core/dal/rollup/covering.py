"""Which cells a stretch of time is made of: few wide ones, and narrow ones at its ends.

A stretch that nearly fills a bucket is that bucket without the rest of it, so that a day of Madrid
is a UTC day, an hour before it, and less its last hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from analytics_core.dal.rollup.sets import DAY

_ONE_DAY = timedelta(days=1)
Stretch: TypeAlias = tuple[datetime, datetime]


class Piece(NamedTuple):
    """The cells of one width within a stretch; `sign` is -1 where they are taken away."""

    width: int
    start: datetime
    until: datetime
    sign: int


def covering(
    start: datetime, until: datetime, gaps: Sequence[Stretch], widths: tuple[int, ...]
) -> Iterator[Piece]:
    """What a stretch is made of, but for gaps, which are whole UTC days.

    `widths` go from narrow to wide, and to a day; the stretch begins and ends where the narrowest
    buckets do.
    """
    for first, last in _outside(gaps, start, until):
        midnight, end = _midnight(first), _midnight(last)
        if midnight == end:
            yield from _within_a_day(midnight, first, last, widths)
            continue
        if midnight < first:
            yield from _within_a_day(midnight, first, midnight + _ONE_DAY, widths)
            midnight += _ONE_DAY
        if midnight < end:
            yield Piece(DAY, midnight, end, 1)
        if end < last:
            yield from _within_a_day(end, end, last, widths)


def _outside(gaps: Iterable[Stretch], start: datetime, until: datetime) -> Iterator[Stretch]:
    """What is left of a stretch without gaps, which are in order."""
    for gap_start, gap_end in gaps:
        if start < min(gap_start, until):
            yield start, min(gap_start, until)
        start = max(start, gap_end)
    if start < until:
        yield start, until


def _midnight(instant: datetime) -> datetime:
    return datetime(instant.year, instant.month, instant.day, tzinfo=UTC)


def _within_a_day(
    midnight: datetime, first: datetime, last: datetime, widths: tuple[int, ...]
) -> Iterator[Piece]:
    start, until = ((one - midnight) // timedelta(seconds=1) for one in (first, last))
    for width, one, other, sign in _cover(start, until, widths):
        yield Piece(
            width, midnight + timedelta(seconds=one), midnight + timedelta(seconds=other), sign
        )


@lru_cache(maxsize=4096)
def _cover(
    start: int, until: int, widths: tuple[int, ...], sign: int = 1
) -> tuple[tuple[int, int, int, int], ...]:
    """Widths, starts, ends and signs, in seconds of the day, of the fewest cells."""
    if start == until:
        return ()
    *narrower, width = widths
    first, last = -(-start // width) * width, until // width * width
    ends = [(start, first), (last, until)] if first <= last else [(start, until)]
    pieces = [(width, first, last, sign)] if first < last else []
    for one, other in ends:
        if one < other:
            bucket = one // width * width
            around = (
                (width, bucket, bucket + width, sign),
                *_cover(bucket, one, tuple(narrower), -sign),
                *_cover(other, bucket + width, tuple(narrower), -sign),
            )
            pieces += min(_cover(one, other, tuple(narrower), sign), around, key=_cells)
    return tuple(pieces)


def _cells(pieces: Iterable[tuple[int, int, int, int]]) -> int:
    return sum((until - start) // width for width, start, until, _ in pieces)
