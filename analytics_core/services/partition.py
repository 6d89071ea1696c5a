"""Folding the values of a database into partitions that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

from analytics_core.model.results import Number, Partition
from analytics_core.model.vocabulary import UNSPECIFIED

Amount = TypeVar("Amount", int, Number)


def closed_partition(
    counts: Iterable[tuple[str | None, Amount]],
    vocabulary: type[StrEnum] | Sequence[str],
    otherwise: str = UNSPECIFIED,
) -> dict[str, Amount]:
    """Every name of a vocabulary with its count, zeros too; all else under `otherwise`."""
    names = [str(name) for name in vocabulary]
    folded: dict[str, Amount] = dict.fromkeys(names, 0)
    for member, count in counts:
        name = member if member in folded else otherwise
        folded[name] = folded.get(name, 0) + count
    return {name: count for name, count in folded.items() if name in names or count}


def open_partition(counts: Iterable[tuple[str | None, int]]) -> Partition:
    """The members that occur, most first; what has no name is `unspecified`."""
    folded: Counter[str] = Counter()
    for member, count in counts:
        folded[member or UNSPECIFIED] += count
    return {name: count for name, count in folded.most_common() if count}


def by_day(days: int, amounts: Iterable[tuple[int, Number]]) -> tuple[Number, ...]:
    """One sum per day of a range, from amounts by number of the day; days outside are left out."""
    sums: list[Number] = [0] * days
    for day, amount in amounts:
        if 1 <= day <= days:
            sums[day - 1] += amount
    return tuple(sums)


def per_day(total: Number, days: int) -> float | None:
    """The mean per calendar date; None where the range has none."""
    return total / days if days else None
