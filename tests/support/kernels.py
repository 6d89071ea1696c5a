"""Which processes are whose, as the system knows it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_NURSERY = "analytics_core.kernels.nursery"


def running() -> dict[int, int]:
    """The parent of every process that runs."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, parent = (
                    (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                )
                if state not in "ZX":
                    found[int(entry.name)] = int(parent)
    return found


def is_running(process: int) -> bool:
    return process in running()


def nurseries(runtime: Path | None = None) -> list[int]:
    """The nurseries of this test's folder for sockets, or of another one."""
    folder = (runtime or Path(os.environ["JUPYTER_RUNTIME_DIR"])) / "nursery"
    return [process for process in _forking() if str(folder) in _files(process)]


def open_files(process: int) -> int:
    """How many files, pipes and sockets a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


def kernels(launcher: int) -> list[int]:
    """The kernels of a process: children of its own, and what is tied to it though forked."""
    processes, forking = running(), set(_forking())
    pipes = _pipes(launcher)
    return [
        process
        for process, parent in processes.items()
        if process not in forking
        and (
            (_is_forked(process) and pipes & _pipes(process))
            or (parent == launcher and "ipykernel" in _command(process))
        )
    ]


def _forking() -> list[int]:
    """Nurseries: unlike the kernels that they forked, they are nobody's children but init's."""
    processes = running()
    alike = {process for process in processes if _is_forked(process)}
    return [process for process in alike if processes[process] not in alike]


def _is_forked(process: int) -> bool:
    """Whether it runs by a nursery's command line, as nurseries and what they fork do."""
    return _NURSERY in _command(process)


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _pipes(process: int) -> set[str]:
    return {target for target in _files(process) if target.startswith("pipe:")}


def _files(process: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for file in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                found.add(os.readlink(file))
    return found
