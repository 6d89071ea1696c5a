"""At any width and for any values, no label is cut and none lies over another."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts.timeline import Bins, Step
from analytics_core.charts.values import Chart, Kind, Member, Number, Role, Series, Unit
from analytics_core.drawing import layout, text
from analytics_core.drawing.layout import LABEL_SIZE, ROW, SWATCH, TICK_SIZE
from tests.support.samples import sample_range

WIDTHS = st.integers(300, 1600)
AMOUNTS = st.one_of(
    st.integers(0, 10**18), st.floats(0, 1e9, allow_nan=False), st.floats(1e-9, 1e-3)
)
UNITS = st.sampled_from(Unit)


def lines(values: list[Number | None], unit: Unit = Unit.COUNT, step: Step = Step.DAY) -> Chart:
    first = date(2026, 10, 31) - timedelta(days=len(values) - 1)
    members = tuple(Member((first + timedelta(days=n)).isoformat(), "") for n in range(len(values)))
    series = (Series("a", "A", Role.RENDERS, tuple(values)),)
    return Chart("key", Kind.LINES, "Title", "Said.", str(step), unit, members, series)


def parts(kind: Kind, values: dict[str, Number], unit: Unit = Unit.COUNT) -> Chart:
    members = tuple(Member(key, key) for key in values)
    series = (Series("a", "A", Role.RENDERS, tuple(values.values())),)
    return Chart("key", kind, "Title", "Said.", "route", unit, members, series)


def wide(label: str, *, bold: bool = False) -> float:
    return text.width(label, LABEL_SIZE, bold=bold)


@given(
    st.one_of(
        st.lists(st.one_of(st.none(), AMOUNTS), min_size=1, max_size=60),
        st.builds(lambda value, days: [value] * days, AMOUNTS, st.integers(1, 1000)),
    ),
    UNITS,
    WIDTHS,
)
def test_no_label_of_a_line_chart_is_cut_or_overlaps(values, unit, width):
    made = layout(lines(values, unit), width)
    for tick in made.y_ticks:
        assert text.width(tick.label, TICK_SIZE) + 10 <= made.margins.left
    spans = [
        (made.x(tick.at) - half, made.x(tick.at) + half)
        for tick in made.x_ticks
        for half in [text.width(tick.label, TICK_SIZE) / 2]
    ]
    assert all(start >= 0 and end <= width for start, end in spans)
    assert all(left[1] < right[0] for left, right in pairwise(spans))
    heights = [made.y(tick.at) for tick in made.y_ticks]
    assert all(above - below > TICK_SIZE * 1.2 for above, below in pairwise(heights))
    assert min(heights) >= TICK_SIZE / 2
    assert made.plot_width > 150


@given(st.lists(st.one_of(st.none(), AMOUNTS), min_size=1, max_size=60), UNITS, WIDTHS)
def test_every_value_lies_within_the_plot(values, unit, width):
    made = layout(lines(values, unit), width)
    for value in values:
        if value is not None:
            assert made.margins.top - 0.1 <= made.y(value)
            assert made.y(value) <= made.height - made.margins.bottom + 0.1


@given(st.integers(121, 1000), st.sampled_from([Step.WEEK, Step.MONTH]), WIDTHS)
def test_labels_of_weeks_and_months_do_not_overlap_either(days, step, width):
    members = Bins.of(sample_range(days), step).members
    series = (Series("a", "A", Role.RENDERS, (1,) * len(members)),)
    chart = Chart("key", Kind.LINES, "T", "S.", str(step), Unit.COUNT, members, series)
    made = layout(chart, width)
    assert len(made.x_ticks) >= 2
    spans = [
        (made.x(tick.at) - half, made.x(tick.at) + half)
        for tick in made.x_ticks
        for half in [text.width(tick.label, TICK_SIZE) / 2]
    ]
    assert all(start >= 0 and end <= width for start, end in spans)
    assert all(left[1] < right[0] for left, right in pairwise(spans))


@given(
    st.dictionaries(
        st.text(max_size=80),
        st.one_of(st.integers(0, 10**9), st.floats(0, 1e9)),
        min_size=1,
        max_size=12,
    ),
    UNITS,
    WIDTHS,
)
def test_no_label_or_value_of_a_bar_runs_into_the_bar_or_out_of_the_chart(values, unit, width):
    made = layout(parts(Kind.BARS, values, unit), width)
    assert all(wide(label) < made.margins.left for label in made.labels)
    assert all(wide(value, bold=True) < made.margins.right for value in made.values)
    assert made.plot_width >= 40
    assert made.height == ROW * len(values)


@given(
    st.dictionaries(st.text(max_size=80), st.integers(0, 10**18), min_size=1, max_size=12),
    st.sampled_from([Unit.COUNT, Unit.CREDITS, Unit.BYTES]),
    WIDTHS,
)
def test_huge_counts_and_sizes_leave_room_for_their_bars(values, unit, width):
    made = layout(parts(Kind.BARS, values, unit), width)
    assert all(wide(value, bold=True) < made.margins.right for value in made.values)
    assert made.plot_width >= 40


@given(st.dictionaries(st.text(max_size=80), AMOUNTS, min_size=1, max_size=12), WIDTHS)
def test_bars_are_as_long_as_their_values_and_stay_on_their_track(values, width):
    made = layout(parts(Kind.BARS, values), width)
    lengths = [made.length(value) for value in values.values()]
    assert max(lengths) <= made.plot_width + 0.1
    for value, length in zip(values.values(), lengths, strict=True):
        assert (length > 0) == (value > 0)


@given(
    st.dictionaries(st.text(max_size=40), st.integers(1, 10**18), min_size=1, max_size=3), WIDTHS
)
def test_the_labels_of_a_pie_fit_beside_it(values, width):
    made = layout(parts(Kind.PIE, values), width)
    assert made.centre[0] + made.radius < made.margins.left - SWATCH
    for label, value, share in zip(made.labels, made.values, made.shares, strict=True):
        assert made.margins.left + wide(label) <= width
        assert made.margins.left + wide(share, bold=True) + 8 + wide(value) <= width


def test_a_negative_bar_has_no_length_and_breaks_nothing():
    made = layout(parts(Kind.BARS, {"a": -4, "b": -1}), 400)
    assert [made.length(value) for value in (-4, -1)] == [0, 0]


def test_one_position_stands_in_the_middle():
    made = layout(lines([5]), 600)
    assert made.x(0) == made.margins.left + made.plot_width / 2


def test_a_phone_gets_a_shape_of_its_own():
    phone, desk = layout(lines([1, 2, 3]), 340), layout(lines([1, 2, 3]), 1180)
    assert phone.height / phone.width > 2 * desk.height / desk.width


def test_a_dimension_that_is_not_dates_is_named_by_its_members():
    chart = parts(Kind.LINES, {"first": 1, "second": 2})
    assert [tick.label for tick in layout(chart, 600).x_ticks] == ["first", "second"]
