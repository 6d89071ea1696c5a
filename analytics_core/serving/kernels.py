"""The kernels of a dashboard server, silent on its standard output, each one visitor's for good.

A kernel lives as long as somebody looks at its page, and a little longer.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from analytics_core.kernels.environment import for_visitors

# A page that reconnects does so sooner; one that was not connected this long may make room.
_LOST_SECONDS = 45.0


class QuietKernels(AsyncMappingKernelManager):
    """Starts kernels whose standard output is the server's standard error.

    The server's own standard output carries one line, the link; whoever reads it through a pipe
    must also see the pipe close when the server stops.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._alone_since: dict[str, float] = {}
        self._owners: dict[str, str] = {}
        # Those that are ready for a visitor and have none yet.
        self.waiting: set[str] = set()

    async def _async_start_kernel(self, **options: Any) -> str:
        kernel_id: str = await super()._async_start_kernel(
            **{"stdout": sys.stderr.fileno(), "env": for_visitors(os.environ), **options}
        )
        return kernel_id

    # jupyter_server binds the public name to its own function when the class is made.
    start_kernel = _async_start_kernel  # type: ignore[assignment]

    def give(self, kernel_id: str, owner: str) -> None:
        """Make a kernel a visitor's; it was nobody's and will never be anybody else's."""
        if kernel_id in self._owners:
            raise RuntimeError("a kernel is given away once")
        self._owners[kernel_id] = owner
        self._alone_since[kernel_id] = time.monotonic()
        self.waiting.discard(kernel_id)

    def is_owned(self, kernel_id: str, owner: str) -> bool:
        """Whether this is a kernel of this visitor's."""
        return self._owners.get(kernel_id) == owner

    @property
    def given(self) -> int:
        """How many are somebody's."""
        return len(self._owners)

    def owned(self, owner: str) -> list[str]:
        """The kernels of a visitor."""
        return [kernel_id for kernel_id, one in self._owners.items() if one == owner]

    async def is_whole(self, kernel_id: str) -> bool:
        """Whether its process is there; one that has died is forgotten at once."""
        if kernel_id not in self:
            return False
        if await self.is_alive(kernel_id):
            return True
        await self.shutdown_kernel(kernel_id, now=True)  # type: ignore[no-untyped-call]
        return False

    async def end_lost(self, owner: str | None = None) -> None:
        """End those whose pages went away without a word, of a visitor or of everybody."""
        now = time.monotonic()
        for kernel_id in list(self._owners) if owner is None else self.owned(owner):
            if now - self._alone_since.get(kernel_id, now) > _LOST_SECONDS and kernel_id in self:
                # Whoever else looks for room meanwhile leaves it alone.
                del self._alone_since[kernel_id]
                await self.shutdown_kernel(kernel_id, now=True)  # type: ignore[no-untyped-call]

    def notify_connect(self, kernel_id: str) -> None:
        super().notify_connect(kernel_id)  # type: ignore[no-untyped-call]
        self._alone_since.pop(kernel_id, None)

    def notify_disconnect(self, kernel_id: str) -> None:
        super().notify_disconnect(kernel_id)  # type: ignore[no-untyped-call]
        if not self._kernel_connections.get(kernel_id):
            self._alone_since[kernel_id] = time.monotonic()

    def remove_kernel(self, kernel_id: str) -> Any:
        self._alone_since.pop(kernel_id, None)
        self._owners.pop(kernel_id, None)
        self.waiting.discard(kernel_id)
        return super().remove_kernel(kernel_id)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel that nobody has been connected to for long, whatever it does meanwhile.

        A page that refreshes itself does so from its kernel: to the usual check, which looks for
        activity, a kernel whose visitor is lost would never be idle.
        """
        if kernel_id in self.waiting:
            return
        if not self._kernel_connections.get(kernel_id):
            now = time.monotonic()
            if now - self._alone_since.setdefault(kernel_id, now) > self.cull_idle_timeout:
                await self.shutdown_kernel(kernel_id)  # type: ignore[no-untyped-call]
                return
        await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]
