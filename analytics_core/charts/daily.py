"""Charts that run over time: amounts that add up, levels that stand, and means that do neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analytics_core.charts import sentences
from analytics_core.charts.formats import count, text
from analytics_core.charts.sentences import Noun
from analytics_core.charts.timeline import Bins, Timeline, laid_over
from analytics_core.charts.values import Chart, Kind, Number, Role, Series, Unit


@dataclass(frozen=True, slots=True)
class Amount:
    """What is counted each day and adds up; `before` holds the days of the period before.

    `noun` follows the total in sentences: `1,598 renders`, `4.2 GB of uploads`.
    """

    key: str
    label: str
    role: Role
    noun: Noun
    daily: Sequence[Number]
    before: Sequence[Number] | None = None
    unit: Unit = Unit.COUNT

    @property
    def total(self) -> Number:
        return sum(self.daily)

    def series(self, bins: Bins) -> Series:
        return Series(self.key, self.label, self.role, bins.sums(self.daily))

    def summary(self, timeline: Timeline, *clauses: str) -> str:
        """The total, its change or daily mean, when it was busiest, and further clauses."""
        if self.before is not None:
            claim = sentences.trend(self.label, self.total, sum(self.before), self.unit)
        elif len(self.daily) > 1:
            claim = f"{self._total_text}, {text(self.total / len(self.daily), self.unit)} a day"
        else:
            claim = self._total_text
        return sentences.sentence(claim, self.habit(timeline), *clauses, timeline.bins.caveat)

    def habit(self, timeline: Timeline) -> str:
        days = timeline.complete_days
        return sentences.busiest(days, self.daily[: len(days)], self.unit)

    @property
    def _total_text(self) -> str:
        if self.unit is Unit.BYTES:
            return f"{text(self.total, self.unit)} of {self.noun.many}"
        return self.noun.counted(self.total)


def amounts(
    key: str,
    title: str,
    measures: Sequence[Amount],
    timeline: Timeline,
    *,
    empty: str,
    summary: str | None = None,
) -> Chart:
    """A line per measure; the first is the main one, whose period before is laid beneath."""
    main = measures[0]
    series = tuple(measure.series(timeline.bins) for measure in measures)
    comparison = None
    if main.before is not None and timeline.bins_before is not None:
        before = timeline.bins_before.sums(main.before)
        comparison = before_series(main.label, before, len(timeline.bins.members))
    anything = any(any(line.values) for line in series)
    anything = anything or (comparison is not None and any(comparison.values))
    return Chart(
        key,
        Kind.LINES,
        title,
        (summary or main.summary(timeline)) if anything else nothing(measures),
        str(timeline.step),
        main.unit,
        timeline.bins.members,
        series,
        comparison,
        None if anything else empty,
    )


def nothing(measures: Sequence[Amount]) -> str:
    """The sentence for a chart with nothing to draw: `No renders in this range.`"""
    nouns = [measure.noun.many for measure in measures]
    return sentences.sentence(f"no {sentences.joined(nouns, 'or')} in this range")


def before_series(label: str, values: Sequence[Number | None], positions: int) -> Series:
    """The series of the period before, in its own grey role."""
    return Series("before", f"{label}, period before", Role.BEFORE, laid_over(values, positions))


def level(
    key: str,
    title: str,
    line: Series,
    before: Sequence[Number] | None,
    timeline: Timeline,
    *,
    unit: Unit,
    summary: str,
    empty: str,
) -> Chart:
    """A line of what stood at the end of each step; `line` and `before` are given by day."""
    values = timeline.bins.ends([value or 0 for value in line.values])
    comparison = None
    if before is not None and timeline.bins_before is not None:
        ends = timeline.bins_before.ends(before)
        comparison = before_series(line.label, ends, len(timeline.bins.members))
    anything = any(values) or (comparison is not None and any(comparison.values))
    return Chart(
        key,
        Kind.LINES,
        title,
        summary,
        str(timeline.step),
        unit,
        timeline.bins.members,
        (Series(line.key, line.label, line.role, values),),
        comparison,
        None if anything else empty,
    )


def means(
    key: str,
    title: str,
    line: Series,
    before: Sequence[Number | None] | None,
    timeline: Timeline,
    *,
    unit: Unit,
    summary: str,
    empty: str,
) -> Chart:
    """A line of daily means or rates, by day however long the range is.

    The mean of a week is not the mean of its days' means, and what would weigh them is not here.
    """
    members = timeline.daily.members
    comparison = None if before is None else before_series(line.label, before, len(members))
    drawn = [*line.values, *(comparison.values if comparison else ())]
    anything = any(value is not None for value in drawn)
    return Chart(
        key,
        Kind.LINES,
        title,
        summary,
        "date",
        unit,
        members,
        (line,),
        comparison,
        None if anything else empty,
    )


def within(measures: Sequence[Amount], timeline: Timeline, times: int = 10) -> bool:
    """Whether these lines can share a panel: none stands more than `times` above another.

    A line that is zero throughout is at home anywhere.
    """
    peaks = [max(timeline.bins.sums(measure.daily), default=0) for measure in measures]
    seen = [peak for peak in peaks if peak]
    return not seen or max(seen) <= times * min(seen)


def a_day(average: Number | None) -> str:
    """`98.1 a day`, or nothing where there is no average."""
    return "" if average is None else f"{count(average)} a day"
