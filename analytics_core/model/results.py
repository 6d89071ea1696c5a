"""What the services answer: frozen values, one per question, all defined in docs/metrics.

`to_dict` gives the machine-readable form (JSON numbers, nothing rounded); `to_frame` a pandas
DataFrame for analysts. A `…_by_day` tuple has one entry per date of the range, in order, and is
what charts draw; it is not part of the machine-readable form, whose series is `daily`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from analytics_core.model.daterange import DateRange
from analytics_core.model.vocabulary import ApiSource

if TYPE_CHECKING:
    # pandas takes longer to import than `analytics stats` may take altogether.
    import pandas as pd

Partition: TypeAlias = Mapping[str, int]
Number: TypeAlias = int | float


def _partition_frame(name: str, partitions: Mapping[str, Partition]) -> pd.DataFrame:
    import pandas as pd

    rows = [
        (dimension, member, value)
        for dimension, partition in partitions.items()
        for member, value in partition.items()
    ]
    return pd.DataFrame(rows, columns=["dimension", "member", name])


@dataclass(frozen=True, slots=True)
class RenderStats:
    """Renders created in the range; times in seconds, rate in percent."""

    total: int
    by_type: Partition
    by_status: Partition
    by_quality: Partition
    by_platform: Partition
    average_processing_time: float | None
    success_rate: float | None
    credits_spent: Number
    by_day: tuple[int, ...]
    processing_time_by_day: tuple[float | None, ...]
    success_rate_by_day: tuple[float | None, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "by_type": dict(self.by_type),
            "by_status": dict(self.by_status),
            "by_quality": dict(self.by_quality),
            "by_platform": dict(self.by_platform),
            "average_processing_time": self.average_processing_time,
            "success_rate": self.success_rate,
            "credits_spent": self.credits_spent,
        }

    def to_frame(self) -> pd.DataFrame:
        """A row per dimension and member: columns `dimension`, `member`, `renders`."""
        return _partition_frame(
            "renders",
            {
                "type": self.by_type,
                "status": self.by_status,
                "quality": self.by_quality,
                "platform": self.by_platform,
            },
        )


@dataclass(frozen=True, slots=True)
class CreditStats:
    """The ledger in the range, in credits; `balance` is all-time, as of the end of the range."""

    spent: Number
    earned: Number
    net: Number
    by_category: Mapping[str, Number]
    average_per_day: float | None
    balance: Number
    spent_by_day: tuple[Number, ...]
    earned_by_day: tuple[Number, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "spent": self.spent,
            "earned": self.earned,
            "net": self.net,
            "by_category": dict(self.by_category),
            "average_per_day": self.average_per_day,
            "balance": self.balance,
        }

    def to_frame(self) -> pd.DataFrame:
        """A row per category: columns `category`, `credits` (absolute sums)."""
        import pandas as pd

        return pd.DataFrame(list(self.by_category.items()), columns=["category", "credits"])


@dataclass(frozen=True, slots=True)
class Latency:
    """Quantiles of the duration of recorded API calls, in milliseconds; None without calls."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class ApiStats:
    """API calls in the range; `source` is None where no day of it has any source."""

    total_calls: int
    source: ApiSource | None
    by_platform: Partition
    by_route: Partition
    by_status_class: Partition
    latency_ms: Latency
    average_per_day: float | None
    keys: int
    active_keys: int
    by_day: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "total_calls": self.total_calls,
            "source": self.source,
            "by_platform": dict(self.by_platform),
            "by_route": dict(self.by_route),
            "by_status_class": dict(self.by_status_class),
            "latency_ms": {"p50": self.latency_ms.p50, "p95": self.latency_ms.p95},
            "average_per_day": self.average_per_day,
            "keys": self.keys,
            "active_keys": self.active_keys,
        }

    def to_frame(self) -> pd.DataFrame:
        """A row per dimension and member: columns `dimension`, `member`, `calls`."""
        return _partition_frame(
            "calls",
            {
                "platform": self.by_platform,
                "route": self.by_route,
                "status_class": self.by_status_class,
            },
        )


@dataclass(frozen=True, slots=True)
class StorageStats:
    """Files created in the range, and what is stored as of its end; sizes in bytes."""

    uploaded_bytes: int
    uploaded_files: int
    by_media_type: Partition
    stored_bytes: int
    stored_files: int
    average_per_day: float | None
    uploaded_by_day: tuple[int, ...]
    stored_by_day: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "uploaded_bytes": self.uploaded_bytes,
            "uploaded_files": self.uploaded_files,
            "by_media_type": dict(self.by_media_type),
            "stored_bytes": self.stored_bytes,
            "stored_files": self.stored_files,
            "average_per_day": self.average_per_day,
        }

    def to_frame(self) -> pd.DataFrame:
        """A row per top-level media type: columns `media_type`, `files`."""
        import pandas as pd

        return pd.DataFrame(list(self.by_media_type.items()), columns=["media_type", "files"])


@dataclass(frozen=True, slots=True)
class ProjectStats:
    """Projects created in the range, and the renders of the range that belong to them."""

    total: int
    by_platform: Partition
    by_status: Partition
    total_renders: int
    average_renders_per_project: float | None
    by_day: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "by_platform": dict(self.by_platform),
            "by_status": dict(self.by_status),
            "total_renders": self.total_renders,
            "average_renders_per_project": self.average_renders_per_project,
        }

    def to_frame(self) -> pd.DataFrame:
        """A row per dimension and member: columns `dimension`, `member`, `projects`."""
        return _partition_frame(
            "projects", {"platform": self.by_platform, "status": self.by_status}
        )


@dataclass(frozen=True, slots=True)
class ActivityStats:
    """The account, all time; `logins_by_day` alone is of the range."""

    logins: int
    signups: int
    last_login_at: datetime | None
    account_age_days: int | None
    logins_by_day: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "logins": self.logins,
            "signups": self.signups,
            "last_login_at": timestamp_text(self.last_login_at),
            "account_age_days": self.account_age_days,
        }

    def to_frame(self) -> pd.DataFrame:
        """One row: columns `logins`, `signups`, `last_login_at`, `account_age_days`."""
        import pandas as pd

        return pd.DataFrame(
            [(self.logins, self.signups, self.last_login_at, self.account_age_days)],
            columns=["logins", "signups", "last_login_at", "account_age_days"],
        )


@dataclass(frozen=True, slots=True)
class DailyUsage:
    """One date of the range in the viewer's zone; storage in bytes uploaded that day."""

    date: date
    renders_created: int
    credits_spent: Number
    api_calls: int
    storage_used: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "date": self.date.isoformat(),
            "renders_created": self.renders_created,
            "credits_spent": self.credits_spent,
            "api_calls": self.api_calls,
            "storage_used": self.storage_used,
        }


@dataclass(frozen=True, slots=True)
class Statistics:
    """Everything one page shows of a range; `range` is None where there is no record at all."""

    range: DateRange | None
    zone: str
    renders: RenderStats
    credits: CreditStats
    api: ApiStats
    storage: StorageStats
    projects: ProjectStats
    activity: ActivityStats

    @property
    def daily(self) -> tuple[DailyUsage, ...]:
        if self.range is None:
            return ()
        return tuple(
            DailyUsage(*row)
            for row in zip(
                self.range.dates,
                self.renders.by_day,
                self.credits.spent_by_day,
                self.api.by_day,
                self.storage.uploaded_by_day,
                strict=True,
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """The machine-readable form, ready for JSON."""
        return {
            "range": {
                "from": self.range and self.range.first.isoformat(),
                "to": self.range and self.range.last.isoformat(),
                "tz": self.zone,
                "days": self.range.days if self.range else 0,
            },
            "renders": self.renders.to_dict(),
            "credits": self.credits.to_dict(),
            "api": self.api.to_dict(),
            "storage": self.storage.to_dict(),
            "projects": self.projects.to_dict(),
            "activity": self.activity.to_dict(),
            "daily": [day.to_dict() for day in self.daily],
        }

    def to_frame(self) -> pd.DataFrame:
        """The daily series: index `date` (midnights without a zone), a column per measure."""
        import pandas as pd

        columns = ["date", "renders_created", "credits_spent", "api_calls", "storage_used"]
        frame = pd.DataFrame([day.to_dict() for day in self.daily], columns=columns)
        return frame.assign(date=pd.to_datetime(frame["date"])).set_index("date")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The statistics of a range beside those of the period before, where that was asked for."""

    current: Statistics
    previous: Statistics | None = None

    def to_dict(self) -> dict[str, Any]:
        previous = {"previous": self.previous.to_dict()} if self.previous else {}
        return {**self.current.to_dict(), **previous}


def change_in_percent(value: Number | None, before: Number | None) -> float | None:
    """How much `value` is above `before`, in percent; None where `before` is 0 or missing."""
    if value is None or not before:
        return None
    return 100 * (value - before) / abs(before)


def timestamp_text(instant: datetime | None) -> str | None:
    """A UTC instant to the millisecond, as in 2026-02-04T09:06:32.985Z."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
