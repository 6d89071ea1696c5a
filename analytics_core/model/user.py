"""Who a user is, as far as statistics need to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class User:
    """One user; `zone` is the IANA zone of their record, None where it has none."""

    id: str
    email: str
    name: str | None
    zone: str | None
    created_at: datetime | None
    last_login_at: datetime | None
