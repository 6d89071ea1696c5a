"""How much demo data there is to be, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

DAYS_A_WINDOW = 30


@dataclass(frozen=True, slots=True)
class DemoShape:
    """`renders` of `users` over the `windows` times 30 days that end at `now` (an aware instant).

    The first user is mara@example.com, who renders most; the last is nils@example.com, who has only
    signed up. `first_users_last_30_days` fixes how many of all renders are Mara's in the 30 days of
    her zone that end today. Raises ValueError where that does not add up.
    """

    users: int
    renders: int
    seed: int
    now: datetime
    windows: int = 14
    first_users_last_30_days: int | None = None

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError(f"`now` needs a time zone: {self.now!r}")
        if self.users < 2 or self.windows < 1 or self.seed < 0:
            raise ValueError("needs two users, one window and a seed that is not negative")
        if not 0 <= (self.first_users_last_30_days or 0) <= self.renders:
            raise ValueError("the first user's renders are some of all renders")
