"""Kernels that wait for visitors: started, prepared, and nobody's until one is taken.

A kernel that waits has run what is the same for every visitor and nothing else. It is given away
once and never comes back.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from jupyter_client.asynchronous.client import AsyncKernelClient

from analytics_core.serving.kernels import QuietKernels
from analytics_core.serving.opening import get_ready, run

log = logging.getLogger(__name__)

# As many wait as were taken within so many seconds, between the bounds.
_DEMAND_SECONDS = 10
# A new one is started once the page being served is there, or after so long.
_PATIENCE_SECONDS = 2.0
# After a start that failed: long enough that a machine in trouble is not troubled more.
_RETRY_SECONDS = 5.0
# How long the end waits for kernels that are just being started.
_LAST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ReadyKernel:
    """A kernel that answers, the server's connection to it, and the process that was prepared."""

    id: str
    client: AsyncKernelClient
    process: int | None


class WarmPool:
    """Between `least` and `most` ready kernels, for whoever comes next."""

    def __init__(
        self,
        kernels: QuietKernels,
        preparation: str,
        options: Mapping[str, Any],
        *,
        least: int,
        most: int,
    ) -> None:
        """`preparation` is run in each; `options` are those of the kernel manager's start."""
        self._kernels, self._preparation, self._options = kernels, preparation, options
        self._least, self._most = least, max(least, most)
        self._ready: deque[ReadyKernel] = deque()
        self._taken: deque[float] = deque()
        self._starts: set[asyncio.Future[str]] = set()
        self._busy = 0
        self._calm = asyncio.Event()
        self._calm.set()
        self._wanted = asyncio.Event()
        self._refilling: asyncio.Task[None] | None = None

    @property
    def ready(self) -> int:
        """How many wait right now."""
        return len(self._ready)

    @property
    def size(self) -> int:
        """How many should wait, after what was asked for lately."""
        oldest = asyncio.get_running_loop().time() - _DEMAND_SECONDS
        while self._taken and self._taken[0] < oldest:
            self._taken.popleft()
        return min(max(self._least, len(self._taken)), self._most)

    def open(self) -> None:
        """Begin to fill."""
        self._refilling = asyncio.get_running_loop().create_task(self._refill())
        self._wanted.set()

    async def close(self) -> None:
        """Start no more; those that wait end with all kernels of the server.

        What is being started is waited for: Jupyter can end a kernel only once it has started.
        """
        under_way: set[asyncio.Future[Any]] = set(self._starts)
        if self._refilling is not None:
            self._refilling.cancel()
            under_way.add(self._refilling)
        if under_way:
            await asyncio.wait(under_way, timeout=_LAST_SECONDS)

    async def take(self) -> ReadyKernel:
        """A kernel for one visitor: one that waits, else a new one."""
        self._taken.append(asyncio.get_running_loop().time())
        self._wanted.set()
        while self._ready:
            kernel = self._ready.popleft()
            self._kernels.waiting.discard(kernel.id)
            if await self.is_alive(kernel):
                return kernel
            kernel.client.stop_channels()
            await self._end(kernel.id)
        kernel = await self._start()
        self._kernels.waiting.discard(kernel.id)
        return kernel

    def page_begins(self) -> None:
        """A page is being put together: whatever can wait should."""
        self._busy += 1
        self._calm.clear()

    def page_is_there(self) -> None:
        self._busy -= 1
        if self._busy == 0:
            self._calm.set()

    async def _refill(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while len(self._ready) < self.size:
                try:
                    await asyncio.wait_for(self._calm.wait(), _PATIENCE_SECONDS)
                except TimeoutError:
                    log.debug("pages keep coming: a kernel is started meanwhile")
                try:
                    self._ready.append(await self._start())
                except Exception:
                    # A page that finds none starts its own, and says what is wrong.
                    log.exception("no kernel could be made ready")
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _start(self) -> ReadyKernel:
        kernel_id = await self._start_kernel()
        self._kernels.waiting.add(kernel_id)
        client = cast("AsyncKernelClient", self._kernels.get_kernel(kernel_id).client())
        try:
            client.start_channels(stdin=False, hb=False, control=False)
            await get_ready(client)
            await run(client, [self._preparation])
        except BaseException:
            client.stop_channels()
            await self._end(kernel_id)
            raise
        return ReadyKernel(kernel_id, client, self._process_of(kernel_id))

    async def _start_kernel(self) -> str:
        starting = asyncio.ensure_future(self._kernels.start_kernel(**self._options))
        self._starts.add(starting)
        starting.add_done_callback(self._starts.discard)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Cancelled while it starts, a kernel would run on and be known to nobody.
            await self._end(await starting)
            raise

    async def is_alive(self, kernel: ReadyKernel) -> bool:
        """Whether it is still the one that was prepared: Jupyter restarts kernels that die."""
        return (
            kernel.id in self._kernels
            and await self._kernels.is_alive(kernel.id)
            and self._process_of(kernel.id) == kernel.process
        )

    def _process_of(self, kernel_id: str) -> int | None:
        return getattr(self._kernels.get_kernel(kernel_id).provisioner, "pid", None)

    async def _end(self, kernel_id: str) -> None:
        self._kernels.waiting.discard(kernel_id)
        if kernel_id in self._kernels:
            await self._kernels.shutdown_kernel(kernel_id, now=True)  # type: ignore[no-untyped-call]
