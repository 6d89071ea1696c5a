"""A whole page: whose usage and which dates, the six cards and the six tabs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from analytics_core.charts import formats
from analytics_core.charts.summary import summary
from analytics_core.charts.values import Card, Chart, TabContent
from analytics_core.model.results import Comparison


@dataclass(frozen=True, slots=True)
class Heading:
    """What a page begins with: `Oct 1 – Oct 31, 2026`, in which zone, against which dates."""

    who: str
    dates: str
    zone: str
    against: str | None
    as_of: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that is shown of one range, in reading order."""

    heading: Heading
    cards: tuple[Card, ...]
    tabs: tuple[TabContent, ...]

    def tab(self, key: str) -> TabContent:
        """One tab by its key or its label; raises `KeyError`."""
        for tab in self.tabs:
            if key in (tab.key, tab.label):
                return tab
        raise KeyError(f"{key!r} is not one of {', '.join(tab.key for tab in self.tabs)}")

    def chart(self, key: str) -> Chart:
        """One chart of any tab by its key; raises `KeyError`."""
        charts = {chart.key: chart for tab in self.tabs for chart in tab.charts}
        if key not in charts:
            raise KeyError(f"{key!r} is not one of {', '.join(charts)}")
        return charts[key]


def page(who: str, comparison: Comparison, now: datetime) -> Page:
    """The page of one answer; `now` is an aware instant."""
    from analytics_core.charts import tabs

    current, previous = comparison.current, comparison.previous
    local = now.astimezone(ZoneInfo(current.zone))
    heading = Heading(
        who,
        formats.date_range(current.range) if current.range else "No usage recorded yet",
        current.zone,
        formats.date_range(previous.range) if previous and previous.range else None,
        f"{formats.day(local.date(), year=True)}, {local:%H:%M}",
    )
    return Page(heading, summary(comparison, now), tabs(comparison, now))
