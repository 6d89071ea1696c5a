"""Whether the server lives, and whether it should get visitors: for whoever watches it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from analytics_core.serving.refusing import Designed

# However often it is asked, the database is asked no more often.
_KNOWN_SECONDS = 5.0


class Readiness:
    """Asks what the server stands on, in a thread, for all who ask meanwhile."""

    def __init__(self, problem: Callable[[], str]) -> None:
        """`problem` says in plain words what is wrong, or nothing."""
        self._problem = problem
        self._asking: asyncio.Task[str] | None = None
        self._asked_at = 0.0

    async def problem(self) -> str:
        now = time.monotonic()
        if self._asking is None or (self._asking.done() and now - self._asked_at > _KNOWN_SECONDS):
            self._asked_at = now
            self._asking = asyncio.create_task(asyncio.to_thread(self._problem))
        return await asyncio.shield(self._asking)


class Healthz(Designed):
    """It answers, so it lives."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish("ok\n")


class Readyz(Designed):
    """What is wrong, without a word about where or whose."""

    def initialize(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def get(self) -> None:
        problem = await self._readiness.problem()
        self.set_status(503 if problem else 200)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(f"{problem or 'ok'}\n")
