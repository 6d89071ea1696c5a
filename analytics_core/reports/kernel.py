"""How papermill gets a kernel that runs this interpreter within a granted scope."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, Any

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from traitlets import default

ENGINE = "granted"
KERNEL = "python3"


class OwnInterpreter(AsyncKernelManager):
    """Starts kernels of the running interpreter alone.

    A `python3` kernelspec somewhere on the machine may well belong to another environment, in which
    this workspace is not installed.
    """

    @default("kernel_spec_manager")
    def _only_the_native_kernel(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])

    @default("transport_encryption")
    def _encrypted_where_possible(self) -> str:
        # Other users of a machine can listen on its loopback; the kernel would warn of it, too.
        return "auto" if zmq.has("curve") else "disabled"


class GrantedEngine(Engine):  # type: ignore[misc]
    """papermill's engine, but the kernel alone gets the environment that the launcher gives it.

    What the kernel's process says for itself goes to `log`, not among the words of the command.

    Neither `os.environ` nor the working directory of this process changes, so that reports of
    several users can run in its threads at once.
    """

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        environment: Mapping[str, str],
        log: IO[str],
        start_timeout: int,
        execution_timeout: int,
        **_: Any,
    ) -> None:
        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=OwnInterpreter,
            startup_timeout=start_timeout,
            timeout=execution_timeout,
        )
        client.execute(env={**os.environ, **environment}, stderr=log)


papermill_engines.register(ENGINE, GrantedEngine)
