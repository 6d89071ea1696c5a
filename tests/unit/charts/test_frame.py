"""An analyst's own numbers become a chart like any other."""

from __future__ import annotations

import pandas as pd
import pytest

from analytics_core.charts.frame import from_frame
from analytics_core.charts.values import Kind, Role, Unit

DATES = pd.date_range("2026-10-01", periods=3)


def test_an_index_of_dates_makes_lines() -> None:
    chart = from_frame(pd.Series([1, 2, 3], index=DATES), "Renders")
    assert chart.kind is Kind.LINES
    assert chart.dimension == "date"
    assert [member.key for member in chart.members] == ["2026-10-01", "2026-10-02", "2026-10-03"]
    assert chart.members[0].label == "Oct 1"


def test_any_other_index_makes_bars() -> None:
    index = pd.Index(["web", "sketchup"], name="platform")
    chart = from_frame(pd.Series([5, 3], index=index), "By platform", unit="credits")
    assert (chart.kind, chart.unit, chart.dimension) == (Kind.BARS, Unit.CREDITS, "platform")
    assert [member.label for member in chart.members] == ["Web", "SketchUp"]
    assert chart.series[0].values == (5, 3)


def test_a_pie_is_made_on_request() -> None:
    assert from_frame(pd.Series({"image": 5, "video": 1}), "Types", kind="pie").kind is Kind.PIE


def test_values_are_plain_numbers_and_gaps() -> None:
    values = from_frame(pd.Series([1.5, None, 3], index=DATES), "Time").series[0].values
    assert values == (1.5, None, 3.0)
    assert type(from_frame(pd.Series([1], index=DATES[:1]), "Renders").series[0].values[0]) is int


def test_a_column_named_after_a_metric_has_its_colour() -> None:
    frame = pd.DataFrame({"api_calls": [1], "credits_spent": [2], "mine": [3]}, index=DATES[:1])
    chart = from_frame(frame, "Daily")
    assert [line.role for line in chart.series] == [Role.API, Role.CREDITS, Role.RENDERS]
    assert [line.label for line in chart.series] == ["API calls", "Credits spent", "Mine"]


def test_a_colour_can_be_chosen() -> None:
    assert from_frame(pd.Series({"a": 1}), "A", role="storage").series[0].role is Role.STORAGE


def test_the_frame_is_not_changed() -> None:
    frame = pd.DataFrame({"calls": [1, 2]}, index=["a", "b"])
    from_frame(frame, "Calls")
    assert frame.columns.tolist() == ["calls"]


@pytest.mark.parametrize("frame", [pd.Series(dtype=float), pd.Series([None, None], index=[1, 2])])
def test_nothing_to_draw_says_so(frame: pd.Series) -> None:
    assert from_frame(frame, "Nothing").empty == "There is nothing to draw."


def test_a_pie_of_zeros_has_nothing_to_draw() -> None:
    zeros = pd.Series({"image": 0, "video": 0})
    assert from_frame(zeros, "Types", kind="pie").empty == "There is nothing to draw."
    assert from_frame(zeros, "Types").empty is None


def test_a_pie_of_negative_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        from_frame(pd.Series({"earned": 3, "spent": -2}), "Net", kind="pie")


@pytest.mark.parametrize("options", [{"kind": "radar"}, {"unit": "miles"}, {"role": "pink"}])
def test_an_unknown_word_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        from_frame(pd.Series({"a": 1}), "A", **options)


def test_an_index_with_duplicates_is_refused() -> None:
    with pytest.raises(ValueError, match="of its own"):
        from_frame(pd.Series([1, 2], index=["a", "a"]), "A")


def test_bars_of_several_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="one column"):
        from_frame(pd.DataFrame({"a": [1], "b": [2]}), "A and B")
