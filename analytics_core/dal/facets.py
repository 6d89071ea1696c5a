"""What a render is, in one small number.

Pages count renders by type, status, quality and platform. Grouping 60,000 rows by four texts takes
PostgreSQL twice as long as grouping them by one number, so the workspace's own table keeps that
number, computed by the database itself, and a product's rows get theirs while they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Integer,
    SmallInteger,
    String,
    case,
    literal_column,
    select,
    union_all,
)

from analytics_core.model.vocabulary import Platform, Quality, RenderStatus, RenderType

Words: TypeAlias = tuple[str, ...]

# Each dimension has a decimal digit of its own, from the right: 0 is whatever is not in the list.
# The numbers are stored: words may be added at the end, never moved.
DIGITS: Mapping[str, Words] = {
    "type": (RenderType.IMAGE, RenderType.VIDEO),
    "status": (
        *(RenderStatus.COMPLETED, RenderStatus.FAILED),
        *(RenderStatus.PENDING, RenderStatus.PROCESSING),
    ),
    "quality": (Quality.STANDARD, Quality.HIGH, Quality.ULTRA),
    "platform": (Platform.PLUGIN, Platform.TOOLS, Platform.CANVAS, Platform.WEB),
}


def facets(columns: Mapping[str, ColumnElement[Any]]) -> ColumnElement[int]:
    """The number of a render, from the columns of its dimensions and its `source_platform`."""
    number: ColumnElement[int] | None = None
    for position, (dimension, words) in enumerate(DIGITS.items()):
        cases = [
            (columns[dimension] == _spelled(word), _number(digit * 10**position))
            for digit, word in enumerate(words, start=1)
            if word != Platform.PLUGIN
        ]
        if dimension == "platform":
            plugin = columns["source_platform"] != _spelled("")
            cases.insert(0, (plugin, _number(10**position)))
        digit = case(*cases, else_=_number(0))
        number = digit if number is None else number + digit
    assert number is not None  # noqa: S101 - there are dimensions
    return number.cast(SmallInteger)


def digit(dimension: str, number: ColumnElement[int]) -> ColumnElement[int]:
    """The digit of one dimension; `word` says what it stands for."""
    shifted: ColumnElement[int] = number // 10 ** list(DIGITS).index(dimension)
    return shifted % 10


def digits(number: ColumnElement[int]) -> tuple[ColumnElement[str], ColumnElement[int]]:
    """Dimension and digit of a number, as columns of a row for each of its dimensions."""
    # Not VALUES, of which SQLAlchemy keeps no compiled statement.
    places = (
        select(_spelled(dimension).label("dimension"), _number(10**position).label("place"))
        for position, dimension in enumerate(DIGITS)
    )
    each = union_all(*places).subquery("dimensions").c
    return each.dimension, number // each.place % 10


def digit_of(dimension: str, word: str) -> int:
    """The digit that stands for a word."""
    return DIGITS[dimension].index(word) + 1


def word(dimension: str, digit: int) -> str | None:
    """What a digit stands for; None for 0, and for what newer code has written."""
    words = DIGITS[dimension]
    return words[digit - 1] if 1 <= digit <= len(words) else None


def _spelled(text: str) -> ColumnElement[str]:
    # A generated column takes no parameters; these are our own words.
    return literal_column(f"'{text}'", String)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), Integer)
