"""Jupyter's way to a forked kernel: chosen by a kernelspec, the same for whoever starts kernels."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import zmq
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Float, List, Unicode

from analytics_core.kernels.client import ForkedProcess, Streams, Wanted, fork_kernel
from analytics_core.kernels.environment import for_anybody
from analytics_core.kernels.errors import NurseryUnavailable

_OUR_WORDS = frozenset({"stdin", "stdout", "stderr", "env", "cwd", "independent"})
_DYING = 1.0
_said: set[str] = set()


class NurseryProvisioner(LocalProvisioner):
    """Starts kernels by forking where that can be, else as any other; signals and ends them alike.

    One warning says why a kernel starts slowly. What a kernel says and hears is encrypted wherever
    others of this machine could listen.
    """

    preloaded: List[str] = List(
        Unicode(),
        help="The modules that kernels find imported, ipykernel's own aside, and functions that"
        " were called before they were forked, as `module:function`.",
    ).tag(config=True)
    idle: Float[float, float] = Float(
        300.0, help="How many seconds a nursery waits for somebody to use it before it ends."
    ).tag(config=True)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        manager = self.parent
        if manager is not None and manager.transport == "tcp" and zmq.has("curve"):
            kwargs["transport_encryption"] = "required"
        options = await super().pre_launch(**kwargs)
        options["env"] = for_anybody(options["env"])
        return options

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        options = self._scrub_kwargs(kwargs)
        try:
            process = await self._forked(cmd, options)
        except NurseryUnavailable as unavailable:
            self._warn(str(unavailable))
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process  # type: ignore[assignment]
        # It is the first of its session and of its group, or about to be.
        self.pid = self.pgid = process.pid
        self.cwd = kwargs.get("cwd") or os.getcwd()
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:
        await super().kill(restart)
        if isinstance(process := self.process, ForkedProcess):
            # It takes the system some milliseconds; whoever looks now and then takes a tenth of a
            # second.
            await asyncio.to_thread(process.has_exited, _DYING)

    async def _forked(self, command: Sequence[str], options: Mapping[str, Any]) -> ForkedProcess:
        if unknown := sorted(name for name in options if name not in _OUR_WORDS):
            raise NurseryUnavailable(f"it is to start with {', '.join(unknown)}")
        if options.get("independent"):
            raise NurseryUnavailable("it is to outlive who starts it")
        wanted = Wanted(
            command,
            arguments_of(command),
            {**options.get("env", os.environ), "JPY_PARENT_PID": str(os.getpid())},
            os.path.expanduser(options.get("cwd") or os.getcwd()),
        )
        if not os.path.isdir(wanted.directory):
            raise NurseryUnavailable(f"there is no folder {wanted.directory}")
        streams = Streams(*(options.get(name) for name in ("stdin", "stdout", "stderr")))
        # In a thread: a nursery that has to be started first takes its time.
        forking = asyncio.ensure_future(
            asyncio.to_thread(_fork, self.preloaded, self.idle, wanted, streams)
        )
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            forking.add_done_callback(_abandon)
            raise

    def _warn(self, reason: str) -> None:
        if reason not in _said:
            _said.add(reason)
            self.log.warning("Kernels start slowly, not from the nursery: %s", reason)


def arguments_of(command: Sequence[str]) -> list[str]:
    """The arguments of ipykernel in a command; raises `NurseryUnavailable` for any other."""
    match command:
        case [python, "-m", "ipykernel_launcher", *arguments] if python == sys.executable:
            return arguments
    raise NurseryUnavailable("it is not this interpreter's ipykernel")


def _fork(preloaded: Sequence[str], idle: float, wanted: Wanted, streams: Streams) -> ForkedProcess:
    try:
        return fork_kernel(preloaded, idle, wanted, streams)
    finally:
        streams.close()


def _abandon(forking: asyncio.Future[ForkedProcess]) -> None:
    """End a kernel that nobody waits for any more."""
    if not forking.cancelled() and not forking.exception():
        forking.result().let_go()
