"""How papermill gets a kernel that runs this interpreter within a granted scope, and soon."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from jupyter_core.utils import run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine
from traitlets import default

from analytics_core.kernels.address import transport_beside
from analytics_core.kernels.spec import OwnKernels

# Its entry point's name.
ENGINE = "usage"
_LOOK_EVERY = 0.002
_WELCOME_MS = 50
_START_TIMEOUT = 60


class OwnKernel(AsyncKernelManager):
    """Starts kernels of the running interpreter alone, whose words only this user can hear."""

    @default("kernel_spec_manager")
    def _only_the_own_kernel(self) -> OwnKernels:
        return OwnKernels()

    @default("connection_file")
    def _known_beforehand(self) -> str:
        # Sockets are beside it; without one they would be in the current folder, all of one name.
        folder = Path(jupyter_runtime_dir())
        # Who has never started a Jupyter program has none.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(folder / f"kernel-{token_hex(8)}.json")

    @default("transport")
    def _within_this_machine(self) -> str:
        return transport_beside(self.connection_file)


class PromptClient(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client, but it talks to a kernel as soon as that can hear, and ends it at once.

    The usual one pauses to see whether nothing more is said, and gives a kernel seconds to say
    goodbye. Here every output is waited for, and nobody else uses the kernel.
    """

    shutdown_kernel = "immediate"
    _is_asked = False

    async def async_start_new_kernel_client(self) -> Any:
        """A client that hears all the kernel says; raises `RuntimeError` where there is none."""
        try:
            await self._until(self._is_bound)
            self.kc = client = self.km.client()
            # Without the heartbeat's thread: whether the process runs is known without asking.
            self.kc.start_channels(hb=False)
            # A kernel welcomes whoever listens to it, and what it says from then on is heard.
            await self._until(self._is_heard)
        except BaseException:
            await self._async_cleanup_kernel()
            raise
        client.allow_stdin = False
        return client

    # What papermill calls; nbclient makes its own from its own.
    start_new_kernel_client = run_sync(async_start_new_kernel_client)

    async def _until(self, condition: Any) -> None:
        deadline = time.monotonic() + self.startup_timeout
        while not await condition():
            if not await self.km.is_alive():
                raise RuntimeError("Kernel died before it could be asked")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {self.startup_timeout} seconds")
            await asyncio.sleep(_LOOK_EVERY)

    async def _is_bound(self) -> bool:
        # The last but the heartbeat's. Asked for earlier, ZeroMQ would try again much later.
        return self.km.transport == "tcp" or Path(f"{self.km.ip}-{self.km.iopub_port}").exists()

    async def _is_heard(self) -> bool:
        if await self.kc.iopub_channel.socket.poll(_WELCOME_MS):
            return True
        # It is late, or has missed that somebody listens, as ipykernel now and then does when it
        # says something itself at that moment. Whoever asks it something hears that it is at work.
        if self._is_asked:
            # A question at a time: one that nobody takes would fill its socket, and sending wait.
            if not await self.kc.shell_channel.msg_ready():
                return False
            await self.kc.get_shell_msg()
        self.kc.kernel_info()
        self._is_asked = True
        return False


class PromptEngine(Engine):  # type: ignore[misc]
    """papermill's engine on this workspace's kernels, without any wait that can be avoided.

    A kernel alone gets `environment`, on top of this process's own, and what its process says for
    itself goes to `log`. Neither `os.environ` nor the working directory of this process changes, so
    that reports of several users can run in its threads at once. `began` is called with the
    notebook before its first cell runs: it is the one that is being filled.
    """

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        environment: Mapping[str, str] | None = None,
        log: IO[str] | None = None,
        began: Any = None,
        start_timeout: int = _START_TIMEOUT,
        execution_timeout: int | None = None,
        **_: Any,
    ) -> None:
        if began is not None:
            began(nb_man.nb)
        client = PromptClient(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=OwnKernel,
            startup_timeout=start_timeout,
            timeout=execution_timeout,
        )
        said = {} if log is None else {"stderr": log}
        client.execute(env={**os.environ, **(environment or {})}, **said)
