"""What a server shows before the kernel of a page is there, as whoever paints it promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from analytics_core.identity.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Painted:
    """A page as HTML, and the source with which its kernel learns what was painted.

    `grant` is what its kernel may read; empty where that could not be said, and then
    `is_withheld` is whether asking again would not help.
    """

    html: str
    source: str
    grant: str
    is_withheld: bool = False


class Painter(Protocol):
    """Paints pages; asked in several threads at once."""

    def paint(self, visitor: Visitor, query: str) -> Painted:
        """A visitor's page for the query of an address, whoever wrote it.

        Raises nothing expected.
        """
        ...

    def problem(self) -> str:
        """Why nothing could be painted right now, in plain words; empty where it could."""
        ...
