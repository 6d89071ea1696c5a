"""The Storage tab."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analytics_core.charts.storage import storage
from analytics_core.charts.values import Chart, Unit
from analytics_core.model.results import Comparison
from tests.support.samples import NOW, sample_comparison


def stored(*by_day: int, files: int = 2) -> Chart:
    comparison = sample_comparison(len(by_day), compare=False)
    stats = replace(
        comparison.current.storage,
        stored_by_day=by_day,
        stored_bytes=by_day[-1],
        stored_files=files,
    )
    return storage(Comparison(replace(comparison.current, storage=stats)), NOW).charts[0]


@pytest.mark.parametrize(
    ("by_day", "summary"),
    [
        ((1_000, 2_000, 4_000), "Storage grew from 1 kB to 4 kB in 2 files."),
        ((4_000, 1_000), "Storage shrank from 4 kB to 1 kB in 2 files."),
        ((4_000, 9_000, 4_000), "4 kB in 2 files at the end, about as much as on the first day."),
        ((4_000,), "4 kB in 2 files at the end of the day."),
        ((4_000, 0), "All files were deleted by the end of the range."),
        ((0, 0), "Nothing was stored in this range."),
    ],
)
def test_what_is_stored_is_told_from_the_first_day_to_the_last(by_day, summary):
    assert stored(*by_day).summary == summary


def test_a_level_is_drawn_as_it_stood_at_the_end_of_each_week_and_not_summed():
    comparison = sample_comparison(400, compare=False)
    line = storage(comparison, NOW).charts[0].series[0].values
    assert line[-1] == comparison.current.storage.stored_by_day[-1]
    assert max(value or 0 for value in line) == max(comparison.current.storage.stored_by_day)


def test_uploads_add_up_to_what_was_uploaded():
    comparison = sample_comparison(400)
    chart = storage(comparison, NOW).charts[1]
    uploaded = sum(value or 0 for value in chart.series[0].values)
    assert chart.unit is Unit.BYTES
    assert uploaded == comparison.current.storage.uploaded_bytes


def test_media_types_have_names():
    chart = storage(sample_comparison(), NOW).charts[2]
    assert [m.label for m in chart.members] == ["Images", "Videos", "Documents and data"]
