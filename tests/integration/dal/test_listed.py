"""Rows that come with a question arrive as they were sent, whatever is in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import BigInteger, Date, Integer, String, select
from sqlalchemy.types import Double, TypeEngine

from analytics_core.dal.database import Database
from analytics_core.dal.listed import listed, parameters_of
from analytics_core.dal.tables import UtcInstant

COLUMNS: dict[str, TypeEngine[Any]] = {
    "text": String(),
    "number": Integer(),
    "large": BigInteger(),
    "real": Double(),
    "day": Date(),
    "instant": UtcInstant(),
}
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
TEXTS = [
    *("plain", "", " ", "null", "NULL", "two words", "it's", "Åsa, 日本"),
    *('"', '""', "\\", "\\\\", '\\"', "{a,b}", "{}", ",", "line\nbreak", "tab\t", "%s %(x)s", ":x"),
]


@pytest.fixture
def database(workspace_url: str) -> Iterator[Database]:
    database = Database(workspace_url)
    yield database
    database.close()


def through(database: Database, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    dialect = database.dialect
    parameters = parameters_of("sent", COLUMNS, rows, dialect)
    return [
        tuple(row) for row in database.rows(select(listed("sent", COLUMNS, dialect)), parameters)
    ]


def test_every_text_arrives_as_it_was_sent(database: Database) -> None:
    rows = [(text, 1, 2**40, 0.1 + 0.2, date(2026, 10, 5), NOON) for text in TEXTS]
    assert through(database, rows) == rows


def test_nothing_arrives_as_nothing(database: Database) -> None:
    nothing = (None,) * len(COLUMNS)
    assert through(database, [nothing]) == [nothing]
    assert through(database, []) == []


def test_instants_of_any_zone_are_the_same_instants(database: Database) -> None:
    instants = [
        NOON.astimezone(timezone(timedelta(hours=5, minutes=45))),
        NOON.replace(microsecond=1),
        datetime(1, 1, 1, tzinfo=UTC),
    ]
    rows = [("x", 1, 1, 1.0, date(1, 1, 1), instant) for instant in instants]
    assert [row[-1] for row in through(database, rows)] == instants
