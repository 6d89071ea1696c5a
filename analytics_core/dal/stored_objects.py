"""What lies in a bucket beside what the files table says, compared on disk and not in memory.

Listing a big bucket takes minutes, in which no transaction may stay open, and a product's database
takes nothing from us. So both sides go into a scratch database of their own, which sorts them.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import or_, select

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.database import Database
from analytics_core.model.storage import Heap, OwnerDifference

_AT_ONCE = 5_000

# `known` is 1 for a row in the table, `wanted` where it must be in the bucket too.
_SIDES = """
    CREATE TABLE sides (
        user_id TEXT, file_id TEXT, object_bytes INTEGER, row_bytes INTEGER, wanted INTEGER
    )
"""
_DIFFERENCES = """
    SELECT
        owner,
        coalesce(sum(lost IS NULL AND object_bytes IS NOT NULL AND row_bytes IS NULL), 0),
        coalesce(sum(iif(row_bytes IS NULL, object_bytes, 0)), 0),
        coalesce(sum(lost), 0),
        coalesce(sum(iif(lost, row_bytes, 0)), 0),
        coalesce(sum(other), 0),
        coalesce(sum(iif(other, object_bytes, 0)), 0),
        coalesce(sum(iif(other, row_bytes, 0)), 0)
    FROM (
        SELECT
            owner, object_bytes, row_bytes,
            iif(object_bytes IS NULL AND wanted, 1, NULL) AS lost,
            object_bytes <> row_bytes AS other
        FROM (
            SELECT
                max(user_id) AS owner, sum(object_bytes) AS object_bytes,
                max(row_bytes) AS row_bytes, max(wanted) AS wanted
            FROM sides GROUP BY {key}
        )
        WHERE (object_bytes IS NULL AND wanted) OR row_bytes IS NULL OR object_bytes <> row_bytes
    )
    GROUP BY owner ORDER BY owner
"""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a bucket; `user_id` is None where its path does not say."""

    user_id: str | None
    file_id: str
    bytes: int


class StoredObjectComparison:
    """Compares objects with the files table of one database."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    def differences(
        self, objects: Iterable[StoredObject], began: datetime, *, by_user: bool
    ) -> Iterator[OwnerDifference]:
        """Per user what differs, by id; a user of None owns objects that no row claims.

        Several objects of one file are one file, their sizes added. `began` is when listing began:
        files that came or went since are not missing on either side. Without `by_user` a file is
        found by its id alone.
        """
        with tempfile.TemporaryDirectory(prefix="storage-scan-") as folder:
            scratch = sqlite3.connect(Path(folder, "scan.db"), isolation_level=None)
            with closing(scratch):
                # What is lost with this process is looked up again.
                scratch.execute("PRAGMA journal_mode = OFF")
                scratch.execute("PRAGMA synchronous = OFF")
                scratch.execute(_SIDES)
                scratch.executemany(
                    "INSERT INTO sides VALUES (?, ?, ?, NULL, NULL)",
                    ((one.user_id, one.file_id, one.bytes) for one in objects),
                )
                scratch.executemany(
                    "INSERT INTO sides VALUES (?, ?, NULL, ?, ?)", self._rows(began)
                )
                key = "user_id, file_id" if by_user else "file_id"
                for owner, *numbers in scratch.execute(_DIFFERENCES.format(key=key)):
                    bucket_files, bucket_bytes, table_files, table_bytes, *other = numbers
                    yield OwnerDifference(
                        owner,
                        Heap(bucket_files, bucket_bytes),
                        Heap(table_files, table_bytes),
                        *other,
                    )

    def _rows(self, began: datetime) -> Iterator[tuple[str, str, int, bool]]:
        """Every file that was there when listing began or came since."""
        f = self._catalog.files.c
        statement = select(f.user_id, f.id, f.size, f.created_at, f.deleted_at).where(
            or_(f.deleted_at.is_(None), f.deleted_at >= began)
        )
        with self._database.read() as connection:
            # From the server in portions, too: it would else hand over all of them at once.
            portions = connection.execution_options(yield_per=_AT_ONCE)
            for user_id, file_id, size, created_at, deleted_at in portions.execute(statement):
                wanted = deleted_at is None and created_at < began
                yield user_id, file_id, int(size), wanted
