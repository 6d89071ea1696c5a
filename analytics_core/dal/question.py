"""Questions whose SQL is written once and asked many times, with other people and other dates.

Building a statement takes SQLAlchemy longer than sending it takes the database to answer for most
users. So a statement is written for the form of a question; its scope and dates are parameters. All
databases of a process that have the same tables share it, and so do processes that are forked.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    SelectBase,
    String,
    TextualSelect,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    select,
    true,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from analytics_core.dal.catalog import Catalog, spelled_as_stored
from analytics_core.dal.database import Database
from analytics_core.dal.listed import array_parameter, array_text, listed, parameters_of
from analytics_core.dal.rendered import rendered
from analytics_core.dal.tables import (
    NaiveUtcInstant,
    NumberAsText,
    UtcInstant,
    UuidAsText,
    microseconds,
)
from analytics_core.dal.tombstones import DIGESTS
from analytics_core.model.daterange import DateRange
from analytics_core.model.scope import Scope

_DAY = timedelta(days=1)
_DAY_IN_MICROSECONDS = 86_400_000_000
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_DAYS: Mapping[str, TypeEngine[Any]] = {
    "day": Integer(),
    "start": UtcInstant(),
    "until": UtcInstant(),
}
# To look a day up costs as much as to tell the days of fifty rows.
_FEW_DAYS = 62
# A parameter has one type. What begins the names of those that are compared with a host's instants
# without a zone, and with what stands for instants there.
_NAIVE, _ODD = "naive_", "odd_"
# What begins the names of those that are compared with ids which a host does not store as text.
_IDS: Mapping[type[TypeEngine[Any]], str] = {UuidAsText: "uuid_", NumberAsText: "number_"}


class Whose(Enum):
    NOBODY = "nobody"
    ONE = "one"
    SEVERAL = "several"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days in a row, by position in the range: all of 24 hours, or one that is not."""

    first: int
    last: int
    regular: bool


@dataclass(frozen=True, slots=True)
class Form:
    """What of a question changes its SQL: whose rows, of which of their days, and on SQLite in what
    order days come that have 24 hours, and such that have not.
    """

    dialect: str
    whose: Whose
    # Of each stretch of days, whether they have 24 hours.
    are_regular: tuple[bool, ...] = ()
    # Nouns that are in rollup cells, but for gaps, and those that are there without any.
    with_gaps: frozenset[str] = frozenset()
    in_cells: frozenset[str] = frozenset()
    # Whether each day is looked up by itself, where rows are in an index by user and instant.
    day_by_day: bool = False

    def within(self, owner: ColumnElement[str]) -> ColumnElement[bool]:
        """The condition that a row belongs to the scope; `owner` is the row's user id."""
        match self.whose:
            case Whose.NOBODY:
                return false()
            case Whose.ONE:
                return owner == _people(owner, "user")
            case Whose.SEVERAL:
                return owner.in_(_people(owner, "users", expanding=True))
            case Whose.EVERYONE:
                return true()

    def owner(self, owner: ColumnElement[str]) -> ColumnElement[str]:
        """Whose a row is, to group by: one user's rows need not be compared to tell.

        Of one user it is a text, however tables store it.
        """
        return bindparam("user", type_=String()) if self.whose is Whose.ONE else owner

    def during(self, instant: ColumnElement[datetime]) -> ColumnElement[bool]:
        """The condition that an instant lies in the range."""
        return and_(
            instant >= bindparam(_fit(instant, "start")),
            instant < bindparam(_fit(instant, "end")),
            self.unless_rolled(instant),
        )

    def until_end(self, instant: ColumnElement[datetime]) -> ColumnElement[bool]:
        """The condition that an instant lies in the range or before it."""
        return and_(instant < bindparam(_fit(instant, "end")), self.unless_rolled(instant))

    def unless_rolled(self, instant: ColumnElement[datetime]) -> ColumnElement[bool]:
        """The condition that no rollup cell tells of an instant's row."""
        noun = _noun(instant)
        if noun in self.in_cells:
            return false()
        return self.in_gap(instant) if noun in self.with_gaps else true()

    def is_rolled(self, noun: str) -> bool:
        return noun in self.with_gaps | self.in_cells

    def in_gap(self, instant: ColumnElement[datetime]) -> ColumnElement[bool]:
        """The condition that an instant lies in one of the gaps of its noun."""
        columns = {"gap_start": instant.type, "gap_end": instant.type}
        gaps = listed(_fit(instant, _gaps_of(_noun(instant))), columns, self.dialect).c
        return and_(instant >= gaps.gap_start, instant < gaps.gap_end)

    def each_day(
        self, sums: Select[Any], instant: ColumnElement[datetime], *, since_ever: bool = False
    ) -> Select[Any]:
        """What `sums` adds up of each day of the range, which is told as `day`.

        With `since_ever` day 0 is what was before.
        """
        if self.day_by_day:
            # Of no row has to be told on which day it counts, which is a third of the time.
            days = listed("days", _DAYS, self.dialect).c
            sums = sums.where(instant >= days.start, instant < days.until)
            each = select(days.day, *sums.lateral("of_the_day").c)
            return each if since_ever else each.where(days.day > 0)
        condition = self.until_end(instant) if since_ever else self.during(instant)
        day = self.day_number(instant).label("day")
        return sums.add_columns(day).where(condition).group_by("day")

    def day_number(self, instant: ColumnElement[datetime]) -> ColumnElement[int]:
        """Which date of the range an instant counts on: 0 before it, 1 to `days`, then `days` + 1.

        PostgreSQL searches the array of instants at which days begin; SQLite, which has no such
        function, divides by the length of a day within each stretch of days that have 24 hours.
        """
        if self.dialect == "postgresql":
            return self.number(instant, "starts")
        cases: list[tuple[Any, Any]] = [(instant < bindparam("start"), literal(0))]
        for number, is_regular in enumerate(self.are_regular):
            day: ColumnElement[int] = bindparam(f"first_{number}", type_=Integer)
            if is_regular:
                begin = bindparam(f"begin_{number}", type_=BigInteger())
                day += (type_coerce(instant, BigInteger) - begin) // _DAY_IN_MICROSECONDS
            cases.append((instant < bindparam(f"end_{number}"), day))
        return case(*cases, else_=bindparam("after", type_=Integer))

    @staticmethod
    def number(instant: ColumnElement[datetime], starts: str) -> ColumnElement[int]:
        """Which of the stretches an instant is in that begin at an array's instants, from 1.

        On PostgreSQL only; `fitting` fills the parameter.
        """
        array = array_parameter(_fit(instant, starts), instant.type)
        return func.width_bucket(instant, array, type_=Integer)


class Tables(Hashable, Protocol):
    """What a statement is about, by which it is told from others: a catalog, or rollups."""

    @property
    def is_own(self) -> bool:
        """Whether these are the workspace's own tables, which are the same everywhere."""
        ...


About = TypeVar("About", bound=Tables)
Writer: TypeAlias = Callable[[About, Form], SelectBase]
# Half-open stretches of time, by noun.
Gaps: TypeAlias = Mapping[str, Sequence[tuple[datetime, datetime]]]


NO_GAPS: Gaps = MappingProxyType({})


class Questioner(Generic[About]):
    """Asks one database about its tables; `catalog` is of whose rows these are or came from."""

    def __init__(self, database: Database, catalog: Catalog, about: About) -> None:
        self._database, self._catalog, self._about = database, catalog, about
        # What is about a product's tables is kept no longer than whoever asks them.
        self._written = written if about.is_own else lru_cache(maxsize=256)(written.__wrapped__)
        self.dialect = database.dialect

    def ask(
        self,
        write: Writer[About],
        scope: Scope,
        dates: DateRange | None = None,
        gaps: Gaps = NO_GAPS,
        **more: Any,
    ) -> list[tuple[Any, ...]]:
        """What the statement that `write` makes of the question's form answers for it.

        `write` is the same function for the same question; `more` are its parameters besides those
        that scope, dates and gaps bring. Of a noun that has gaps, or could have, nothing else is
        read.
        """
        whose, people = self._whose(scope)
        dialect = self._database.dialect
        are_regular, instants = _cut(dates, dialect) if dates else ((), {})
        with_gaps = frozenset(noun for noun, gaps_of_it in gaps.items() if gaps_of_it)
        in_cells = frozenset(gaps) - with_gaps
        day_by_day = (
            (dialect == "postgresql" and whose is Whose.ONE and self._catalog.is_own)
            and (dates is not None and dates.days <= _FEW_DAYS)
            and not gaps
        )
        form = Form(dialect, whose, are_regular, with_gaps, in_cells, day_by_day)
        statement = self._written(write, self._about, form)
        return self._database.rows(
            statement, {**people, **instants, **gap_parameters(gaps, dialect), **more}
        )

    def _whose(self, scope: Scope) -> tuple[Whose, dict[str, Any]]:
        if scope.user_ids is None:
            return Whose.EVERYONE, {}
        id_type = self._catalog.users.c.id.type
        ids = sorted(i for i in scope.user_ids if self._catalog.may_be_id(i, id_type))
        more: dict[str, Any] = {}
        if tombstones := self._catalog.tombstones:
            # Looked at here, so that the database need not look at each row of theirs.
            forgotten = tombstones.known(spelled_as_stored(i, id_type) for i in ids)
            ids = [i for i in ids if spelled_as_stored(i, id_type) not in forgotten]
            more = {DIGESTS: []}
        match ids:
            case []:
                return Whose.NOBODY, more
            case [one]:
                return Whose.ONE, {**fitting_people("user", one), **more}
            case _:
                return Whose.SEVERAL, {**fitting_people("users", ids), **more}


@lru_cache(maxsize=1024)
def written(write: Writer[About], about: About, form: Form) -> TextualSelect:
    """The statement that answers a question of this form about these tables."""
    return rendered(write(about, form), form.dialect)


def gap_parameters(gaps: Gaps, dialect: str) -> dict[str, Any]:
    """The parameters of conditions on gaps."""
    columns = {"gap_start": UtcInstant(), "gap_end": UtcInstant()}
    return {
        name: value
        for noun, stretches in gaps.items()
        if stretches
        for named in fitting({_gaps_of(noun): None})
        for name, value in parameters_of(named, columns, stretches, dialect).items()
    }


def fitting(
    parameters: Mapping[str, Any], begins: Iterable[str] = ("", _NAIVE, _ODD)
) -> dict[str, Any]:
    """Parameters by all the names that statements ask for them by, instants of whatever type."""
    return {begin + name: value for begin in begins for name, value in parameters.items()}


def _fit(instant: ColumnElement[datetime], name: str) -> str:
    """The name of a parameter that an instant is compared with: of each type there is one."""
    match instant.type:
        case UtcInstant():
            return name
        case NaiveUtcInstant():
            return _NAIVE + name
    return _ODD + name


def _people(owner: ColumnElement[str], name: str, *, expanding: bool = False) -> BindParameter[Any]:
    """The parameter that ids are compared with, of their own kind: text, uuid or number."""
    for kind, begin in _IDS.items():
        if isinstance(owner.type, kind):
            return bindparam(begin + name, type_=kind(), expanding=expanding)
    return bindparam(name, type_=String(), expanding=expanding)


def fitting_people(name: str, value: Any) -> dict[str, Any]:
    """The parameters that ids are compared with, of whatever kind."""
    return fitting({name: value}, ("", *_IDS.values()))


def _noun(instant: ColumnElement[datetime]) -> str:
    """Selectables of a catalog are named after their nouns."""
    table: Any = getattr(instant, "table", None)
    return str(getattr(table, "name", ""))


def _gaps_of(noun: str) -> str:
    return f"gaps_of_{noun}"


@lru_cache(maxsize=1024)
def _cut(dates: DateRange, dialect: str) -> tuple[tuple[bool, ...], dict[str, Any]]:
    """What the form says of the days of a range, and the parameters of a question about them."""
    starts = [*dates.day_starts, dates.end]
    instants: dict[str, Any] = {"start": starts[0], "end": starts[-1]}
    if dialect == "postgresql":
        instants["starts"] = array_text(starts)
        days = [(n, *ends) for n, ends in enumerate(pairwise([_EVER, *starts]))]
        few = days if dates.days <= _FEW_DAYS else []
        return (), {**fitting(instants), **parameters_of("days", _DAYS, few, dialect)}
    lengths = [end - start for start, end in pairwise(starts)]
    stretches: list[Stretch] = []
    for position, length in enumerate(lengths):
        if not length:
            # A date that its zone skipped: no instant counts on it.
            continue
        regular = length == _DAY
        before = stretches[-1] if stretches else None
        if regular and before and before.regular and before.last == position - 1:
            stretches[-1] = Stretch(before.first, position, regular)
        else:
            stretches.append(Stretch(position, position, regular))
    instants["after"] = dates.days + 1
    for number, stretch in enumerate(stretches):
        instants[f"first_{number}"] = stretch.first + 1
        instants[f"begin_{number}"] = microseconds(starts[stretch.first])
        instants[f"end_{number}"] = starts[stretch.last + 1]
    return tuple(stretch.regular for stretch in stretches), instants
