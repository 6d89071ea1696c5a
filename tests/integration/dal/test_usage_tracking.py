"""The daily aggregate: what is recorded is there, whoever else records at the same time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import exc

from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.usage_tracking import (
    UsageAmounts,
    UsageDay,
    UsageTrackingRepository,
)
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope
from tests.support import rows
from tests.support.recording import record_times
from tests.support.rows import insert

MONDAY, TUESDAY, FRIDAY = date(2026, 10, 5), date(2026, 10, 6), date(2026, 10, 9)
UTC = ZoneInfo("UTC")
MARA = Scope.user("mara")
ONE = UsageAmounts(renders_created=1, credits_spent=2, api_calls=3, storage_used=4)


@pytest.fixture
def url(workspace_url: str) -> str:
    insert(workspace_url, [rows.user("mara"), rows.user("noor")])
    return workspace_url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def usage(database: Database) -> UsageTrackingRepository:
    return UsageTrackingRepository(database, own_catalog())


def totals(url: str, scope: Scope = MARA) -> UsageAmounts:
    database = Database(url)
    found = UsageTrackingRepository(database, own_catalog()).totals(
        scope, DateRange(MONDAY, FRIDAY, UTC)
    )
    database.close()
    return found


def times(n: int) -> UsageAmounts:
    return UsageAmounts(n, 2 * n, 3 * n, 4 * n)


def test_what_is_recorded_is_added_to_the_day(url: str) -> None:
    record_times(url, "mara", MONDAY, ONE, 2)
    record_times(url, "mara", MONDAY, UsageAmounts(api_calls=10), 1)
    assert totals(url) == UsageAmounts(2, 4, 16, 8)


def test_only_what_was_committed_counts(
    url: str, database: Database, usage: UsageTrackingRepository
) -> None:
    with database.write() as transaction:
        usage.record(transaction, "mara", MONDAY, ONE)
    assert totals(url) == UsageAmounts()


def test_an_error_takes_back_all_that_was_recorded_with_it(
    url: str, database: Database, usage: UsageTrackingRepository
) -> None:
    with suppress(ZeroDivisionError), database.write() as transaction:
        usage.record(transaction, "mara", MONDAY, ONE)
        raise ZeroDivisionError
    assert totals(url) == UsageAmounts()


def test_threads_that_record_at_once_lose_nothing(url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        for one in [threads.submit(record_times, url, "mara", MONDAY, ONE, 20) for _ in range(8)]:
            one.result()
    assert totals(url) == times(160)


def test_processes_that_record_at_once_lose_nothing(url: str) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        for one in [processes.submit(record_times, url, "mara", MONDAY, ONE, 40) for _ in range(2)]:
            one.result()
    assert totals(url) == times(80)


def test_a_reader_is_not_held_up_by_a_writer(
    url: str, database: Database, usage: UsageTrackingRepository
) -> None:
    with database.write() as transaction:
        usage.record(transaction, "mara", MONDAY, ONE)
        assert totals(url) == UsageAmounts()
        transaction.commit()
    assert totals(url) == ONE


def test_days_are_found_by_the_date_they_are_named_after(
    url: str, usage: UsageTrackingRepository
) -> None:
    for user, day in (("mara", FRIDAY), ("mara", MONDAY), ("noor", MONDAY), ("mara", TUESDAY)):
        record_times(url, user, day, ONE, 1)
    auckland = DateRange(MONDAY, TUESDAY, ZoneInfo("Pacific/Auckland"))
    assert usage.days(MARA, auckland) == [
        UsageDay("mara", MONDAY, ONE),
        UsageDay("mara", TUESDAY, ONE),
    ]
    assert usage.days(Scope.everyone(), DateRange(MONDAY, MONDAY, UTC)) == [
        UsageDay("mara", MONDAY, ONE),
        UsageDay("noor", MONDAY, ONE),
    ]


def test_totals_are_the_sum_of_the_days_in_the_range(
    url: str, usage: UsageTrackingRepository
) -> None:
    for user, day in (("mara", MONDAY), ("mara", TUESDAY), ("noor", MONDAY), ("mara", FRIDAY)):
        record_times(url, user, day, ONE, 1)
    assert usage.totals(MARA, DateRange(MONDAY, TUESDAY, UTC)) == times(2)
    assert usage.totals(Scope.everyone(), DateRange(MONDAY, TUESDAY, UTC)) == times(3)
    assert usage.totals(MARA, DateRange(date(2026, 10, 7), FRIDAY, UTC)) == times(1)


def test_a_range_without_days_adds_up_to_nothing(usage: UsageTrackingRepository) -> None:
    assert usage.totals(MARA, DateRange(MONDAY, FRIDAY, UTC)) == UsageAmounts()
    assert usage.days(MARA, DateRange(MONDAY, FRIDAY, UTC)) == []


def test_sums_larger_than_a_machine_word_of_a_day_stay_exact(
    url: str, usage: UsageTrackingRepository
) -> None:
    most = 2**62 - 1
    record_times(url, "mara", MONDAY, UsageAmounts(storage_used=most), 1)
    assert usage.totals(MARA, DateRange(MONDAY, MONDAY, UTC)).storage_used == most


def test_nothing_is_recorded_for_somebody_who_does_not_exist(url: str) -> None:
    with pytest.raises(exc.IntegrityError):
        record_times(url, "nobody", MONDAY, ONE, 1)
    assert totals(url, Scope.everyone()) == UsageAmounts()
