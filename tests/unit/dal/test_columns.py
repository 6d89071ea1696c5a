"""What the types of our columns take and give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import Column, Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from analytics_core.dal.tables import Base, UtcInstant, Word
from analytics_core.errors import VocabularyError
from analytics_core.model import vocabulary as words

SQLITE, POSTGRESQL = sqlite_dialect(), PGDialect_psycopg()
WORD_COLUMNS: list[Column[Any]] = [
    column
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, Word)
]


def written(column_type: Any, value: Any, dialect: Dialect = SQLITE) -> Any:
    return column_type.process_bind_param(value, dialect)


def read(column_type: Any, value: Any, dialect: Dialect = SQLITE) -> Any:
    return column_type.process_result_value(value, dialect)


@pytest.mark.parametrize("column", WORD_COLUMNS, ids=str)
@pytest.mark.parametrize("value", ["", "Completed", "completed ", "nonsense", "unspecified", 1])
def test_a_value_outside_its_vocabulary_is_refused_on_write(
    column: Column[Any], value: object
) -> None:
    with pytest.raises(VocabularyError, match="it is one of"):
        written(column.type, value)


@pytest.mark.parametrize("column", WORD_COLUMNS, ids=str)
def test_every_word_of_a_vocabulary_is_written_as_it_is(column: Column[Any]) -> None:
    assert isinstance(column.type, Word)
    for word in column.type.vocabulary:
        if word not in column.type.without:
            assert written(column.type, word) == written(column.type, word.value) == word.value


def test_nobody_writes_that_a_render_came_from_a_plugin_by_its_platform() -> None:
    with pytest.raises(VocabularyError):
        written(Base.metadata.tables["renders"].c.platform.type, words.Platform.PLUGIN)


def test_the_columns_with_a_vocabulary_are_these() -> None:
    assert {str(column): column.type.vocabulary for column in WORD_COLUMNS} == {
        "renders.type": words.RenderType,
        "renders.status": words.RenderStatus,
        "renders.quality": words.Quality,
        "renders.platform": words.Platform,
        "projects.status": words.ProjectStatus,
        "projects.platform": words.Platform,
        "credit_transactions.kind": words.TransactionKind,
        "credit_transactions.category": words.Category,
        "account_activity.event": words.ActivityEvent,
    }


@pytest.mark.parametrize(
    ("vocabulary", "members"),
    [
        (words.RenderType, "image video"),
        (words.RenderStatus, "completed failed pending processing"),
        (words.Quality, "standard high ultra"),
        (words.Platform, "web tools canvas plugin"),
        (words.TransactionKind, "debit credit"),
        (words.Category, "render refund purchase subscription bonus"),
        (words.ProjectStatus, "processing completed failed"),
        (words.ApiSource, "recorded daily inferred mixed"),
    ],
)
def test_a_vocabulary_has_the_words_of_the_metrics(vocabulary: Any, members: str) -> None:
    assert [word.value for word in vocabulary] == members.split()


@given(
    st.datetimes(
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
    )
)
def test_an_instant_survives_sqlite_to_the_microsecond(instant: datetime) -> None:
    assume(timedelta(days=1) < instant - datetime.min.replace(tzinfo=UTC))
    assume(timedelta(days=1) < datetime.max.replace(tzinfo=UTC) - instant)
    stored = written(UtcInstant(), instant)
    assert isinstance(stored, int)
    back = read(UtcInstant(), stored)
    assert back == instant
    assert back.tzinfo is UTC


def test_instants_before_1970_survive_too() -> None:
    instant = datetime(1899, 12, 31, 23, 59, 59, 999_999, UTC)
    assert read(UtcInstant(), written(UtcInstant(), instant)) == instant


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_an_instant_without_a_zone_is_refused(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        written(UtcInstant(), datetime(2026, 1, 1), dialect)  # noqa: DTZ001 - that is the point
