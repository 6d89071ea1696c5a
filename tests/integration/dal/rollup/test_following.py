"""Rollups of a product's database, which is only read, follow what happens there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from analytics_core.dal import schema
from analytics_core.dal.catalog import Catalog, host_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.profile import read_profile
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.refresh import Refreshed, RollupRefresh
from analytics_core.dal.rollup.verify import RollupVerification
from analytics_core.dal.schema import STATE
from analytics_core.model.daterange import DateRange, read_zone
from analytics_core.model.results import Statistics
from tests.support.host import load_golden
from tests.support.postgres import PostgresServer
from tests.support.rollups import assert_same, statistics
from tests.support.rows import execute

# A day after the last of what the golden files hold.
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MADRID, KATHMANDU = read_zone("Europe/Madrid"), read_zone("Asia/Kathmandu")
RANGES = [
    DateRange(date(2026, 10, 1), date(2026, 10, 31), MADRID),
    DateRange(date(2026, 3, 28), date(2026, 11, 1), KATHMANDU),
    DateRange(date(2026, 6, 15), date(2026, 6, 15), read_zone("UTC")),
    DateRange(date(2026, 10, 20), date(2026, 11, 3), read_zone("America/Los_Angeles")),
]


@dataclass
class Followed:
    """A host, and the database in which its rollups are kept."""

    url: str
    host: Database
    state: Database
    kept: Kept
    catalog: Catalog

    def refresh(self, now: datetime = NOW, worth: int = 400) -> Refreshed:
        steps = RollupRefresh(self.kept, self.host, self.catalog, now, worth=worth).run()
        return sum(steps, Refreshed())

    def differences(self) -> int:
        found = RollupVerification(self.kept, self.host, self.catalog).differences()
        return len(list(found))

    def page(self, user: str, dates: DateRange, *, rolled: bool = True) -> Statistics:
        return statistics(self.host, self.kept if rolled else None, user, dates, NOW, self.catalog)

    def users(self) -> list[str]:
        return [row[0] for row in self.host.rows(text("SELECT CAST(id AS text) FROM users"))]

    def busiest(self) -> str:
        """The user with most renders."""
        return str(
            self.host.rows(
                text("SELECT CAST(user_id AS text) FROM renders GROUP BY 1 ORDER BY count(*) DESC")
            )[0][0]
        )


@pytest.fixture(scope="module")
def golden(postgres_server: PostgresServer) -> str:
    url = postgres_server.create_database()
    load_golden(url)
    return url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def kept_url(
    golden: str,
    postgres_server: PostgresServer,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A state database that has followed the golden host, as its number 1."""
    url = f"sqlite:///{tmp_path_factory.mktemp('state') / 'state.db'}"
    if request.param == "postgres":
        url = postgres_server.create_database()
    host, state = Database(golden, read_only=True), Database(url, create=True)
    schema.upgrade(state, STATE)
    followed = _followed(golden, host, state)
    assert followed.refresh().days > 100
    host.close()
    state.close()
    return url


@pytest.fixture
def followed(
    golden: str, kept_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> Iterator[Followed]:
    """A host of this test's own that has been followed."""
    url = postgres_server.create_database(postgres_server.name_of(golden))
    if kept_url.startswith("sqlite"):
        copy = shutil.copy(kept_url.removeprefix("sqlite:///"), tmp_path)
        state_url = f"sqlite:///{copy}"
    else:
        state_url = postgres_server.create_database(postgres_server.name_of(kept_url))
    host, state = Database(url, read_only=True), Database(state_url)
    yield _followed(url, host, state)
    host.close()
    state.close()
    postgres_server.drop_database(url)


def _followed(url: str, host: Database, state: Database) -> Followed:
    catalog = host_catalog(host, read_profile("renderiq"))
    return Followed(url, host, state, Kept.apart(state, 1), catalog)


def test_every_page_says_what_the_rows_say(followed: Followed) -> None:
    followed.refresh()
    for user in followed.users():
        for dates in RANGES:
            assert_same(followed.page(user, dates), followed.page(user, dates, rolled=False))
    assert followed.differences() == 0


def test_what_has_settled_is_not_read_from_the_host_again(followed: Followed) -> None:
    user, september = followed.busiest(), DateRange(date(2026, 9, 1), date(2026, 9, 30), MADRID)
    before = followed.page(user, september)
    assert before.renders.total
    # No host would do this without a trace; it shows where the numbers come from.
    execute(followed.url, "DELETE FROM renders", "DELETE FROM credit_transactions")
    assert_same(followed.page(user, september).renders, before.renders)
    assert followed.page(user, september).credits.spent == before.credits.spent


def test_what_may_still_change_is_read_from_the_host(followed: Followed) -> None:
    user = followed.busiest()
    dates = RANGES[3]
    before = followed.page(user, dates).renders.total
    execute(followed.url, _render(user, NOW - timedelta(hours=1)))
    assert followed.page(user, dates).renders.total == before + 1


def test_a_late_change_corrects_its_day_with_the_next_refresh(followed: Followed) -> None:
    user, october = followed.busiest(), RANGES[0]
    execute(
        followed.url,
        "UPDATE renders SET credits_cost = credits_cost + 1000, updated_at = '2026-11-01 12:10'"
        f" WHERE user_id = '{user}' AND created_at < '2026-10-10' AND created_at > '2026-10-05'",
    )
    stale = followed.page(user, october).renders.credits_spent
    followed.refresh(NOW + timedelta(minutes=20))
    assert followed.page(user, october).renders.credits_spent > stale
    assert_same(followed.page(user, october), followed.page(user, october, rolled=False))
    assert followed.differences() == 0


def test_new_rows_are_followed(followed: Followed) -> None:
    user = followed.busiest()
    execute(followed.url, *(_render(user, NOW + timedelta(hours=n)) for n in range(60)))
    later = NOW + timedelta(days=5)
    followed.refresh(later)
    dates = DateRange(date(2026, 10, 28), date(2026, 11, 6), MADRID)
    assert_same(followed.page(user, dates), followed.page(user, dates, rolled=False))
    assert followed.differences() == 0


def test_deleted_rows_are_noticed_when_everything_is_compared(followed: Followed) -> None:
    user, october = followed.busiest(), RANGES[0]
    execute(
        followed.url,
        f"DELETE FROM renders WHERE user_id = '{user}' AND created_at < '2026-10-10'",
    )
    assert followed.differences() > 0
    followed.refresh(NOW + timedelta(days=6, hours=23))
    assert followed.differences() > 0
    followed.refresh(NOW + timedelta(days=7))
    assert followed.differences() == 0
    assert_same(
        followed.page(user, october).renders, followed.page(user, october, rolled=False).renders
    )


def test_a_refresh_that_was_broken_off_goes_on(followed: Followed) -> None:
    later = NOW + timedelta(days=8)
    begun = RollupRefresh(followed.kept, followed.host, followed.catalog, later, worth=400).run()
    for _ in range(9):
        next(begun)
    begun.close()
    assert followed.state.rows(text("SELECT count(*) FROM followed_marks"))[0][0] > 0
    for user in followed.users():
        assert_same(followed.page(user, RANGES[1]), followed.page(user, RANGES[1], rolled=False))
    followed.refresh(later)
    assert followed.differences() == 0


def test_nothing_is_written_to_the_host(followed: Followed) -> None:
    count = text(
        "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"
        " WHERE schemaname = 'public'"
    )
    tables = text("SELECT count(*) FROM pg_class")
    before = followed.host.rows(count), followed.host.rows(tables)
    followed.refresh(NOW + timedelta(days=8))
    assert (followed.host.rows(count), followed.host.rows(tables)) == before


def _render(user: str, at: datetime) -> str:
    moment = f"'{at:%Y-%m-%d %H:%M:%S}'"
    return (
        "INSERT INTO renders (id, user_id, type, status, credits_cost, created_at, updated_at)"
        f" VALUES (gen_random_uuid(), '{user}', 'image', 'completed', 2, {moment}, {moment})"
    )
