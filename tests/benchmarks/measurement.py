"""Timing two ways to one answer, in turns, so that a busy machine is unfair to neither."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

RUNS = 15
_WARM_UP = 3


@dataclass(frozen=True)
class Measurement:
    """A median beside the median of its baseline; `ratio` is how many times better it is.

    `target` is the most the value is meant to be, `target_ratio` the least of the ratio.
    """

    name: str
    value: float
    unit: str
    baseline: float
    baseline_name: str
    ratio: float
    runs: int
    target: float | None = None
    target_ratio: float | None = None

    @property
    def told_target(self) -> str:
        """`≤ 400 ms, ≥ 10 times`; empty where none was set."""
        parts = []
        if self.target is not None:
            parts.append(f"≤ {self.target:,g} {self.unit}")
        if self.target_ratio is not None:
            parts.append(f"≥ {self.target_ratio:g} times")
        return ", ".join(parts)


def percentile(values: Sequence[float], share: int) -> float:
    """The value that so many of a hundred do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)]


def beside(
    name: str,
    value: float,
    unit: str,
    baseline_name: str,
    baseline: float,
    runs: int,
    *,
    target: float | None = None,
    target_ratio: float | None = None,
) -> Measurement:
    """A value of which less is better; beside nothing at all, as many times better as the other."""
    return Measurement(
        name=name,
        value=round(value, 2),
        unit=unit,
        baseline=round(baseline, 2),
        baseline_name=baseline_name,
        ratio=round(baseline / value if value else max(baseline, 1.0), 2),
        runs=runs,
        target=target,
        target_ratio=target_ratio,
    )


def milliseconds(question: Callable[[], Any]) -> float:
    gc.collect()
    start = time.perf_counter()
    question()
    return (time.perf_counter() - start) * 1000


def compared(
    name: str, ours: Callable[[], Any], baseline_name: str, baseline: Callable[[], Any]
) -> Measurement:
    """The median times of both, in milliseconds, after a warm-up."""
    for _ in range(_WARM_UP):
        ours()
        baseline()
    turns = [(milliseconds(ours), milliseconds(baseline)) for _ in range(RUNS)]
    value, other = (median(times) for times in zip(*turns, strict=True))
    return beside(name, value, "ms", baseline_name, other, RUNS)
