"""The Projects tab."""

from __future__ import annotations

from dataclasses import replace

from analytics_core.charts.projects import projects, renders_each
from analytics_core.model.results import Comparison
from tests.support.samples import NOW, sample_comparison


def test_the_cards_tell_projects_their_renders_and_the_average():
    stats = sample_comparison().current.projects
    cards = projects(sample_comparison(), NOW).cards
    assert [card.exact for card in cards] == [
        stats.total,
        stats.total_renders,
        stats.average_renders_per_project,
    ]


def test_statuses_are_counted_in_their_order():
    comparison = sample_comparison(compare=False)
    by_status = {"processing": 1, "completed": 6, "failed": 0}
    stats = replace(comparison.current.projects, by_status=by_status)
    chart = projects(Comparison(replace(comparison.current, projects=stats)), NOW).charts[1]
    assert [member.key for member in chart.members] == list(by_status)
    assert chart.summary == "1 still processing, 6 completed."


def test_the_average_agrees_with_its_number():
    stats = sample_comparison().current.projects
    told = [
        renders_each(replace(stats, average_renders_per_project=average))
        for average in (69.48, 1.0, 0.0, None)
    ]
    assert told == ["69.5 renders each", "1 render each", "0 renders each", "none in this range"]
