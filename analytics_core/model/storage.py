"""How what a bucket holds differs from what was recorded of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Heap:
    """Some files and their bytes."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class OwnerDifference:
    """One user's difference; `user_id` is None for objects whose owner is not known.

    `other_size` files are on both sides, with `bucket_bytes` there and `table_bytes` recorded.
    """

    user_id: str | None
    only_in_bucket: Heap
    only_in_table: Heap
    other_size: int = 0
    bucket_bytes: int = 0
    table_bytes: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "user_id": self.user_id,
            "only_in_bucket": asdict(self.only_in_bucket),
            "only_in_table": asdict(self.only_in_table),
            "other_size": {
                "files": self.other_size,
                "bucket_bytes": self.bucket_bytes,
                "table_bytes": self.table_bytes,
            },
        }


@dataclass(frozen=True, slots=True)
class StorageScan:
    """What a scan found: all that was `looked_at`, what fits no pattern, and who differs."""

    looked_at: Heap
    unplaced: Heap
    users: tuple[OwnerDifference, ...]

    @property
    def agrees(self) -> bool:
        return not self.users and not self.unplaced.files

    def to_dict(self) -> dict[str, Any]:
        return {
            "looked_at": asdict(self.looked_at),
            "unplaced": asdict(self.unplaced),
            "users": [user.to_dict() for user in self.users],
        }
