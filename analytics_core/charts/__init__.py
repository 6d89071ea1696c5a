"""What to draw: statistics of a range become cards and charts, as plain values."""

from __future__ import annotations

from datetime import datetime

from analytics_core.charts.api_usage import api_usage
from analytics_core.charts.credits import credits
from analytics_core.charts.overview import overview
from analytics_core.charts.projects import projects
from analytics_core.charts.renders import renders
from analytics_core.charts.storage import storage
from analytics_core.charts.summary import summary
from analytics_core.charts.table import table
from analytics_core.charts.values import TabContent
from analytics_core.model.results import Comparison

__all__ = ["summary", "table", "tabs"]


def tabs(comparison: Comparison, now: datetime) -> tuple[TabContent, ...]:
    """The six tabs in reading order; `now` is an aware instant."""
    builders = (overview, renders, credits, api_usage, storage, projects)
    return tuple(build(comparison, now) for build in builders)
