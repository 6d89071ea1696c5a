"""Events from a file, for what is older than recording takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from analytics_core.dal.database import Database
from analytics_core.dal.ingest import Ingested, IngestRepository

_BATCH = 5_000


def backfill(database: Database, lines: Iterable[bytes], now: datetime) -> Iterator[Ingested]:
    """Count the events of a file, a JSON object a line; says after each batch what became of it.

    The rows' own ids say what is there already, so that it may be broken off and begun again.
    """
    events = IngestRepository(database)
    wanted = (line.strip() for line in lines)
    filled = (line for line in wanted if line)
    while batch := list(islice(filled, _BATCH)):
        yield events.ingest(batch, now, backfill=True)
