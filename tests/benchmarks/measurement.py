"""Timing two ways to one answer, in turns, so that a busy machine is unfair to neither."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

RUNS = 15
_WARM_UP = 3


@dataclass(frozen=True)
class Measurement:
    """A median beside the median of its baseline; `ratio` is how many times better it is."""

    name: str
    value: float
    unit: str
    baseline: float
    baseline_name: str
    ratio: float
    runs: int


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
    return Measurement(
        name=name,
        value=round(value, 2),
        unit="ms",
        baseline=round(other, 2),
        baseline_name=baseline_name,
        ratio=round(other / value, 2),
        runs=RUNS,
    )
