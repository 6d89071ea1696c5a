"""A chart as a table of text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts import table, tabs
from analytics_core.charts.values import Chart, Kind, Member, Role, Series, Unit
from tests.support.samples import NOW, sample_comparison


def test_a_daily_chart_has_a_row_per_date_and_a_column_for_the_period_before():
    chart = Chart(
        "key",
        Kind.LINES,
        "Title",
        "Said.",
        "date",
        Unit.SECONDS,
        (Member("2026-10-01", "Oct 1", "Thu, Oct 1, 2026"), Member("2026-10-02", "Oct 2")),
        (Series("time", "Time", Role.RENDERS, (46.71, None)),),
        Series("before", "Time, period before", Role.BEFORE, (125, 3)),
    )
    assert table(chart) == (
        ("Date", "Time", "Time, period before"),
        (("Thu, Oct 1, 2026", "46.7 s", "2 min 5 s"), ("Oct 2", "–", "3 s")),
    )


def test_a_pie_tells_shares_too():
    chart = Chart(
        "key",
        Kind.PIE,
        "Title",
        "Said.",
        "type",
        Unit.COUNT,
        (Member("image", "Images"), Member("video", "Videos")),
        (Series("type", "Renders", Role.RENDERS, (3, 1)),),
    )
    assert table(chart) == (
        ("Type", "Renders", "Share"),
        (("Images", "3", "75%"), ("Videos", "1", "25%")),
    )


@given(st.sampled_from([1, 30, 400]), st.booleans(), st.sampled_from([0, 1]))
def test_every_row_is_as_long_as_the_header(days, compare, scale):
    for tab in tabs(sample_comparison(days, compare, scale), NOW):
        for chart in tab.charts:
            header, rows = table(chart)
            assert {len(row) for row in rows} <= {len(header)}
            assert len(rows) == len(chart.members)
