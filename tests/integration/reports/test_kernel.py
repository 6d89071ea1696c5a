"""How a report gets its kernel: without waiting, and also where the kernel says nothing."""

from __future__ import annotations

import os
import signal
from typing import Any, ClassVar

import pytest
import zmq
from nbformat.v4 import new_code_cell, new_notebook
from papermill.engines import NotebookExecutionManager

from analytics_core.reports.kernel import OwnKernel, PromptClient


class Welcomed(OwnKernel):
    """Gives clients that have heard, and forgotten, all that a kernel says on its own."""

    def client(self, **options: Any) -> Any:
        client = super().client(**options)
        hearing = zmq.Socket.shadow(client.iopub_channel.socket)
        while hearing.poll(500):
            hearing.recv_multipart()
        return client


class Stopped(OwnKernel):
    """Gives clients of a kernel that runs, and does nothing more."""

    last: ClassVar[Any] = None

    def client(self, **options: Any) -> Any:
        os.kill(self.provisioner.pid, signal.SIGSTOP)  # type: ignore[union-attr, arg-type]
        Stopped.last = super().client(**options)
        return Stopped.last


def told() -> Any:
    cell = new_code_cell("print(6 * 7)", metadata={"papermill": {}})
    notebook = new_notebook(cells=[cell], metadata={"papermill": {}})
    return NotebookExecutionManager(notebook, progress_bar=False)


def test_a_kernel_whose_welcome_is_missed_is_asked() -> None:
    done = told()
    PromptClient(done, kernel_manager_class=Welcomed, startup_timeout=10).execute()
    assert done.nb.cells[0].outputs[0].text == "42\n"


def test_one_that_does_not_answer_is_asked_once_and_given_up() -> None:
    with pytest.raises(RuntimeError, match="didn't respond in 2 seconds"):
        PromptClient(told(), kernel_manager_class=Stopped, startup_timeout=2).execute()
    assert Stopped.last.session.message_count == 1
