"""The Renders tab: what was rendered, how it went and how long it took."""

from __future__ import annotations

from datetime import datetime

from analytics_core.charts import formats, sentences
from analytics_core.charts.cards import card
from analytics_core.charts.daily import Amount, means
from analytics_core.charts.partitions import label, parts, ranked
from analytics_core.charts.sentences import Noun
from analytics_core.charts.timeline import Timeline
from analytics_core.charts.values import Chart, Kind, Role, Series, TabContent, Tone, Unit
from analytics_core.model.results import Comparison, RenderStats
from analytics_core.model.vocabulary import UNSPECIFIED, RenderStatus, RenderType

NOUN = Noun("render", "renders")
_HOW = "Make a render, or choose a longer range."


def renders(comparison: Comparison, now: datetime) -> TabContent:
    timeline = Timeline.of(comparison, now)
    stats = comparison.current.renders
    before = comparison.previous.renders if comparison.previous else None
    cards = (
        card(
            "renders-processing-time",
            "Average processing time",
            Role.RENDERS,
            stats.average_processing_time,
            unit=Unit.SECONDS,
            context="per completed render",
            before=before.average_processing_time if before else None,
            rise=Tone.BAD,
            fall=Tone.GOOD,
        ),
        card(
            "renders-success-rate",
            "Success rate",
            Role.RENDERS,
            stats.success_rate,
            unit=Unit.PERCENT,
            context=_outcome(stats),
            before=before.success_rate if before else None,
            rise=Tone.GOOD,
            fall=Tone.BAD,
        ),
    )
    charts = (
        _by_type(stats),
        _by_status(stats),
        _by_quality(stats),
        by_platform("renders-by-platform", stats),
        _processing_time(stats, before, timeline),
        _success_rate(stats, before, timeline),
    )
    return TabContent("renders", "Renders", cards, charts)


def by_day(comparison: Comparison) -> Amount:
    """Renders by day, for the tabs that show them."""
    previous = comparison.previous
    return Amount(
        "renders",
        "Renders",
        Role.RENDERS,
        NOUN,
        comparison.current.renders.by_day,
        previous.renders.by_day if previous else None,
    )


def by_platform(key: str, stats: RenderStats) -> Chart:
    """Renders by where they were made."""
    return parts(
        key,
        Kind.BARS,
        "By platform",
        ranked(stats.by_platform),
        dimension="platform",
        role=Role.RENDERS,
        noun=NOUN,
        summary=sentences.leader(stats.by_platform, NOUN, "came from", label),
        empty=f"Where renders are made would appear here. {_HOW}",
    )


def _by_type(stats: RenderStats) -> Chart:
    names: dict[str, str] = {
        RenderType.IMAGE: "an image",
        RenderType.VIDEO: "a video",
        UNSPECIFIED: "something else",
    }
    return parts(
        "renders-by-type",
        Kind.PIE,
        "By type",
        ranked(stats.by_type),
        dimension="type",
        role=Role.RENDERS,
        noun=NOUN,
        summary=sentences.leader(
            stats.by_type, NOUN, "asked for", lambda key: names.get(key, label(key))
        ),
        empty=f"Images and videos would appear here. {_HOW}",
        labels={RenderType.IMAGE: "Images", RenderType.VIDEO: "Videos"},
    )


def _by_status(stats: RenderStats) -> Chart:
    return parts(
        "renders-by-status",
        Kind.BARS,
        "By status",
        stats.by_status,
        dimension="status",
        role=Role.RENDERS,
        noun=NOUN,
        summary=_outcome(stats),
        empty=f"How renders went would appear here. {_HOW}",
    )


def _outcome(stats: RenderStats) -> str:
    """`1,540 completed, 58 failed, 3 in progress`, leaving out what did not happen."""
    statuses = stats.by_status
    amounts = {
        "completed": statuses.get(RenderStatus.COMPLETED, 0),
        "failed": statuses.get(RenderStatus.FAILED, 0),
    }
    amounts["in progress"] = statuses.get(RenderStatus.PENDING, 0) + statuses.get(
        RenderStatus.PROCESSING, 0
    )
    amounts["of unknown status"] = statuses.get(UNSPECIFIED, 0)
    return sentences.tally(amounts) or "no renders in this range"


def _by_quality(stats: RenderStats) -> Chart:
    return parts(
        "renders-by-quality",
        Kind.BARS,
        "By quality",
        stats.by_quality,
        dimension="quality",
        role=Role.RENDERS,
        noun=NOUN,
        summary=sentences.leader(
            stats.by_quality,
            NOUN,
            "used",
            lambda key: "no named quality" if key == UNSPECIFIED else f"{key} quality",
        ),
        empty=f"The quality of renders would appear here. {_HOW}",
    )


def _processing_time(stats: RenderStats, before: RenderStats | None, timeline: Timeline) -> Chart:
    average = stats.average_processing_time
    average_before = before.average_processing_time if before else None
    if average is None:
        claim = "no render with a processing time completed in this range"
    elif average_before is None:
        claim = f"a completed render took {formats.text(average, Unit.SECONDS)} on average"
    else:
        claim = sentences.trend("average processing time", average, average_before, Unit.SECONDS)
    return means(
        "renders-processing-time-by-day",
        "Processing time by day",
        Series(
            "processing-time", "Processing time", Role.RENDERS, tuple(stats.processing_time_by_day)
        ),
        before.processing_time_by_day if before else None,
        timeline,
        unit=Unit.SECONDS,
        summary=sentences.sentence(claim),
        empty="How long completed renders took would appear here, a point for each day that has "
        f"some. {_HOW}",
    )


def _success_rate(stats: RenderStats, before: RenderStats | None, timeline: Timeline) -> Chart:
    rate, rate_before = stats.success_rate, before.success_rate if before else None
    if rate is None:
        claim = "no render finished in this range"
    elif rate_before is None:
        finished = stats.by_status.get(RenderStatus.COMPLETED, 0) + stats.by_status.get(
            RenderStatus.FAILED, 0
        )
        completed = stats.by_status.get(RenderStatus.COMPLETED, 0)
        noun = Noun("finished render", "finished renders")
        claim = (
            f"{sentences.share(completed, finished, noun)} completed"
            if completed
            else f"none of {noun.counted(finished)} completed"
        )
    else:
        claim = sentences.trend("success rate", rate, rate_before, Unit.PERCENT)
    return means(
        "renders-success-rate-by-day",
        "Success rate by day",
        Series("success-rate", "Success rate", Role.RENDERS, tuple(stats.success_rate_by_day)),
        before.success_rate_by_day if before else None,
        timeline,
        unit=Unit.PERCENT,
        summary=sentences.sentence(claim),
        empty="The share of finished renders that completed would appear here, a point for each "
        f"day that has some. {_HOW}",
    )
