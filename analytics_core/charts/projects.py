"""The Projects tab: projects created, how they stand, and the renders that belong to them."""

from __future__ import annotations

from datetime import datetime

from analytics_core.charts import formats, sentences
from analytics_core.charts.cards import card
from analytics_core.charts.daily import Amount, amounts
from analytics_core.charts.partitions import label, parts, ranked
from analytics_core.charts.sentences import Noun
from analytics_core.charts.timeline import Timeline
from analytics_core.charts.values import Chart, Kind, Role, TabContent, Tone, Unit
from analytics_core.model.results import Comparison, ProjectStats
from analytics_core.model.vocabulary import UNSPECIFIED

NOUN = Noun("project", "projects")
_HOW = "Create a project, or choose a longer range."


def projects(comparison: Comparison, now: datetime) -> TabContent:
    timeline = Timeline.of(comparison, now)
    stats = comparison.current.projects
    before = comparison.previous.projects if comparison.previous else None
    cards = (
        card(
            "projects-created",
            "Projects created",
            Role.PROJECTS,
            stats.total,
            unit=Unit.COUNT,
            context="in this range",
            before=before.total if before else None,
            rise=Tone.GOOD,
        ),
        card(
            "projects-renders",
            "Renders in them",
            Role.PROJECTS,
            stats.total_renders,
            unit=Unit.COUNT,
            context="made in this range",
            before=before.total_renders if before else None,
            rise=Tone.GOOD,
        ),
        card(
            "projects-average",
            "Average per project",
            Role.PROJECTS,
            stats.average_renders_per_project,
            unit=Unit.COUNT,
            context="renders",
            before=before.average_renders_per_project if before else None,
        ),
    )
    charts = (_by_day(comparison, timeline), _by_status(stats), _by_platform(stats))
    return TabContent("projects", "Projects", cards, charts)


def renders_each(stats: ProjectStats) -> str:
    """`69.5 renders each`, `1 render each`, `none in this range`."""
    average = stats.average_renders_per_project
    if average is None:
        return "none in this range"
    return f"{formats.count(average)} {'render' if average == 1 else 'renders'} each"


def _by_day(comparison: Comparison, timeline: Timeline) -> Chart:
    previous = comparison.previous
    created = Amount(
        "created",
        "Projects created",
        Role.PROJECTS,
        NOUN,
        comparison.current.projects.by_day,
        previous.projects.by_day if previous else None,
    )
    return amounts(
        "projects-by-day",
        f"Created by {timeline.step.noun}",
        (created,),
        timeline,
        empty=f"New projects would appear here. {_HOW}",
    )


def _by_status(stats: ProjectStats) -> Chart:
    words = {"processing": "still processing", UNSPECIFIED: "of unknown status"}
    told = {words.get(key, key): amount for key, amount in stats.by_status.items()}
    return parts(
        "projects-by-status",
        Kind.BARS,
        "By status",
        stats.by_status,
        dimension="status",
        role=Role.PROJECTS,
        noun=NOUN,
        summary=sentences.tally(told),
        empty=f"How projects stand would appear here. {_HOW}",
    )


def _by_platform(stats: ProjectStats) -> Chart:
    return parts(
        "projects-by-platform",
        Kind.BARS,
        "By platform",
        ranked(stats.by_platform),
        dimension="platform",
        role=Role.PROJECTS,
        noun=NOUN,
        summary=sentences.leader(stats.by_platform, NOUN, "came from", label),
        empty=f"Where projects are created would appear here. {_HOW}",
    )
