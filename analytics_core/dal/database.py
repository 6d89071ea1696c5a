"""One database: its engine, its read and write transactions, and its failures in plain words.

A process holds at most two connections, closes them when nobody has asked for a while, and does
nothing that a connection pooler in transaction mode would break: no prepared statements, no session
state, every read in a transaction of its own that is rolled back.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Executable, create_engine, event, make_url, text
from sqlalchemy import exc as sql_errors
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool

from analytics_core.dal.grants import ACCESS, OWN, SETTING, Granted, shown_here, unsigned
from analytics_core.dal.row_security import Standing, standing
from analytics_core.errors import (
    AccessEnded,
    DatabaseUnavailable,
    NotHeldBack,
    ReadOnlyDatabase,
    SettingsError,
)
from analytics_core.model.scope import Scope

Answer = TypeVar("Answer")

MAX_CONNECTIONS = 2
IDLE = timedelta(seconds=30)
# How long to wait for a server, for a free connection, or for another writer's lock (SQLite).
PATIENCE_SECONDS = 5
# How long it is believed what a role may do, and that a grant is good whose time is not over.
_BELIEVED_SECONDS = 300
_MOST_SHOWN = 1_000


class Database:
    """One database at a SQLAlchemy URL; connects when first asked.

    On PostgreSQL every transaction shows what was `granted`, where the database asks for it.
    `read_only` databases refuse `write`. Raises `SettingsError` for a URL that cannot be used and
    `DatabaseUnavailable` wherever the database does not answer. Who asks while all connections are
    in use waits for one, up to `wait_for_connection` seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        read_only: bool = False,
        create: bool = False,
        wait_for_connection: float = 60,
        granted: Granted | None = None,
    ) -> None:
        self._url = _read_url(url)
        self.read_only = read_only
        self._create = create
        self._wait_for_connection = wait_for_connection
        self._granted = granted or Granted()
        self._standing: Standing | None = None
        self._shown: dict[Granted, tuple[float, str | None]] = {}
        self._lock = threading.Lock()
        self._shared = threading.local()
        self._in_use = 0
        self._last_used = 0.0
        self._idle_timer: threading.Timer | None = None
        self.engine = self._make_engine()

    @property
    def dialect(self) -> str:
        return self._url.get_backend_name()

    @property
    def label(self) -> str:
        """The address without a password, for people."""
        secret = [name for name in self._url.query if "password" in name]
        return self._url.difference_update_query(secret).render_as_string(hide_password=True)

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database; None for a server."""
        return Path(self._url.database or "") if self.dialect == "sqlite" else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a read-only transaction of one snapshot, which is always rolled back."""
        with self._transaction() as (connection, show):
            if self.dialect == "postgresql":
                connection = connection.execution_options(
                    postgresql_readonly=True, isolation_level="REPEATABLE READ"
                )
            show(connection)
            yield connection

    @contextmanager
    def write(self, *, snapshot: bool = False) -> Iterator[Connection]:
        """A connection in a transaction; leaving the block rolls back unless `commit()` was said.

        With `snapshot`, all of it reads what was committed when it asked first. Raises
        `ReadOnlyDatabase` for a product's own database.
        """
        if self.read_only:
            raise ReadOnlyDatabase(f"{self.label} is a product's own database and is only read")
        with self._transaction() as (connection, show):
            if snapshot and self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            connection = connection.execution_options(writes=True)
            show(connection)
            yield connection

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within the block, all that this thread asks by `rows` shares one read transaction."""
        with self.read() as connection:
            self._shared.connection, self._shared.answers = connection, {}
            try:
                yield
            finally:
                del self._shared.connection, self._shared.answers

    def once(self, key: Hashable, ask: Callable[[], Answer]) -> Answer:
        """What `ask` answers, asked once in the transaction of `reading`: it is one snapshot."""
        answers: dict[Hashable, Any] = getattr(self._shared, "answers", {})
        if key not in answers:
            answers[key] = ask()
        answer: Answer = answers[key]
        return answer

    def rows(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """What one statement answers, in the transaction of `reading` or one of its own."""
        shared: Connection | None = getattr(self._shared, "connection", None)
        with nullcontext(shared) if shared else self.read() as connection:
            # All at once: one by one takes twice as long.
            found: Sequence[tuple[Any, ...]] = connection.execute(statement, parameters).all()
            return list(found)

    def server(self) -> str:
        """What answers, by name and version: PostgreSQL 18.1, SQLite 3.45."""
        with self.read() as connection:
            name = "PostgreSQL" if self.dialect == "postgresql" else "SQLite"
            version = connection.dialect.server_version_info or ()
            return f"{name} {'.'.join(map(str, version))}"

    def may_write(self) -> bool:
        """Whether our role on a PostgreSQL server could change any table we can see."""
        question = """
            SELECT EXISTS (
                SELECT FROM information_schema.table_privileges
                WHERE privilege_type IN ('INSERT', 'UPDATE', 'DELETE')
                AND table_schema NOT IN ('pg_catalog', 'information_schema')
            )
        """
        return bool(self.rows(text(question))[0][0])

    def standing(self) -> Standing:
        """How our role stands to the grants of a PostgreSQL database, as far as is known."""
        if self._standing is None:
            with self._plain_words(), self._busy(), self.engine.connect() as connection:
                self._standing = standing(connection)
        return self._standing

    def hold_back(self) -> None:
        """Raise `NotHeldBack` where our role could help itself to more than it is granted."""
        if self.dialect == "postgresql" and not (known := self.standing()).is_held_back:
            raise NotHeldBack(self.label, known.role)

    def sign(self, scope: Scope, until: datetime) -> str | None:
        """A grant of the scope until then; None where our role may not sign, or nobody asks."""
        if self.dialect != "postgresql" or not self.standing().signs:
            return None
        with self._plain_words(), self._busy(), self.engine.connect() as connection:
            return _signed(connection, scope, until)

    def needs_grant(self) -> bool:
        """Whether our role sees rows of people only with a signed grant."""
        if self.dialect != "postgresql":
            return False
        ours = self.standing()
        return ours.checks and not ours.bypasses and not ours.sees_everyone

    def ask_anew(self) -> None:
        """Believe nothing any more that the database said of our role."""
        self._standing = None
        self._shown.clear()

    def doubt(self) -> None:
        """Ask again whether what is shown here is believed: keys may have been replaced since."""
        self._shown.pop(shown_here() or self._granted, None)

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, Callable[[Connection], None]]]:
        """A connection, and what has it show what was granted, once it is known how it begins."""
        with self._plain_words(), self._busy():
            # Asked before: who has one connection must not wait for another.
            told = self._told() if self.dialect == "postgresql" else None

            def show(connection: Connection) -> None:
                if told is not None:
                    # Of all ways the one that takes no snapshot: locks are waited for before.
                    connection.exec_driver_sql(f"SET LOCAL {SETTING} = '{told}'")

            with self.engine.connect() as connection:
                yield connection, show

    def _told(self) -> str | None:
        """The grant that transactions show, asked for again after some minutes."""
        granted = shown_here() or self._granted
        now = time.monotonic()
        since, told = self._shown.get(granted, (-math.inf, None))
        if now - since > _BELIEVED_SECONDS:
            told = self._grant_to_show(granted)
            if len(self._shown) >= _MOST_SHOWN:
                self._shown.clear()
            self._shown[granted] = now, told
        elif told is not None:
            # Raises where its time is over.
            granted.told(datetime.now(UTC))
        return told

    def _grant_to_show(self, granted: Granted) -> str | None:
        """What the database shall see, tried in a transaction of its own; raises `AccessEnded`."""
        now = datetime.now(UTC)
        with self.engine.connect() as connection:
            ours = self._standing = standing(connection)
            if ours.bypasses or not ours.checks:
                return None
            told = granted.told(now)
            if told is None:
                if ours.signs:
                    return _signed(connection, granted.scope, now + OWN)
                if ours.sees_everyone:
                    return None
                raise AccessEnded
            good = text(f"SELECT {ACCESS}.is_good(:told)")
            if not connection.execute(good, {"told": told}).scalar():
                raise AccessEnded
            return told

    def close(self) -> None:
        with self._lock:
            if self._idle_timer:
                self._idle_timer.cancel()
                self._idle_timer = None
        self.engine.dispose()

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Count who uses the engine, to give its connections back when nobody does."""
        with self._lock:
            self._in_use += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_use -= 1
                self._last_used = time.monotonic()
                if self._idle_timer is None:
                    self._give_back_after(IDLE.total_seconds())

    def _give_back_after(self, seconds: float) -> None:
        self._idle_timer = threading.Timer(seconds, self._give_back)
        self._idle_timer.daemon = True
        self._idle_timer.start()

    def _give_back(self) -> None:
        with self._lock:
            self._idle_timer = None
            remaining = self._last_used + IDLE.total_seconds() - time.monotonic()
            if self._in_use or remaining > 0:
                self._give_back_after(max(remaining, 1))
            else:
                self.engine.dispose()

    @contextmanager
    def _plain_words(self) -> Iterator[None]:
        try:
            yield
        except sql_errors.TimeoutError:
            raise DatabaseUnavailable(self.label, "all connections are busy") from None
        except sql_errors.IntegrityError:
            # The database is well; what was to be written breaks one of its rules.
            raise
        except sql_errors.DBAPIError as failure:
            # No server, a damaged file, a table that went away or may not be read. Our own mistakes
            # come out here too, and `--debug` shows them.
            raise DatabaseUnavailable(self.label, _first_line(failure.orig)) from failure

    def _make_engine(self) -> Engine:
        bounded: dict[str, Any] = {
            "poolclass": QueuePool,
            "pool_size": MAX_CONNECTIONS,
            "max_overflow": 0,
            "pool_timeout": self._wait_for_connection,
        }
        if self.dialect == "sqlite":
            engine = create_engine(self._url, creator=self._open_file, **bounded)
            event.listen(engine, "begin", _begin_sqlite)
            event.listen(engine, "connect", self._remember_file)
            event.listen(engine, "checkout", self._check_file)
            return engine
        engine = create_engine(
            self._url,
            # A server that was restarted meanwhile costs one ping, not a failed page.
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": PATIENCE_SECONDS,
                "prepare_threshold": None,
                # A server that went away without a word is noticed, instead of waited for.
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 2,
                "tcp_user_timeout": 20_000,
            },
            **bounded,
        )
        # Imports the driver, which nobody needs for a file.
        from analytics_core.dal.numbers import load_plain_numbers

        event.listen(engine, "connect", load_plain_numbers)
        return engine

    def _open_file(self) -> sqlite3.Connection:
        """Open the SQLite file, which only `create` may bring into being."""
        path = str(self.path)
        mode = "rwc" if self._create else "rw"
        if not self._create and not os.path.exists(path):
            raise sqlite3.OperationalError(
                "there is no such file (`analytics init` makes a workspace database)"
            )
        writable = os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)
        if not writable and not self._create:
            # Without write access SQLite can read a write-ahead log only if it is already there.
            mode = "ro" if os.path.exists(f"{path}-wal") else "ro&immutable=1"
        connection = sqlite3.connect(
            f"file:{quote(path)}?mode={mode}",
            uri=True,
            timeout=PATIENCE_SECONDS,
            check_same_thread=False,
            # Transactions begin where we say so: see `_begin_sqlite`.
            isolation_level=None,
        )
        if self._create:
            # Readers then never wait for the one writer; the file remembers it.
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _remember_file(self, _connection: Any, record: Any) -> None:
        record.info["file"] = self._file_id()

    def _check_file(self, _connection: Any, record: Any, _proxy: Any) -> None:
        """Open anew where the file was moved or replaced: an open one would still be read."""
        if record.info["file"] != self._file_id():
            raise sql_errors.DisconnectionError

    def _file_id(self) -> tuple[int, int] | None:
        try:
            found = os.stat(str(self.path))
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _signed(connection: Connection, scope: Scope, until: datetime) -> str:
    signed = text(f"SELECT {ACCESS}.signed(:said)")
    return str(connection.execute(signed, {"said": unsigned(scope, until)}).scalar_one())


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a read lock fails without waiting.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _read_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (sql_errors.ArgumentError, ValueError):
        url = None
    # An @ left of the host, or a colon, belongs to a password: nothing of it may be repeated.
    if url is None or "@" in f"{url.host}{url.database if url.host else ''}":
        raise SettingsError(
            "database URL", "cannot be read as one (in a password @ is written %40, and / is %2F)"
        )
    match url.get_backend_name():
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+psycopg")
        case "sqlite" if url.database and url.database != ":memory:":
            return url.set(database=os.path.abspath(url.database))
        case "sqlite":
            raise SettingsError("database URL", "an SQLite database needs a file")
        case other:
            raise SettingsError("database URL", f"{other} is not PostgreSQL or SQLite")


def _first_line(failure: BaseException | None) -> str:
    lines = str(failure).strip().splitlines()
    return lines[0] if lines else type(failure).__name__
