"""API calls, month by month: on PostgreSQL each month of them is a table of its own.

They are by far the most rows, no other table refers to them, and who keeps them for some months
only can drop one as a whole. SQLite has one table; nobody else notices the difference.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, text

from analytics_core.dal.row_security import PROTECTED, is_protecting, protect_table

PARTITIONED = "api_calls"
# What comes before the first month that was made, or after the last, is lost in no case.
_DEFAULT = f"{PARTITIONED}_other"
_MONTHS_AHEAD = 3


def make_partitions(connection: Connection, first: datetime, last: datetime) -> int:
    """Make the months from one instant to three after another that are missing; how many.

    Rows of theirs that came before are moved. Does nothing on SQLite. Whoever opened the
    transaction commits.
    """
    if connection.dialect.name != "postgresql":
        return 0
    # Several may begin at once; each after the first finds the work done.
    connection.execute(text(f"LOCK TABLE {PARTITIONED} IN SHARE UPDATE EXCLUSIVE MODE"))
    there = _partitions(connection)
    end = last.date()
    for _ in range(_MONTHS_AHEAD):
        end = _next(end)
    month, made = first.date().replace(day=1), 0
    while month <= end:
        if _name(month) not in there:
            _make(connection, month)
            made += 1
        month = _next(month)
    return made


def months_before(connection: Connection, day: date) -> list[tuple[str, date, date]]:
    """The tables of whole months before a day, each with its month's first day and the next's."""
    if connection.dialect.name != "postgresql":
        return []
    found = []
    for name in sorted(_partitions(connection) - {_DEFAULT}):
        month = datetime.strptime(name, f"{PARTITIONED}_%Y_%m").replace(tzinfo=UTC).date()
        if _next(month) <= day:
            found.append((name, month, _next(month)))
    return found


def _partitions(connection: Connection) -> set[str]:
    found = text(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = CAST(:parent AS regclass)"
    )
    return set(connection.execute(found, {"parent": PARTITIONED}).scalars())


def _make(connection: Connection, month: date) -> None:
    name, start, end = _name(month), f"{month} 00:00+00", f"{_next(month)} 00:00+00"
    statements = [
        f"CREATE TABLE {name} (LIKE {PARTITIONED} INCLUDING DEFAULTS)",
        # Past the parent and its triggers: where a row lies is no change to it.
        f"WITH moved AS (DELETE FROM {_DEFAULT} WHERE occurred_at >= '{start}'"  # noqa: S608 - dates
        f" AND occurred_at < '{end}' RETURNING *) INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {PARTITIONED} ATTACH PARTITION {name} FOR VALUES FROM ('{start}')"
        f" TO ('{end}')",
    ]
    for statement in statements:
        connection.execute(text(statement))
    if is_protecting(connection):
        # Who reads a partition by itself passes the policies of the whole.
        protect_table(connection, name, PROTECTED[PARTITIONED])


def _name(month: date) -> str:
    return f"{PARTITIONED}_{month:%Y_%m}"


def _next(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
