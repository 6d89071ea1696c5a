"""When pages become live: at once, or in turn where the machine has more to do than it can.

A painted page is of use before it is live, and becoming live takes more than painting it. Where
the processors are busy, pages therefore become live one after the other, so that whoever comes
meanwhile sees their numbers at once. They wait a while, not for good: others may keep it busy.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress

import psutil

log = logging.getLogger(__name__)

# From how much of the processors' time on they are busy, and how long that is looked at.
_BUSY_PERCENT = 85.0
_LOOK_SECONDS = 0.5
# What a page does once it is live takes the machine longer than to make it so.
_APART_SECONDS = 2.0
# Who has not said by then that it is live keeps nobody waiting any more.
_LONGEST_SECONDS = 10.0
_PATIENCE_SECONDS = 45.0


class Turns:
    """Turns to become live, in the order in which pages asked for them."""

    def __init__(self, used: Callable[[], float] = psutil.cpu_percent) -> None:
        """`used` says how much of the processors' time went since it was last asked, in percent."""
        self._used = used
        self.is_busy = False
        self._order = asyncio.Lock()
        # A visitor has one page in the common line, however many they open.
        self._of_visitor: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._standing: Counter[str] = Counter()
        self._last_began = float("-inf")
        self._becoming: dict[str, asyncio.TimerHandle] = {}
        self._looking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to look at the processors."""
        self._looking = asyncio.get_running_loop().create_task(self._look())

    def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        for timer in self._becoming.values():
            timer.cancel()

    async def take(self, visitor: str, page: str, is_left: Callable[[], bool]) -> None:
        """Return once this page may become live, or is left; its turn lasts until it is `over`."""
        if self.is_busy or self._standing:
            await self._stand_in_line(visitor, is_left)
        if is_left():
            return
        loop = asyncio.get_running_loop()
        self._last_began = loop.time()
        self._becoming[page] = loop.call_later(_LONGEST_SECONDS, self.over, page)

    async def _stand_in_line(self, visitor: str, is_left: Callable[[], bool]) -> None:
        self._standing[visitor] += 1
        try:
            with suppress(TimeoutError):
                own = self._of_visitor[visitor]
                async with asyncio.timeout(_PATIENCE_SECONDS), own, self._order:
                    while not is_left() and self._is_anothers_turn():
                        await asyncio.sleep(_LOOK_SECONDS / 5)
        finally:
            self._standing[visitor] -= 1
            if not self._standing[visitor]:
                del self._standing[visitor], self._of_visitor[visitor]

    def over(self, page: str) -> None:
        """The page is live, or will not be."""
        if timer := self._becoming.pop(page, None):
            timer.cancel()

    def _is_anothers_turn(self) -> bool:
        since = asyncio.get_running_loop().time() - self._last_began
        # One by one also where there is room for a moment: there is none for a whole line.
        return bool(self._becoming) or (self.is_busy and since < _APART_SECONDS)

    async def _look(self) -> None:
        try:
            # What is told first is of no time at all.
            self._used()
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                self.is_busy = self._used() >= _BUSY_PERCENT
        except (OSError, psutil.Error):
            log.exception("how busy the processors are is not known: pages become live at once")
            self.is_busy = False
