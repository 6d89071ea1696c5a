"""The processes of a server are found however far they went, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from tests.benchmarks.faults import role
from tests.benchmarks.processes import VARIABLE, marked, pss

LONG = "import time; time.sleep(60)"
# Starts one in a session of its own and ends, so that it has another parent.
AWAY = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {LONG!r}], start_new_session=True)
"""


def test_one_that_left_its_parent_still_belongs_to_its_server() -> None:
    mark = uuid.uuid4().hex
    subprocess.run(
        [sys.executable, "-c", AWAY], env={**os.environ, VARIABLE: mark}, check=True, timeout=60
    )
    (found,) = marked(mark)
    try:
        assert "time.sleep" in found.command
        assert pss(mark) > 1_000_000
    finally:
        found.kill()
    until = time.monotonic() + 10
    while marked(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert marked(mark) == []


# Has a kernel, and says so.
KERNEL = """
from jupyter_client.manager import KernelManager
from analytics_core.kernels.spec import OwnKernels
manager = KernelManager(kernel_spec_manager=OwnKernels(), kernel_name="python3")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
print("ready", flush=True)
input()
manager.shutdown_kernel(now=True)
"""


def test_a_nursery_and_its_kernels_belong_to_the_server_that_started_them(tmp_path: Path) -> None:
    mark = str(tmp_path)
    runtime = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    with subprocess.Popen(
        [sys.executable, "-c", KERNEL],
        env={**os.environ, **runtime, VARIABLE: mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        found = marked(mark)
        server.communicate("\n", timeout=60)
    try:
        assert sorted(str(role(process)) for process in found) == ["None", "kernel", "preloaded"]
    finally:
        for process in found:
            process.kill()


def test_processes_of_another_server_do_not() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LONG], env={**os.environ, VARIABLE: uuid.uuid4().hex}
    ) as other:
        try:
            assert marked(uuid.uuid4().hex) == []
        finally:
            other.kill()
