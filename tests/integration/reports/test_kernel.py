"""How a report gets its kernel: without waiting, and also where the kernel says nothing."""

from __future__ import annotations

from typing import Any

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


def test_a_kernel_whose_welcome_is_missed_is_asked() -> None:
    cell = new_code_cell("print(6 * 7)", metadata={"papermill": {}})
    told = NotebookExecutionManager(
        new_notebook(cells=[cell], metadata={"papermill": {}}), progress_bar=False
    )
    PromptClient(told, kernel_manager_class=Welcomed, startup_timeout=10).execute()
    assert told.nb.cells[0].outputs[0].text == "42\n"
