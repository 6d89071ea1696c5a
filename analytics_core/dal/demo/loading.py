"""Writing demo data in bulk: all of it in one transaction, or nothing.

Indexes and keys are taken off and put back exactly as they were, because building an index over
rows that are there costs a fraction of keeping it while they come in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeAlias

import psycopg
import pyarrow as pa
import pyarrow.csv
from sqlalchemy import Connection, bindparam, func, select, text, update

from analytics_core.dal.database import Database
from analytics_core.dal.demo.columns import Column
from analytics_core.dal.demo.history import History
from analytics_core.dal.demo.shape import DAYS_A_WINDOW, DemoShape
from analytics_core.dal.partitions import PARTITIONED, make_partitions
from analytics_core.dal.rollup.marking import stop_marking
from analytics_core.dal.row_security import without_force
from analytics_core.dal.tables import Base, UserRow
from analytics_core.errors import DatabaseUnavailable, NotEmpty

# Reserved by RFC 2606: nobody has an address there.
_INVENTED = "%@example.com"
# Who was forgotten stays so, and what was done is not undone.
_STAY = ("tombstones", "tombstone_keys", "audit_log", "audit_people")
_TABLES = tuple(t.name for t in Base.metadata.sorted_tables if t.name not in _STAY)
# The server's own limits on memory are made for many sessions at once; this is one, for minutes.
_SORT_MEMORY = "256MB"

_WINDOW = timedelta(days=DAYS_A_WINDOW)

Progress: TypeAlias = Callable[[str, int, int], None]
_Part: TypeAlias = tuple[str, Column]


def load(
    database: Database,
    shape: DemoShape,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Fill an empty database and return how many rows each table got.

    `replace` first removes demo data that is there, and nothing else. `progress` is told what is
    being done, and how much of how much. Raises `NotEmpty` where there are users (with `replace`:
    users that are not invented), `ReadOnlyDatabase` for a product's own database, and
    `DatabaseUnavailable`.
    """
    tell = progress or (lambda *_: None)
    written: Counter[str] = Counter()
    history = History(shape)
    with database.write() as connection, _plain_words(database):
        writer = _WRITERS[database.dialect](connection)
        writer.lock()
        _refuse_unless_empty(database, connection, replace)
        writer.empty()
        make_partitions(connection, shape.now - shape.windows * _WINDOW, shape.now)
        with writer.without_policies(), writer.bare_tables(tell):
            tell("writing", 0, shape.renders)
            for table, rows in _ahead(history.tell()):
                writer.write(table, rows)
                written[table] += len(rows)
                if table == "renders":
                    tell("writing", written[table], shape.renders)
        writer.set_last_logins(history.last_logins())
        connection.commit()
    tell("tidying up", 0, 1)
    _tidy(database)
    tell("tidying up", 1, 1)
    return dict(written)


def _ahead(parts: Iterator[_Part]) -> Iterator[_Part]:
    """The same parts, each made by another thread while the one before is written."""
    with ThreadPoolExecutor(max_workers=1) as maker:
        coming = maker.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = maker.submit(next, parts, None)
            yield part


def _refuse_unless_empty(database: Database, connection: Connection, replace: bool) -> None:
    people = select(func.count()).select_from(UserRow)
    if not connection.scalar(people):
        return
    if not replace:
        raise NotEmpty(
            f"the database {database.label} already has users; `--replace` replaces demo data"
        )
    if connection.scalar(people.where(UserRow.email.not_like(_INVENTED))):
        raise NotEmpty(
            f"the database {database.label} has users that are not demo data; nothing was changed"
        )


class _Writer:
    """Writes Arrow tables within the transaction of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Keep others from writing until the transaction ends."""

    def without_policies(self) -> AbstractContextManager[None]:
        """Tables that may be written in bulk within the block."""
        return nullcontext()

    def empty(self) -> None:
        # Marks by the million would take longer than starting over: the next refresh does.
        stop_marking(self._connection)
        for table in reversed(_TABLES):
            self._connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names

    @contextmanager
    def bare_tables(self, progress: Progress) -> Iterator[None]:
        """Tables without indexes and keys, which come back at the end of the block."""
        taken_off, put_back = self._indexes()
        for statement in taken_off:
            self._connection.execute(text(statement))
        yield
        for number, statement in enumerate(put_back):
            progress("indexing", number, len(put_back))
            self._connection.execute(text(statement))
        progress("indexing", len(put_back), len(put_back))

    def write(self, table: str, rows: Column) -> None:
        raise NotImplementedError

    def set_last_logins(self, rows: Column) -> None:
        statement = (
            update(UserRow.__table__)  # type: ignore[arg-type]
            .where(UserRow.id == bindparam("user"))
            .values(last_login_at=bindparam("moment"))
        )
        values = [{"user": row["id"], "moment": row["last_login_at"]} for row in rows.to_pylist()]
        if values:
            self._connection.execute(statement, values)

    def _indexes(self) -> tuple[Sequence[str], Sequence[str]]:
        """Statements that drop what slows writing down, and those that make it again."""
        raise NotImplementedError


class _PostgresWriter(_Writer):
    def lock(self) -> None:
        self._connection.execute(text(f"LOCK {', '.join(_TABLES)} IN ACCESS EXCLUSIVE MODE"))
        self._connection.execute(text(f"SET LOCAL maintenance_work_mem = '{_SORT_MEMORY}'"))
        self._connection.execute(text("SET LOCAL TimeZone = 'UTC'"))

    def without_policies(self) -> AbstractContextManager[None]:
        return without_force(self._connection, _TABLES)

    def empty(self) -> None:
        stop_marking(self._connection)
        # Rows may be written as old ones (FREEZE) only after this, even where there were none.
        self._connection.execute(text(f"TRUNCATE {', '.join(_TABLES)}"))

    def write(self, table: str, rows: Column) -> None:
        columns = ", ".join(rows.column_names)
        # Arrow writes an instant with a zone twenty times slower than one without.
        plain = pa.table([_without_zone(column) for column in rows.columns], rows.column_names)
        buffer = pa.BufferOutputStream()
        pa.csv.write_csv(plain, buffer, pa.csv.WriteOptions(include_header=False))
        raw: Any = self._connection.connection.driver_connection
        # A partitioned table takes no rows as old ones.
        how = "FORMAT csv" if table == PARTITIONED else "FORMAT csv, FREEZE"
        with (
            raw.cursor() as cursor,
            cursor.copy(f"COPY {table} ({columns}) FROM STDIN ({how})") as copy,
        ):
            copy.write(memoryview(buffer.getvalue()))

    def _indexes(self) -> tuple[Sequence[str], Sequence[str]]:
        ours = {"tables": list(_TABLES)}
        constraints = self._connection.execute(
            text(
                "SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)"
                " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
                " WHERE c.oid = ANY (CAST(CAST(:tables AS text[]) AS regclass[]))"
                " AND k.contype IN ('p', 'u', 'f')"
                # Foreign keys stand on the others: first to go, last to come back.
                " ORDER BY k.contype = 'f', k.conname"
            ),
            ours,
        ).all()
        indexes = self._connection.execute(
            text(
                "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)"
                " FROM pg_index i"
                " WHERE i.indrelid = ANY (CAST(CAST(:tables AS text[]) AS regclass[]))"
                " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)"
                " ORDER BY 1"
            ),
            ours,
        ).all()
        drop = [
            *(
                f"ALTER TABLE {table} DROP CONSTRAINT {name}"
                for table, name, _ in constraints[::-1]
            ),
            *(f"DROP INDEX {name}" for name, _ in indexes),
        ]
        add = [
            # Of a partitioned table, for its partitions too.
            *(made.replace(" ON ONLY ", " ON ") for _, made in indexes),
            *(
                f"ALTER TABLE {table} ADD CONSTRAINT {name} {made}"
                for table, name, made in constraints
            ),
        ]
        return drop, add


class _SqliteWriter(_Writer):
    def write(self, table: str, rows: Column) -> None:
        if not len(rows):
            return
        columns, marks = ", ".join(rows.column_names), ", ".join("?" * rows.num_columns)
        values = list(zip(*map(_as_sqlite_has_it, rows.columns), strict=True))
        self._connection.exec_driver_sql(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608 - our own names
            values,
        )

    def _indexes(self) -> tuple[Sequence[str], Sequence[str]]:
        names = ", ".join(f"'{table}'" for table in _TABLES)
        # Those that SQLite made for a key have no text and stay.
        indexes = self._connection.execute(
            text(
                "SELECT name, sql FROM sqlite_schema"  # noqa: S608 - our own names
                f" WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({names})"
            )
        ).all()
        return [f"DROP INDEX {name}" for name, _ in indexes], [made for _, made in indexes]


_WRITERS: dict[str, type[_Writer]] = {"postgresql": _PostgresWriter, "sqlite": _SqliteWriter}


def _without_zone(column: Column) -> Column:
    return column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column


def _as_sqlite_has_it(column: Column) -> list[Any]:
    """A column's values as the table types of `dal.tables` store them."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    elif pa.types.is_date(column.type):
        column = column.cast(pa.string())
    values: list[Any] = column.to_pylist()
    return values


def _tidy(database: Database) -> None:
    """Let the planner know what is there, and let index-only reads skip the tables at once."""
    if database.dialect == "postgresql":
        with database.engine.connect() as connection:
            # VACUUM refuses to run within a transaction.
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text(f"VACUUM (ANALYZE) {', '.join(_TABLES)}"))
    else:
        with database.write() as connection:
            connection.execute(text("ANALYZE"))
            connection.commit()


@contextmanager
def _plain_words(database: Database) -> Iterator[None]:
    """Failures of the driver, which is used past SQLAlchemy for COPY, as our own."""
    try:
        yield
    except psycopg.Error as failure:
        raise DatabaseUnavailable(database.label, str(failure).splitlines()[0]) from failure
