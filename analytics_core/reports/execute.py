"""Runs a template with papermill in a kernel of its own, and says which cell failed if one does."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import nbformat
import papermill
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.execute import ERROR_MARKER_TAG
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from analytics_core.errors import KernelDied, ReportFailed
from analytics_core.output import write_file
from analytics_core.reports.kernel import ENGINE
from analytics_core.reports.parameters import Value
from analytics_core.reports.template import Template

# A cell asks for a few aggregates; one that takes longer than this hangs.
_CELL_TIMEOUT = 600
_START_TIMEOUT = 60
_ADDED = {"injected-parameters", ERROR_MARKER_TAG}


def execute(
    template: Template,
    parameters: Mapping[str, Value],
    environment: Mapping[str, str],
    *,
    kept: Path,
    timeout: int = _CELL_TIMEOUT,
) -> Any:
    """The executed notebook; its kernel has `environment` on top of this process's own.

    A cell may take `timeout` seconds. Raises `ReportFailed` for a cell that fails, or the first one
    where no kernel starts, after the notebook as far as it got was written to `kept`, and
    `KernelDied` where it was the kernel that ended.
    """
    # Not as an argument to what follows, which inspects a template's parameters in its own way and
    # warns of those that it cannot read.
    notebook = parameterize_notebook(
        load_notebook_node(deepcopy(template.notebook)),
        dict(parameters),
        kernel_name=NATIVE_KERNEL_NAME,
        language="python",
    )
    filled: list[Any] = []
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            papermill.execute_notebook(
                notebook,
                None,
                engine_name=ENGINE,
                kernel_name=NATIVE_KERNEL_NAME,
                language="python",
                progress_bar=False,
                environment=environment,
                log=log,
                began=filled.append,
                start_timeout=_START_TIMEOUT,
                execution_timeout=timeout,
            )
        # nbclient's DeadKernelError is a RuntimeError too; any other is a kernel that died, or did
        # not answer, before its first cell.
        except (PapermillExecutionError, RuntimeError, CellTimeoutError) as error:
            if not filled:
                raise
            notebook = _finished(filled[0], template)
            write_file(kept, to_bytes(notebook))
            cell = _failed_cell(notebook)
            kind = KernelDied if isinstance(error, DeadKernelError) else ReportFailed
            raise kind(
                template.path.name,
                cell + 1,
                template.heading_above(cell),
                _told(error, timeout, log),
                kept,
            ) from error
    return _finished(filled[0], template)


def to_bytes(notebook: Any) -> bytes:
    """A notebook as the content of its file."""
    return str(nbformat.writes(notebook)).encode()


def _finished(notebook: Any, template: Template) -> Any:
    """The notebook that papermill filled, with the name of its template, not of a file."""
    notebook.metadata.papermill.update(input_path=template.path.name, output_path=None)
    return notebook


def _failed_cell(notebook: Any) -> int:
    """Which cell of the template was the last to start, from 0; papermill's own do not count."""
    cells = [cell for cell in notebook.cells if not _ADDED & set(cell.metadata.get("tags", ()))]
    started = (n for n, cell in enumerate(cells) if cell.metadata.papermill.get("start_time"))
    return max(started, default=0)


def _told(error: Exception, timeout: int, log: IO[str]) -> str:
    if isinstance(error, PapermillExecutionError):
        return f"{error.ename}: {error.evalue}" if error.evalue else str(error.ename)
    if isinstance(error, CellTimeoutError):
        return f"no answer within {timeout} seconds"
    if isinstance(error, DeadKernelError):
        return "the death of its kernel"
    log.seek(0)
    last_words = [line.strip() for line in log if line.strip()][-1:]
    return ": ".join(["a kernel that did not start", str(error), *last_words])
