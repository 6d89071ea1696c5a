"""The databases that other tests stand on."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.support.postgres import PostgresServer


def test_a_database_is_real_and_empty(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO things VALUES (1)"))
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM things")) == 1
    engine.dispose()


def test_postgres_is_a_supported_version(postgres_server: PostgresServer) -> None:
    assert postgres_server.version >= 15


def test_a_database_can_be_a_copy_of_another(postgres_server: PostgresServer) -> None:
    original = postgres_server.create_database()
    engine = create_engine(original)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
    engine.dispose()

    copy = create_engine(
        postgres_server.create_database(template=postgres_server.name_of(original))
    )

    with copy.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM things")) == 0
    copy.dispose()


def test_tests_run_away_from_the_developers_files_and_settings(tmp_path: Path) -> None:
    assert Path.cwd() == tmp_path
    assert not [name for name in os.environ if name.startswith("ANALYTICS_")]
