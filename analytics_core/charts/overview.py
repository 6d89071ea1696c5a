"""The Overview tab: renders, credits and API calls side by side."""

from __future__ import annotations

from datetime import datetime

from analytics_core.charts import sentences
from analytics_core.charts.api_usage import calls_by_day
from analytics_core.charts.credits import spent_by_day
from analytics_core.charts.daily import Amount, amounts, within
from analytics_core.charts.renders import by_day, by_platform
from analytics_core.charts.timeline import Timeline
from analytics_core.charts.values import Chart, TabContent
from analytics_core.model.results import Comparison

_HOW = "Make a render or call the API, or choose a longer range."


def overview(comparison: Comparison, now: datetime) -> TabContent:
    """One panel for the three lines where they are of a size, else a panel for each."""
    timeline = Timeline.of(comparison, now)
    measures = (by_day(comparison), spent_by_day(comparison), calls_by_day(comparison))
    if within(measures, timeline):
        daily: tuple[Chart, ...] = (_together(measures, timeline),)
    else:
        daily = tuple(_alone(measure, timeline) for measure in measures)
    platforms = by_platform("overview-by-platform", comparison.current.renders)
    return TabContent("overview", "Overview", (), (*daily, platforms))


def _together(measures: tuple[Amount, ...], timeline: Timeline) -> Chart:
    main = measures[0]
    summary = None
    if main.before is None or not main.total:
        totals = sentences.joined([measure.noun.counted(measure.total) for measure in measures])
        habit = main.habit(timeline)
        habit = f"for renders, {habit}" if habit else ""
        summary = sentences.sentence(totals, habit, timeline.bins.caveat)
    return amounts(
        "daily-usage",
        f"{timeline.step.adjective} usage",
        measures,
        timeline,
        empty=f"Renders, credits spent and API calls would appear here. {_HOW}",
        summary=summary,
    )


def _alone(measure: Amount, timeline: Timeline) -> Chart:
    return amounts(
        f"daily-{measure.key}",
        f"{measure.label} by {timeline.step.noun}",
        (measure,),
        timeline,
        empty=f"{measure.label} would appear here. {_HOW}",
    )
