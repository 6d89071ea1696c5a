"""One fixed logarithmic histogram for durations, so that histograms of any rollup merge.

Buckets follow DDSketch (Masson, Rim, Lee, 2019): bucket i holds durations in
(gamma**(i-1), gamma**i] milliseconds, and its middle is off by at most `RELATIVE_ERROR`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

RELATIVE_ERROR = 0.02
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)
# A microsecond and a day: what is shorter or longer is counted at the edge.
_SHORTEST_MS, _LONGEST_MS = 0.001, 86_400_000.0


def bucket_of(milliseconds: float) -> int:
    """The bucket that a duration in milliseconds falls into."""
    clipped = min(max(milliseconds, _SHORTEST_MS), _LONGEST_MS)
    return math.ceil(math.log(clipped) / _LOG_GAMMA)


def middle_of(bucket: int) -> float:
    """The duration in milliseconds that stands for a bucket."""
    return float(2 * _GAMMA**bucket / (_GAMMA + 1))


def quantile(histogram: Mapping[int, int], q: float) -> float | None:
    """The duration in milliseconds below which the share `q` of calls lies; None without calls.

    `histogram` is bucket -> number of calls.
    """
    total = sum(histogram.values())
    if not total:
        return None
    rank, seen = q * (total - 1), 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen > rank:
            return middle_of(bucket)
    raise AssertionError("a rank lies within the total")
