"""How often the API was called, by whom, and how fast it answered."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime

from analytics_core.dal.api_calls import ApiCallRepository, ApiTally
from analytics_core.dal.keys import ApiKeyRepository
from analytics_core.model.latency import quantile
from analytics_core.model.results import ApiStats, Latency
from analytics_core.model.scope import Scope
from analytics_core.model.vocabulary import ApiSource
from analytics_core.services.partition import by_day, closed_partition, open_partition, per_day
from analytics_core.services.window import Window

STATUS_CLASSES = ("2xx", "4xx", "5xx")


def api_stats(
    calls: ApiCallRepository, keys: ApiKeyRepository, scope: Scope, window: Window, now: datetime
) -> ApiStats:
    tallies: dict[str, list[ApiTally]] = {}
    for tally in calls.tallies(scope, window.dates):
        tallies.setdefault(tally.dimension, []).append(tally)

    def counts(dimension: str) -> list[tuple[str | None, int]]:
        return [(tally.member, tally.calls) for tally in tallies.get(dimension, ())]

    per_number = [
        *((int(day or 0), n) for day, n in counts(ApiSource.RECORDED) + counts(ApiSource.INFERRED)),
        *(
            ((date.fromisoformat(day or "") - window.dates.first).days + 1, n)
            for day, n in counts(ApiSource.DAILY)
        ),
    ]
    daily = by_day(window.days, per_number)
    total = sum(daily)
    histogram: Counter[int] = Counter()
    for bucket, n in counts("duration"):
        histogram[int(bucket or 0)] += n
    key_count = keys.count(scope, now)
    return ApiStats(
        total_calls=int(total),
        source=_source([source for source in _SOURCES if source in tallies]),
        by_platform=open_partition(counts("platform")),
        by_route=open_partition(counts("route")),
        by_status_class=closed_partition(
            ((f"{(code or '?')[0]}xx", n) for code, n in counts("status")), STATUS_CLASSES
        ),
        latency_ms=Latency(p50=quantile(histogram, 0.50), p95=quantile(histogram, 0.95)),
        average_per_day=per_day(total, window.days),
        keys=key_count.keys,
        active_keys=key_count.active,
        by_day=tuple(int(calls_) for calls_ in daily),
    )


_SOURCES = (ApiSource.RECORDED, ApiSource.DAILY, ApiSource.INFERRED)


def _source(found: list[ApiSource]) -> ApiSource | None:
    if len(found) > 1:
        return ApiSource.MIXED
    return found[0] if found else None
