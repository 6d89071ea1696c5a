"""Every number equals a plain recomputation from single rows, whatever the clocks do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_core import DateRange, Scope, Settings, Workspace
from tests.support import rows
from tests.support.recomputed import recomputed
from tests.support.rows import insert
from tests.support.worlds import World, worlds

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WHOM = st.sampled_from([{"mara"}, {"noor"}, {"mara", "noor"}, None])

# Each of them asks a database some ten questions.
few = settings(max_examples=25)


def scope_of(users: set[str] | None) -> Scope:
    return Scope.everyone() if users is None else Scope.team(users)


@contextmanager
def opened(url: str, now: datetime = NOW) -> Iterator[Workspace]:
    with Workspace(
        Settings.read(database_url=url), Scope.everyone(), clock=lambda: now
    ) as workspace:
        yield workspace


@dataclass
class Desk:
    """A workspace on one database, where each example puts in its own world and sets the clock."""

    url: str
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.workspace = Workspace(
            Settings.read(database_url=self.url), Scope.everyone(), clock=lambda: self.now
        )

    def with_(self, world: World) -> Workspace:
        insert(self.url, world.rows, replace=True)
        self.now = world.now
        return self.workspace


@pytest.fixture(scope="module")
def desk(shared_url: str) -> Iterator[Desk]:
    desk = Desk(shared_url)
    yield desk
    desk.workspace.close()


@given(worlds(), WHOM)
def test_every_number_equals_a_recomputation_from_single_rows(
    desk: Desk, world: World, users: set[str] | None
) -> None:
    workspace = desk.with_(world)
    dates = world.dates
    answer = workspace.get_analytics_data(scope_of(users), dates).current.to_dict()
    expected = recomputed(world.rows, users, dates.first, dates.last, dates.zone, world.now)
    assert answer == approximately(expected)


@few
@given(worlds(), WHOM)
def test_without_a_range_it_is_everything_from_the_first_record_to_the_last(
    desk: Desk, world: World, users: set[str] | None
) -> None:
    workspace = desk.with_(world)
    zone = world.dates.zone
    answer = workspace.get_analytics_data(scope_of(users), None, zone=zone.key)
    expected = recomputed(world.rows, users, None, None, zone, world.now)
    assert answer.to_dict() == approximately(expected)


@few
@given(worlds(), WHOM)
def test_partitions_add_up_to_their_totals(
    desk: Desk, world: World, users: set[str] | None
) -> None:
    workspace = desk.with_(world)
    answer = workspace.get_analytics_data(scope_of(users), world.dates).current
    renders, credits_, projects = answer.renders, answer.credits, answer.projects
    for partition in (renders.by_type, renders.by_status, renders.by_quality, renders.by_platform):
        assert sum(partition.values()) == renders.total
    assert sum(credits_.by_category.values()) == credits_.spent + credits_.earned
    assert sum(answer.storage.by_media_type.values()) == answer.storage.uploaded_files
    for partition in (projects.by_platform, projects.by_status):
        assert sum(partition.values()) == projects.total
    recorded = sum(answer.api.by_route.values())
    assert sum(answer.api.by_status_class.values()) == recorded <= answer.api.total_calls


@few
@given(worlds(), WHOM)
def test_days_add_up_to_the_range_and_each_date_is_there_once(
    desk: Desk, world: World, users: set[str] | None
) -> None:
    workspace = desk.with_(world)
    answer = workspace.get_analytics_data(scope_of(users), world.dates).current
    daily = answer.daily
    assert [day.date for day in daily] == list(world.dates.dates)
    assert sum(day.renders_created for day in daily) == answer.renders.total
    assert sum(day.credits_spent for day in daily) == answer.credits.spent
    assert sum(day.api_calls for day in daily) == answer.api.total_calls
    assert sum(day.storage_used for day in daily) == answer.storage.uploaded_bytes
    assert sum(answer.credits.earned_by_day) == answer.credits.earned
    assert sum(answer.projects.by_day) == answer.projects.total
    assert answer.storage.stored_by_day[-1] == answer.storage.stored_bytes
    for series in (
        *(answer.renders.by_day, answer.renders.processing_time_by_day),
        *(answer.renders.success_rate_by_day, answer.credits.spent_by_day),
        *(answer.api.by_day, answer.storage.stored_by_day, answer.activity.logins_by_day),
    ):
        assert len(series) == world.dates.days


@few
@given(worlds(min_days=2), WHOM, st.data())
def test_two_parts_of_a_range_add_up_to_the_whole(
    desk: Desk, world: World, users: set[str] | None, data: st.DataObject
) -> None:
    workspace = desk.with_(world)
    dates = world.dates
    cut = dates.first + data.draw(st.integers(0, dates.days - 2)) * DAY
    parts = [
        DateRange(dates.first, cut, dates.zone),
        DateRange(cut + DAY, dates.last, dates.zone),
    ]
    whole, one, other = (
        additive(workspace.get_analytics_data(scope_of(users), part).to_dict())
        for part in (dates, *parts)
    )
    assert Counter(whole) == Counter(one) + Counter(other)


@few
@given(worlds(), WHOM)
def test_the_narrower_questions_have_the_answers_of_the_whole_page(
    desk: Desk, world: World, users: set[str] | None
) -> None:
    workspace = desk.with_(world)
    asked = (scope_of(users), world.dates)
    page = workspace.get_analytics_data(*asked).current
    assert workspace.get_render_stats(*asked) == page.renders
    assert workspace.get_credit_stats(*asked) == page.credits
    assert workspace.get_api_usage_stats(*asked) == page.api


def additive(answer: dict[str, Any]) -> dict[str, int]:
    """The numbers of a range that add up over its parts, zeros left out."""
    renders, credits_, api = answer["renders"], answer["credits"], answer["api"]
    storage, projects = answer["storage"], answer["projects"]
    sums: dict[str, int] = {
        "renders": renders["total"],
        "credits of renders": renders["credits_spent"],
        "spent": credits_["spent"],
        "earned": credits_["earned"],
        "calls": api["total_calls"],
        "bytes": storage["uploaded_bytes"],
        "files": storage["uploaded_files"],
        "projects": projects["total"],
    }
    for section, partition in (
        *((renders, name) for name in ("by_type", "by_status", "by_quality", "by_platform")),
        *((api, name) for name in ("by_platform", "by_route", "by_status_class")),
        *((projects, name) for name in ("by_platform", "by_status")),
        (credits_, "by_category"),
        (storage, "by_media_type"),
    ):
        for member, count in section[partition].items():
            sums[f"{section is api} {section is projects} {partition} {member}"] = count
    return {name: amount for name, amount in sums.items() if amount}


def approximately(expected: Any) -> Any:
    """Equal, but for the last digit of a float."""
    if isinstance(expected, dict):
        return {name: approximately(value) for name, value in expected.items()}
    return pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected


# --- examples that are worth reading ---


@pytest.fixture
def url(workspace_url: str) -> str:
    insert(workspace_url, [rows.user("mara"), rows.user("noor")])
    return workspace_url


def test_a_day_of_25_hours_is_one_day(url: str) -> None:
    first = datetime(2026, 10, 24, 22, tzinfo=UTC)
    insert(url, [rows.render("mara", first + timedelta(hours=n)) for n in range(25)])
    with opened(url) as workspace:
        stats = workspace.get_render_stats("mara", "2026-10-24..2026-10-26", zone="Europe/Madrid")
    assert stats.by_day == (0, 25, 0)


def test_a_date_that_was_skipped_is_an_empty_day(url: str) -> None:
    at = datetime(2011, 12, 30, 10, tzinfo=UTC)
    insert(url, [rows.render("mara", at), rows.render("mara", at - timedelta(microseconds=1))])
    with opened(url) as workspace:
        stats = workspace.get_render_stats("mara", "2011-12-29..2011-12-31", zone="Pacific/Apia")
        skipped = workspace.get_analytics_data(
            "mara", "2011-12-30..2011-12-30", zone="Pacific/Apia"
        ).current
    assert stats.by_day == (1, 0, 1)
    assert skipped.renders.total == 0
    assert [day.date for day in skipped.daily] == [date(2011, 12, 30)]


def test_what_comes_after_a_skipped_date_does_not_count_on_it(url: str) -> None:
    insert(url, [rows.activity("mara", datetime(2012, 5, 1, tzinfo=UTC))])
    with opened(url) as workspace:
        activity = workspace.get_analytics_data(
            "mara", "2011-12-29..2011-12-30", zone="Pacific/Apia"
        ).current.activity
    assert (activity.logins, activity.logins_by_day) == (1, (0, 0))


def test_a_whole_century_is_answered_day_by_day(url: str) -> None:
    insert(url, [rows.render("mara", datetime(1999, 12, 31, 23, 30, tzinfo=UTC))])
    with opened(url) as workspace:
        stats = workspace.get_render_stats(
            "mara", "1950-01-01..2049-12-31", zone="America/New_York"
        )
    assert stats.total == 1
    assert stats.by_day.index(1) == (date(1999, 12, 31) - date(1950, 1, 1)).days


def test_a_comparison_sets_the_period_before_beside_the_range(url: str) -> None:
    insert(
        url,
        [
            rows.render("mara", datetime(2026, 9, 30, 22, tzinfo=UTC)),
            rows.render("mara", datetime(2026, 9, 30, 21, 59, tzinfo=UTC)),
            rows.render("mara", datetime(2026, 8, 31, 22, tzinfo=UTC)),
            rows.render("mara", datetime(2026, 8, 31, 21, 59, tzinfo=UTC)),
        ],
    )
    with opened(url) as workspace:
        answer = workspace.get_analytics_data("mara", "2026-10", zone="Europe/Madrid", compare=True)
    assert answer.current.renders.total == 1
    assert answer.previous is not None
    assert answer.previous.range == DateRange.month(2026, 9, ZoneInfo("Europe/Madrid"))
    assert answer.previous.renders.total == 2


def test_without_any_record_there_is_no_range_and_nothing_before_it(url: str) -> None:
    with opened(url) as workspace:
        answer = workspace.get_analytics_data("mara", "all", compare=True)
    machine = answer.to_dict()
    assert machine.pop("previous") == machine
    assert machine["range"] == {"from": None, "to": None, "tz": "UTC", "days": 0}
    assert machine["api"]["average_per_day"] is None
    assert machine["storage"]["average_per_day"] is None
    assert machine["renders"]["by_type"] == {"image": 0, "video": 0}
    assert machine["daily"] == []


@pytest.mark.parametrize(
    "record",
    [
        *(rows.render, rows.transaction, rows.call, rows.file, rows.project, rows.activity),
        *(rows.key,),
    ],
)
def test_a_record_of_any_kind_opens_the_range_of_everything(url: str, record: Any) -> None:
    insert(url, [record("mara", datetime(2026, 5, 4, 23, 30, tzinfo=UTC))])
    with opened(url) as workspace:
        found = workspace.get_analytics_data("mara", zone="Asia/Tokyo").to_dict()["range"]
    assert found == {"from": "2026-05-05", "to": "2026-05-05", "tz": "Asia/Tokyo", "days": 1}


def test_a_stored_day_opens_it_on_the_date_it_is_named_after(url: str) -> None:
    insert(url, [rows.stored_day("mara", date(2026, 5, 4))])
    with opened(url) as workspace:
        found = workspace.get_analytics_data("mara", zone="Pacific/Auckland").to_dict()["range"]
    assert (found["from"], found["to"]) == ("2026-05-04", "2026-05-04")


def test_the_zone_is_the_one_asked_for_else_the_users_own_else_utc(workspace_url: str) -> None:
    insert(workspace_url, [rows.user("mara", zone="Asia/Kolkata"), rows.user("noor")])
    with opened(workspace_url) as workspace:
        asked = [("mara", None), ("mara", "Europe/Madrid"), ("noor", None), (None, None)]
        zones = [workspace.get_analytics_data(who, "7d", zone=z).current.zone for who, z in asked]
    assert zones == ["Asia/Kolkata", "Europe/Madrid", "UTC", "UTC"]


def test_presets_end_today_where_the_viewer_is(url: str) -> None:
    with opened(url, datetime(2026, 10, 31, 23, tzinfo=UTC)) as workspace:

        def last(zone: str) -> Any:
            return workspace.get_analytics_data("mara", "7d", zone=zone).to_dict()["range"]["to"]

        assert last("UTC") == "2026-10-31"
        assert last("Asia/Tokyo") == "2026-11-01"


def test_a_file_is_stored_until_the_day_it_is_deleted(url: str) -> None:
    insert(
        url,
        [
            rows.file("mara", datetime(2026, 10, 1, 12, tzinfo=UTC), size=10),
            rows.file(
                "mara",
                datetime(2026, 10, 3, 12, tzinfo=UTC),
                size=7,
                deleted_at=datetime(2026, 10, 5, 12, tzinfo=UTC),
            ),
        ],
    )
    with opened(url) as workspace:
        storage = workspace.get_analytics_data("mara", "2026-10-02..2026-10-06").current.storage
        earlier = workspace.get_analytics_data("mara", "2026-10-02..2026-10-04").current.storage
    assert storage.stored_by_day == (10, 17, 17, 10, 10)
    assert (storage.stored_bytes, storage.stored_files) == (10, 1)
    assert (storage.uploaded_bytes, storage.uploaded_files) == (7, 1)
    assert (earlier.stored_bytes, earlier.stored_files) == (17, 2)


def test_the_age_of_an_account_is_in_calendar_dates_of_its_zone(workspace_url: str) -> None:
    insert(
        workspace_url,
        [
            rows.user("mara", created_at=datetime(2026, 10, 30, 23, 30, tzinfo=UTC)),
            rows.user("noor"),
        ],
    )
    with opened(workspace_url, datetime(2026, 11, 1, 0, 30, tzinfo=UTC)) as workspace:

        def age(whom: str | None, zone: str) -> Any:
            return workspace.get_analytics_data(
                whom, "7d", zone=zone
            ).current.activity.account_age_days

        assert age("mara", "UTC") == 2
        assert age("mara", "Europe/Madrid") == 1
        # Several accounts have no age.
        assert age(None, "UTC") is None
