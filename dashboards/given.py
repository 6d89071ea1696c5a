"""What the server hands to a kernel: the question it has asked already, and its answer.

The kernel belongs to one visitor, who never touches this: the server sends it as source over the
kernel's own connection, before the notebook runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from analytics_core.model.daterange import read_zone
from analytics_core.model.results import Comparison
from analytics_core.model.user import User


@dataclass(frozen=True, slots=True)
class Given:
    """The query of the visitor's address, and what the server has found for it.

    `data` is None where the question failed: then the kernel asks again by itself.
    """

    query: str = ""
    subject: User | None = None
    data: Comparison | None = None
    fetched_at: datetime | None = None

    def to_source(self) -> str:
        """The statement that gives this to the kernel in which it is run."""
        text = msgspec.json.encode(self, enc_hook=_zone_name).decode()
        return f"from dashboards import given\ngiven.give({text!r})"


_kept: list[Given] = []


def give(text: str) -> None:
    """Take what the server sends; in a kernel there is one page, so there is one gift."""
    _kept[:] = [msgspec.json.decode(text, type=Given, dec_hook=_zone)]


def take() -> Given | None:
    """What was given, once: a page that is made again asks for itself. None elsewhere."""
    return _kept.pop() if _kept else None


def _zone_name(value: Any) -> Any:
    if isinstance(value, ZoneInfo):
        return value.key
    raise NotImplementedError(type(value))


def _zone(kind: type, name: Any) -> Any:
    if kind is ZoneInfo:
        return read_zone(name)
    raise NotImplementedError(kind)
