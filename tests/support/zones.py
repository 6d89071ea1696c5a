"""Time zones, and instants and dates where their clocks change, for Hypothesis."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

FIRST, LAST = date(1973, 1, 1), date(2037, 12, 31)
_DAY = timedelta(days=1)

# What /usr/share/zoneinfo holds beside the zones of IANA.
NAMES = sorted(
    name
    for name in available_timezones()
    if not name.startswith(("posix", "right", "Etc/", "SystemV")) and name != "localtime"
)
# Zones that moved the date line, or whose clocks jump at, just before or across midnight.
ODD = (
    "America/Asuncion",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "America/Toronto",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
)


@cache
def changes(name: str) -> tuple[date, ...]:
    """The UTC dates, since 1973, on which the clocks of a zone changed."""
    zone = ZoneInfo(name)

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(zone).utcoffset()

    # Week by week, as that is how far apart changes are; then the day within the week.
    found, at, week = [], datetime(FIRST.year, 1, 1, tzinfo=UTC), 7 * _DAY
    while at.date() < LAST:
        if offset(at) != offset(at + week):
            days = (at + n * _DAY for n in range(7))
            found += [day.date() for day in days if offset(day) != offset(day + _DAY)]
        at += week
    return tuple(found)


@st.composite
def zone_and_date(draw: st.DrawFn) -> tuple[ZoneInfo, date]:
    """A zone and a date, mostly one close to a change of its clocks."""
    name = draw(st.sampled_from(NAMES) | st.sampled_from(ODD))
    days = st.dates(FIRST, LAST)
    if changes(name):
        near = st.builds(
            lambda day, off: day + off * _DAY,
            st.sampled_from(changes(name)),
            st.integers(-2, 2),
        )
        days = near | near | days
    return ZoneInfo(name), draw(days)


def instants_around(days: list[datetime]) -> st.SearchStrategy[datetime]:
    """UTC instants close to these, to the microsecond, and anywhere between."""
    return st.builds(
        lambda start, seconds, micro: start + timedelta(seconds=seconds, microseconds=micro),
        st.sampled_from(days),
        st.sampled_from((0, 0, 1, -1, 60, -60, 1800, -1800, 3600, -3600)) | st.integers(0, 86_400),
        st.sampled_from((0, 0, 1, -1)),
    )


def date_shown(instant: datetime, zone: ZoneInfo) -> date:
    """The date an instant counts on, by definition: the latest that any clock has shown by then.

    Nothing here looks for midnights: it watches the wall clock over the last hours, every minute,
    because clocks that are set back never go back by more.
    """
    return max(
        (instant - timedelta(seconds=seconds)).astimezone(zone).date()
        for seconds in range(0, 4 * 3600, 60)
    )
