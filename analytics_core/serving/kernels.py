"""The kernels of a dashboard server: this interpreter's own and silent on standard output.

A kernel lives as long as somebody looks at its page, and a little longer.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager


class OwnKernels(KernelSpecManager):
    """Knows the kernel of the running interpreter alone.

    A `python3` kernelspec somewhere on the machine may well belong to another environment, in which
    this workspace is not installed.
    """

    def _kernel_dirs_default(self) -> list[str]:
        return []


class QuietKernels(AsyncMappingKernelManager):
    """Starts kernels whose standard output is the server's standard error.

    The server's own standard output carries one line, the link; whoever reads it through a pipe
    must also see the pipe close when the server stops.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._alone_since: dict[str, float] = {}

    async def _async_start_kernel(self, **options: Any) -> str:
        kernel_id: str = await super()._async_start_kernel(
            **{"stdout": sys.stderr.fileno(), **options}
        )
        return kernel_id

    # jupyter_server binds the public name to its own function when the class is made.
    start_kernel = _async_start_kernel  # type: ignore[assignment]

    def notify_connect(self, kernel_id: str) -> None:
        super().notify_connect(kernel_id)  # type: ignore[no-untyped-call]
        self._alone_since.pop(kernel_id, None)

    def remove_kernel(self, kernel_id: str) -> Any:
        self._alone_since.pop(kernel_id, None)
        return super().remove_kernel(kernel_id)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel that nobody has been connected to for long, whatever it does meanwhile.

        A page that refreshes itself does so from its kernel: to the usual check, which looks for
        activity, a kernel whose visitor is lost would never be idle.
        """
        if not self._kernel_connections.get(kernel_id):
            now = time.monotonic()
            if now - self._alone_since.setdefault(kernel_id, now) > self.cull_idle_timeout:
                await self.shutdown_kernel(kernel_id)  # type: ignore[no-untyped-call]
                return
        await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]
