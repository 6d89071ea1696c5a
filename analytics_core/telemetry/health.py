"""How recording is doing: what waits in the spool and since when, and what was not counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from analytics_core.dal.database import Database
from analytics_core.dal.ingest import IngestRepository
from analytics_core.errors import AnalyticsError
from analytics_core.model.event import from_json
from analytics_core.telemetry.spool import (
    MEBIBYTE,
    has_drain,
    read_cursor,
    segments,
    spool_bytes,
    unframed,
)
from analytics_core.telemetry.writer import read_trouble

# An end may be told some time before its beginning, which another process's spool holds.
_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Health:
    """Events waiting, bytes of the spool, seconds since the oldest event, and what went wrong.

    `set_aside` counts by reason; it is None, and `waiting_endings` too, where the database does not
    answer, which `error` then says.
    """

    waiting: int
    spool_bytes: int
    oldest: datetime | None
    is_written: bool
    error: str | None
    set_aside: dict[str, int] | None = field(default_factory=dict)
    waiting_endings: int | None = 0


def read_health(folder: Path, database: Database, now: datetime | None = None) -> Health:
    """The health of a spool and of what its database says about events."""
    waiting, oldest = _waiting(folder)
    trouble = read_trouble(folder)
    error = trouble.error if trouble else None
    repository = IngestRepository(database)
    set_aside: dict[str, int] | None = None
    endings: int | None = None
    try:
        set_aside = repository.set_aside_by_reason()
        endings = repository.waiting_endings((now or datetime.now(UTC)) - _PATIENCE)
    except AnalyticsError as problem:
        error = error or str(problem)
    return Health(
        waiting, spool_bytes(folder), oldest, has_drain(folder), error, set_aside, endings
    )


def findings(folder: Path, database: Database) -> Iterator[tuple[bool, str]]:
    """The health in lines, each with whether it is well."""
    health = read_health(folder, database)
    since = f", the first from {health.oldest:%Y-%m-%d %H:%M} UTC" if health.oldest else ""
    size = f"{health.spool_bytes / MEBIBYTE:.1f} MiB"
    yield health.error is None, f"{health.waiting} events wait in {folder} ({size}){since}"
    if health.error is not None:
        yield False, f"they cannot be written: {health.error}"
    for reason, count in (health.set_aside or {}).items():
        yield (
            False,
            f"{count} events set aside, which `analytics spool retry` tries again: {reason}",
        )
    if health.waiting_endings:
        yield False, f"{health.waiting_endings} ends of renders and files that nobody has told of"


def _waiting(folder: Path) -> tuple[int, datetime | None]:
    """How many events wait, and when the first of them in the spool happened."""
    waiting, first = 0, b""
    for segment in segments(folder):
        try:
            with segment.open("rb") as file:
                file.seek(read_cursor(segment))
                if not first:
                    start = file.tell()
                    first = file.readline().lstrip(b"\0")
                    if not first.endswith(b"\n"):
                        first = b""
                    file.seek(start)
                while block := file.read(MEBIBYTE):
                    waiting += block.count(b"\n")
        except FileNotFoundError:
            # Written meanwhile.
            continue
    line = unframed(first.rstrip(b"\n"))
    try:
        return waiting, from_json(line).occurred_at if line else None
    except ValueError:
        return waiting, None


def openmetrics(folder: Path, database: Database, refused: dict[str, int] | None = None) -> bytes:
    """The same as OpenMetrics text; `refused` are this process's refusals by reason."""
    registry = CollectorRegistry()
    registry.register(_Gauges(read_health(folder, database), refused or {}))
    text: bytes = generate_latest(registry)
    return text


class _Gauges(Collector):
    def __init__(self, health: Health, refused: dict[str, int]) -> None:
        self._health, self._refused = health, refused

    def collect(self) -> list[Metric]:
        health = self._health
        age = (datetime.now(UTC) - health.oldest).total_seconds() if health.oldest else 0.0
        plain = {
            "analytics_spool_events": ("Events that wait for the database.", health.waiting),
            "analytics_spool_bytes": ("Size of the spool on the disk.", health.spool_bytes),
            "analytics_spool_oldest_seconds": ("Age of the first event that waits.", max(age, 0)),
            "analytics_writer_running": ("Whether a writer works.", int(health.is_written)),
            "analytics_writer_failing": (
                "Whether the last attempt to write failed.",
                int(health.error is not None),
            ),
        }
        if health.waiting_endings is not None:
            text = "Ends of renders and files that nobody has told of."
            plain["analytics_endings_waiting"] = (text, health.waiting_endings)
        metrics: list[Metric] = [
            GaugeMetricFamily(name, text, value=value) for name, (text, value) in plain.items()
        ]
        for name, text, counts in (
            ("analytics_events_set_aside", "Events that could not be counted.", health.set_aside),
            ("analytics_events_refused", "Events refused by this process.", self._refused),
        ):
            if counts is not None:
                family = GaugeMetricFamily(name, text, labels=["reason"])
                for reason, count in counts.items():
                    family.add_metric([reason], count)
                metrics.append(family)
        return metrics
