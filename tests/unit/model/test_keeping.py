"""Durations as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from analytics_core.model.keeping import KeepFor


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("400 days", date(2025, 2, 24)),
        ("1d", date(2026, 3, 30)),
        ("8 weeks", date(2026, 2, 3)),
        ("1 month", date(2026, 2, 28)),
        ("13 months", date(2025, 2, 28)),
        ("2 years", date(2024, 3, 31)),
        ("9999y", date.min),
        ("99999 days", date(1752, 6, 16)),
    ],
)
def test_the_first_day_that_is_kept(text: str, first: date) -> None:
    assert KeepFor.parse(text).first_day(date(2026, 3, 31)) == first


@pytest.mark.parametrize(
    "text", ["", "0 days", "-1 days", "13", "months", "1.5 months", "1 day ago"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        KeepFor.parse(text)
