"""Bringing what many requests tell onto the disk together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

# A group is one write; so much of it may be lost to a full disk at once.
_GROUP_BYTES = 4 * 2**20

Append = Callable[[list[bytes]], None]


class GroupCommit:
    """Appends and flushes for everybody who waits, while the next gather: one flush for all.

    Used from one event loop; the disk is waited for in a thread of its own.
    """

    def __init__(self, append: Append, sync: Callable[[], None]) -> None:
        self._append, self._sync = append, sync
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="analytics-commit")
        self._gathered: deque[tuple[list[bytes], asyncio.Future[None]]] = deque()
        self._at_work: asyncio.Task[None] | None = None
        self.waiting = 0

    async def commit(self, lines: list[bytes]) -> None:
        """Return once the lines outlive the machine; raises what `append` and `sync` do."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathered.append((lines, done))
        self.waiting += 1
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.create_task(self._work())
        try:
            await done
        finally:
            self.waiting -= 1

    def close(self) -> None:
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._gathered:
            lines, told = self._group()
            problem: Exception | None = None
            try:
                await loop.run_in_executor(self._thread, self._make_durable, lines)
            except Exception as failed:
                # Everybody in the group is told, whatever it is.
                problem = failed
            for one in told:
                if one.done():
                    continue
                if problem is None:
                    one.set_result(None)
                else:
                    one.set_exception(problem)

    def _group(self) -> tuple[list[bytes], list[asyncio.Future[None]]]:
        lines: list[bytes] = []
        told: list[asyncio.Future[None]] = []
        size = 0
        while self._gathered and size < _GROUP_BYTES:
            some, done = self._gathered.popleft()
            lines += some
            size += sum(map(len, some))
            told.append(done)
        return lines, told

    def _make_durable(self, lines: list[bytes]) -> None:
        self._append(lines)
        self._sync()
