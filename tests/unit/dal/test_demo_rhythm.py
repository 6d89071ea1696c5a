"""The days of demo data: local, complete, and never later than now."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.dal.demo.rhythm import ZONES, Calendar, microseconds
from analytics_core.dal.demo.shape import DemoShape

NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)


def calendar(now: datetime = NOW, windows: int = 2) -> Calendar:
    return Calendar(DemoShape(users=2, renders=0, seed=1, now=now, windows=windows))


def test_windows_follow_each_other_and_cover_every_date() -> None:
    made = calendar(windows=5)
    covered = [day for window in made.windows for day in made.dates[window]]
    assert covered == list(made.dates)
    assert made.dates[-2:] == (date(2026, 11, 22), date(2026, 11, 23))


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, len(ZONES) - 1),
    st.integers(0, 1_000),
)
def test_moments_fall_on_their_local_date_and_before_now(
    now: datetime, zone: int, seed: int
) -> None:
    made = calendar(now, windows=1)
    days = np.flatnonzero(made.done[zone])
    at = made.moments(np.full(len(days), zone), days, np.random.default_rng(seed))
    assert at.max() <= microseconds(now)
    for moment, day in zip(at, days, strict=True):
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment))
        assert instant.astimezone(ZONES[zone]).date() == made.dates[day]
        number = int(made.utc_days(np.array([moment]))[0])
        assert made.first + timedelta(days=number) == instant.date()


def test_people_work_in_daylight() -> None:
    made = calendar()
    at = made.moments(np.zeros(2_000, np.int64), np.full(2_000, 20), np.random.default_rng(1))
    hours = (at - made.begins[0, 20]) / 3.6e9
    assert ((hours > 8) & (hours < 20)).mean() > 0.8


def test_holidays_and_weekends_are_quiet() -> None:
    made = calendar(datetime(2026, 1, 31, 12, tzinfo=UTC), windows=3)
    busy = dict(zip(made.dates, made.business, strict=True))
    assert busy[date(2025, 12, 25)] < 0.4 * busy[date(2025, 12, 18)]
    assert busy[date(2026, 1, 24)] < 0.5 * busy[date(2026, 1, 22)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"now": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"users": 1},
        {"renders": -1},
        {"seed": -1},
        {"windows": 0},
        {"first_users_last_30_days": 11},
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"needs|some of"):
        DemoShape(**{"users": 2, "renders": 10, "seed": 1, "now": NOW, **wrong})  # type: ignore[arg-type]
