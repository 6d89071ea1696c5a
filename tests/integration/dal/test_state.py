"""What is kept beside a product's database never mixes with what is kept beside another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.schema import STATE
from analytics_core.dal.state import StateRepository, identity_of
from tests.support.host import create_host_tables
from tests.support.postgres import PostgresServer
from tests.support.rows import execute, table_names

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def state(database_url: str) -> Iterator[StateRepository]:
    database = Database(database_url, create=True)
    schema.upgrade(database, STATE)
    yield StateRepository(database)
    database.close()


@pytest.fixture
def hosts(postgres_server: PostgresServer) -> list[Database]:
    return [Database(postgres_server.create_database(), read_only=True) for _ in range(2)]


def test_a_host_keeps_its_number(state: StateRepository, hosts: list[Database]) -> None:
    assert state.source_number(hosts[0], NOW) == state.source_number(hosts[0], NOW)


def test_two_hosts_never_share_a_number(state: StateRepository, hosts: list[Database]) -> None:
    assert state.source_number(hosts[0], NOW) != state.source_number(hosts[1], NOW)


def test_a_host_reached_at_another_address_is_the_same(
    state: StateRepository, hosts: list[Database]
) -> None:
    url = hosts[0].label
    other = Database(f"{url}&application_name=other", read_only=True)
    assert state.source_number(other, NOW) == state.source_number(hosts[0], NOW)


def test_a_host_looked_at_by_another_role_is_the_same(
    postgres_server: PostgresServer, hosts: list[Database]
) -> None:
    role = postgres_server.create_role()
    reader = Database(hosts[0].label.replace("postgres@", f"{role}@"), read_only=True)
    assert identity_of(reader) == identity_of(hosts[0])


def test_a_role_that_may_not_ask_for_the_cluster_still_tells_hosts_apart(
    postgres_server: PostgresServer, hosts: list[Database]
) -> None:
    role = postgres_server.create_role()
    for host in hosts:
        execute(host.label, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    one, other = (
        Database(host.label.replace("postgres@", f"{role}@"), read_only=True) for host in hosts
    )
    assert identity_of(one) == identity_of(one)
    assert identity_of(one) != identity_of(other)


def test_an_identity_tells_nothing_about_its_database(hosts: list[Database]) -> None:
    identity = identity_of(hosts[0])
    assert len(identity) == 64
    assert "test" not in identity


def test_a_file_is_the_same_by_any_of_its_names(make_database, tmp_path: Path) -> None:
    url = make_database("sqlite")
    link = tmp_path / "link.db"
    link.symlink_to(url.removeprefix("sqlite:///"))
    assert identity_of(Database(f"sqlite:///{link}")) == identity_of(Database(url))
    assert identity_of(Database(make_database("sqlite"))) != identity_of(Database(url))


def test_many_that_ask_at_once_get_one_number(
    state: StateRepository, hosts: list[Database]
) -> None:
    with ThreadPoolExecutor(8) as at_once:
        numbers = [at_once.submit(state.source_number, hosts[0], NOW) for _ in range(16)]
        assert len({number.result() for number in numbers}) == 1


def test_nothing_is_created_in_the_host(state: StateRepository, hosts: list[Database]) -> None:
    create_host_tables(hosts[0].label)
    objects = text("SELECT oid::text FROM pg_class UNION ALL SELECT oid::text FROM pg_proc")
    before = table_names(hosts[0].label), set(hosts[0].rows(objects))
    state.source_number(hosts[0], NOW)
    assert (table_names(hosts[0].label), set(hosts[0].rows(objects))) == before
