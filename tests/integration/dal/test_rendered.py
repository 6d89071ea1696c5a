"""A statement as text answers as the statement does, whatever names and values are in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    SelectBase,
    String,
    Table,
    bindparam,
    cast,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    union_all,
)

from analytics_core.dal.database import Database
from analytics_core.dal.rendered import rendered
from analytics_core.dal.tables import NaiveUtcInstant, UtcInstant

ODD = Table(
    "a:b%c",
    MetaData(),
    *(Column(name, String()) for name in ("two words", ":user", "%(user)s", "it's", "a'])", "Ø%")),
    Column("number", Integer()),
)
ROWS = [
    ("1", "x:y", "50%", "%%", "(__[POSTCOMPILE_user])", ":user", 5),
    ("2", r"\:", ":", "%(user)s", "", "100 %", 6),
]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, create=True)
    with database.write() as connection:
        ODD.create(connection)
        names = [column.name for column in ODD.columns]
        connection.execute(insert(ODD), [dict(zip(names, row, strict=True)) for row in ROWS])
        connection.commit()
    yield database
    database.close()


def both(database: Database, statement: SelectBase, **given: object) -> list[tuple[object, ...]]:
    """What the text of a statement answers, after it was found to be what the statement does."""
    expected = [tuple(row) for row in database.rows(statement, given)]
    told = [tuple(row) for row in database.rows(rendered(statement, database.dialect), given)]
    assert told == expected
    return told


def test_odd_names_of_tables_and_columns_are_names(database: Database) -> None:
    assert both(database, select(ODD).order_by(ODD.c.number)) == ROWS


@pytest.mark.parametrize("column", [column.name for column in ODD.columns])
def test_a_value_compared_with_an_odd_column_is_a_value(database: Database, column: str) -> None:
    c = ODD.c[column]
    for number, row in enumerate(ROWS):
        value = row[list(ODD.c.keys()).index(column)]
        for condition in (c == value, c.in_([value, value])):
            found = both(database, select(ODD.c.number).where(condition))
            assert found == [(5 + number,)]


def test_percent_signs_and_colons_of_sql_itself_stay(database: Database) -> None:
    spelled = literal_column("'50% :user %(user)s'", String)
    statement = select(ODD.c.number % 4, spelled, cast(ODD.c.number, String)).limit(1)
    assert both(database, statement)[0][1] == "50% :user %(user)s"


@pytest.mark.parametrize(("numbers", "found"), [([5, 6], 2), ([6], 1), ([], 0)])
def test_a_list_comes_with_the_question_and_may_be_empty(
    database: Database, numbers: list[int], found: int
) -> None:
    within = ODD.c.number.in_(bindparam("numbers", expanding=True))
    assert both(database, select(func.count()).where(within), numbers=numbers) == [(found,)]


def test_what_is_asked_for_anew_each_time_is(database: Database) -> None:
    numbers = iter([5, 6])
    least = bindparam("least", callable_=lambda: next(numbers), type_=Integer)
    statement = rendered(select(func.count()).where(ODD.c.number >= least), database.dialect)
    assert [database.rows(statement)[0][0] for _ in range(2)] == [2, 1]
    # Who says it with the question is not asked.
    assert database.rows(statement, {"least": 6}) == [(1,)]


def test_parts_of_a_union_may_say_the_same_of_the_same_columns(database: Database) -> None:
    parts = [select(literal(word), ODD.c.number + n) for n, word in enumerate(("a", "a", "b"))]
    assert len(both(database, union_all(*parts).order_by(literal_column("1")))) == 6


def test_a_parameter_of_two_types_is_refused() -> None:
    instants = Table(
        "instants", MetaData(), Column("aware", UtcInstant()), Column("naive", NaiveUtcInstant())
    )
    either = or_(*(column > bindparam("start") for column in instants.columns))
    with pytest.raises(TypeError, match="start"):
        rendered(select(instants).where(either), "postgresql")
