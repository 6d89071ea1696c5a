"""Runs a template with papermill in a kernel of its own, and says which cell failed if one does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.execute import ERROR_MARKER_TAG
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from analytics_core.errors import ReportFailed
from analytics_core.output import write_file
from analytics_core.reports.kernel import ENGINE, KERNEL
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
    where no kernel starts, after the notebook as far as it got was written to `kept`.
    """
    # papermill writes as it goes, and takes braces in a path for fields to fill in: it works on a
    # copy in a folder of its own.
    with (
        TemporaryDirectory(prefix="report-") as folder,
        Path(folder, "kernel.log").open("w+", encoding="utf-8", errors="replace") as log,
    ):
        source, target = Path(folder, "template.ipynb"), Path(folder, "executed.ipynb")
        source.write_bytes(to_bytes(template.notebook))
        # Not as an argument to what follows, which inspects a template's parameters in its own way
        # and warns of those that it cannot read.
        parameterized = parameterize_notebook(
            load_notebook_node(str(source)),
            dict(parameters),
            kernel_name=KERNEL,
            language="python",
        )
        source.write_bytes(to_bytes(parameterized))
        try:
            papermill.execute_notebook(
                source,
                target,
                engine_name=ENGINE,
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                environment=environment,
                log=log,
                start_timeout=_START_TIMEOUT,
                execution_timeout=timeout,
            )
        # nbclient's DeadKernelError is a RuntimeError too; any other is a kernel that died, or did
        # not answer, before its first cell.
        except (PapermillExecutionError, RuntimeError, CellTimeoutError) as error:
            notebook = _read(target, template)
            write_file(kept, to_bytes(notebook))
            cell = _failed_cell(notebook)
            raise ReportFailed(
                template.path.name,
                cell + 1,
                template.heading_above(cell),
                _told(error, timeout, log),
                kept,
            ) from error
        return _read(target, template)


def to_bytes(notebook: Any) -> bytes:
    """A notebook as the content of its file."""
    return str(nbformat.writes(notebook)).encode()


def _read(path: Path, template: Template) -> Any:
    """The notebook that papermill wrote, without the temporary names it was given."""
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
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
