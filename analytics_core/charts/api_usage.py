"""The API usage tab: calls, keys, plugins, routes and how calls were answered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from analytics_core.charts import sentences
from analytics_core.charts.cards import card
from analytics_core.charts.daily import Amount, amounts
from analytics_core.charts.partitions import OTHER, label, parts, top
from analytics_core.charts.sentences import Noun
from analytics_core.charts.timeline import Timeline
from analytics_core.charts.values import Card, Chart, Kind, Role, TabContent, Tone, Unit
from analytics_core.model.results import ApiStats, Comparison, Latency
from analytics_core.model.vocabulary import ApiSource

NOUN = Noun("API call", "API calls")
_KEYS = Noun("key", "keys")
_RECORDED = Noun("recorded call", "recorded calls")
_WITH_PLATFORM = Noun("call with a known platform", "calls with a known platform")
_HOW = "Use a plugin or call the API, or choose a longer range."
_ONLY_RECORDED = "Only recorded calls tell; others are just counted."
_STATUS_CLASSES = {
    "1xx": "1xx interim",
    "2xx": "2xx success",
    "3xx": "3xx redirect",
    "4xx": "4xx client error",
    "5xx": "5xx server error",
}
_SOURCES = {
    ApiSource.RECORDED: "",
    ApiSource.DAILY: "from stored daily counts",
    ApiSource.INFERRED: "inferred from plugin renders",
    ApiSource.MIXED: "partly inferred from daily counts or plugin renders",
}


def api_usage(comparison: Comparison, now: datetime) -> TabContent:
    timeline = Timeline.of(comparison, now)
    stats = comparison.current.api
    before = comparison.previous.api if comparison.previous else None
    charts = (
        _by_day(comparison, timeline),
        _by_platform(stats),
        _by_route(stats),
        _by_answer(stats),
    )
    return TabContent("api", "API usage", _cards(stats, before), charts)


def calls_by_day(comparison: Comparison) -> Amount:
    """API calls by day, for the tabs that show them."""
    previous = comparison.previous
    return Amount(
        "api",
        "API calls",
        Role.API,
        NOUN,
        comparison.current.api.by_day,
        previous.api.by_day if previous else None,
    )


def active_keys(stats: ApiStats) -> str:
    """`3 active keys`, `1 active key`, `no active keys`."""
    return Noun("active key", "active keys").counted(stats.active_keys)


def _cards(stats: ApiStats, before: ApiStats | None) -> tuple[Card, ...]:
    role = Role.API
    latency, latency_before = stats.latency_ms, before.latency_ms if before else Latency(None, None)
    return (
        card(
            "api-calls",
            "API calls",
            role,
            stats.total_calls,
            unit=Unit.COUNT,
            context=_source(stats)
            or ("all recorded" if stats.total_calls else "none in this range"),
            before=before.total_calls if before else None,
            rise=Tone.GOOD,
        ),
        # Keys are counted as they are now: the period before has no number of its own.
        card(
            "api-active-keys",
            "Active keys",
            role,
            stats.active_keys,
            unit=Unit.COUNT,
            context=f"of {_KEYS.counted(stats.keys)}" if stats.keys else "no keys yet",
        ),
        card(
            "api-average",
            "Average per day",
            role,
            stats.average_per_day,
            unit=Unit.COUNT,
            context="API calls",
            before=before.average_per_day if before else None,
        ),
        *_duration("p50", "Typical duration", "half", latency.p50, latency_before.p50),
        *_duration("p95", "Slow calls", "95%", latency.p95, latency_before.p95),
    )


def _source(stats: ApiStats) -> str:
    """Where the count comes from, unless from recorded calls or from nothing at all."""
    return _SOURCES[stats.source] if stats.source and stats.total_calls else ""


def _duration(
    key: str, title: str, part: str, value: float | None, before: float | None
) -> tuple[Card, ...]:
    """A card for a quantile; none where no call was recorded, as nothing there has a duration."""
    if value is None:
        return ()
    context = f"{part} of recorded calls were faster"
    return (
        card(
            f"api-{key}",
            title,
            Role.API,
            value,
            unit=Unit.MILLISECONDS,
            context=context,
            before=before,
            rise=Tone.BAD,
            fall=Tone.GOOD,
        ),
    )


def _by_day(comparison: Comparison, timeline: Timeline) -> Chart:
    calls = calls_by_day(comparison)
    return amounts(
        "api-by-day",
        f"API calls by {timeline.step.noun}",
        (calls,),
        timeline,
        empty=f"API calls would appear here. {_HOW}",
        summary=calls.summary(timeline, _source(comparison.current.api)),
    )


def _by_platform(stats: ApiStats) -> Chart:
    platforms = stats.by_platform
    noun = NOUN if sum(platforms.values()) == stats.total_calls else _WITH_PLATFORM
    return parts(
        "api-by-platform",
        Kind.BARS,
        "By platform",
        top(platforms),
        dimension="platform",
        role=Role.API,
        noun=noun,
        summary=sentences.leader(platforms, noun, "came from", label),
        empty="The programs that call, such as SketchUp or Revit, would appear here. " + _HOW,
        labels=_other(platforms, "platform"),
    )


def _by_route(stats: ApiStats) -> Chart:
    return parts(
        "api-by-route",
        Kind.BARS,
        "By route",
        top(stats.by_route),
        dimension="route",
        role=Role.API,
        noun=_RECORDED,
        summary=sentences.leader(stats.by_route, _RECORDED, "went to", str),
        empty=f"The routes that are called would appear here. {_ONLY_RECORDED}",
        labels={**{route: route for route in stats.by_route}, **_other(stats.by_route, "route")},
    )


def _by_answer(stats: ApiStats) -> Chart:
    return parts(
        "api-by-status-class",
        Kind.BARS,
        "By answer",
        dict(sorted(stats.by_status_class.items())),
        dimension="answer",
        role=Role.API,
        noun=_RECORDED,
        summary=sentences.leader(
            stats.by_status_class, _RECORDED, "ended with", lambda key: f"a {key} status"
        ),
        empty=f"How calls were answered would appear here. {_ONLY_RECORDED}",
        labels=_STATUS_CLASSES,
    )


def _other(partition: Mapping[str, int], what: str) -> dict[str, str]:
    return {OTHER: f"{len(partition) - len(top(partition)) + 1:,} other {what}s"}
