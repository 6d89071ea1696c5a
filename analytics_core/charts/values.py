"""What to draw, as plain values: bqplot figures, static SVG and tables are all made from these.

A chart says which members it has (dates, platforms, routes…), which series run over them, in which
unit and colour role, and one sentence that says what it shows. It knows no pixels, no colours and
no library.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Number: TypeAlias = int | float


class Kind(StrEnum):
    """`LINES` over dates; `BARS`, one for each member; `PIE`, two or three parts of a whole."""

    LINES = "lines"
    BARS = "bars"
    PIE = "pie"


class Unit(StrEnum):
    COUNT = "count"
    CREDITS = "credits"
    BYTES = "bytes"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    PERCENT = "percent"


class Role(StrEnum):
    """What a colour stands for; a metric keeps its role, and so its colour, everywhere."""

    RENDERS = "renders"
    CREDITS = "credits"
    API = "api"
    STORAGE = "storage"
    PROJECTS = "projects"
    ACCOUNT = "account"
    BEFORE = "before"


class Tone(StrEnum):
    """Whether a change is good news; spending more is neither."""

    GOOD = "good"
    BAD = "bad"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Member:
    """One position along a chart's dimension: a stable key and what people read.

    `full` is the label where there is room for more (tooltip, table): `Fri, Oct 23, 2026`.
    """

    key: str
    label: str
    full: str = ""

    @property
    def name(self) -> str:
        return self.full or self.label


@dataclass(frozen=True, slots=True)
class Series:
    """One value per member of the chart, None where there is none."""

    key: str
    label: str
    role: Role
    values: tuple[Number | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart; `key` is stable across ranges and users, so that a figure can be updated in place.

    For `LINES` the dimension is "date", or "week" or "month" where a long range is drawn in such
    steps, and member keys are the ISO dates at which they begin. `comparison` is the period before,
    laid over the same positions. `empty` is None unless there is nothing to draw: then it says what
    would appear here and how to get it.
    """

    key: str
    kind: Kind
    title: str
    summary: str
    dimension: str
    unit: Unit
    members: tuple[Member, ...]
    series: tuple[Series, ...]
    comparison: Series | None = None
    empty: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A value beside that of the period before, as read: `2,112 before`, `+4`, `+18.2%`."""

    before: str
    difference: str
    percent: str | None
    tone: Tone


@dataclass(frozen=True, slots=True)
class Card:
    """One number with its context and its own small line; `exact` is the number unrounded."""

    key: str
    label: str
    role: Role
    value: str
    exact: Number | None
    context: str
    change: Change | None = None
    line: tuple[Number | None, ...] = ()


@dataclass(frozen=True, slots=True)
class TabContent:
    """What one tab shows: cards of its own (often none) above its charts, in reading order."""

    key: str
    label: str
    cards: tuple[Card, ...]
    charts: tuple[Chart, ...]
