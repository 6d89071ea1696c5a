"""What the audit log holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Action(StrEnum):
    READ = "read"
    EXPORT = "export"
    REPORT = "report"
    TOKEN = "token"  # noqa: S105 - what was done, not one


@dataclass(frozen=True, slots=True)
class Audited:
    """Somebody who did something with rows of people, and with what.

    `who` and `whose` are names as far as they are known; who was forgotten is None. Of everyone,
    `whose` is None as a whole.
    """

    at: datetime
    who: str | None
    action: Action
    whose: tuple[str | None, ...] | None
    by: str
