"""Kernels forked from a nursery: like any other, only sooner, and gone with who started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from analytics_core.kernels.address import Address
from analytics_core.kernels.spec import OwnKernels
from tests.support.kernels import is_running, kernels, nurseries

LAUNCHER = """
import os, sys, time
from jupyter_client.manager import KernelManager
from analytics_core.kernels.spec import OwnKernels
manager = KernelManager(kernel_spec_manager=OwnKernels())
manager.start_kernel()
print(manager.provisioner.pid, flush=True)
time.sleep(60)
"""


@contextmanager
def kernel(**options: Any) -> Iterator[KernelManager]:
    manager = KernelManager(kernel_spec_manager=OwnKernels())
    manager.start_kernel(**options)
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


@contextmanager
def talking(manager: KernelManager) -> Iterator[BlockingKernelClient]:
    client = manager.client()
    client.start_channels(hb=False)
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()


def told(client: BlockingKernelClient, code: str) -> str:
    """What a cell printed."""
    printed: list[str] = []

    def hear(message: dict) -> None:
        printed.append(message["content"].get("text", ""))

    reply = client.execute_interactive(code, output_hook=hear, timeout=60)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(printed).strip()


def answer(code: str, **options: Any) -> str:
    with kernel(**options) as manager, talking(manager) as client:
        return told(client, code)


def soon(claim: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def pid(manager: KernelManager) -> int:
    assert manager.provisioner is not None
    number = manager.provisioner.pid  # type: ignore[attr-defined]
    assert isinstance(number, int)
    return number


def test_a_kernel_finds_imported_what_dashboards_use() -> None:
    assert (
        answer("import sys; print({'pandas', 'bqplot', 'sqlalchemy'} <= {*sys.modules})") == "True"
    )


def test_a_kernel_is_forked_by_a_nursery_and_not_by_its_launcher() -> None:
    with kernel() as manager, talking(manager) as client:
        assert int(told(client, "import os; print(os.getppid())")) in nurseries()


def test_a_kernel_that_was_started_can_be_connected_to_at_once() -> None:
    for _ in range(10):
        with kernel() as manager, closing(socket.socket()) as shell:
            shell.connect((manager.ip, manager.shell_port))


@pytest.mark.parametrize(
    ("given", "history"),
    [
        ([], "False"),
        (["--HistoryManager.enabled=True"], "True"),
        # What only the whole parser knows.
        (["--debug"], "False"),
    ],
)
def test_a_kernel_is_as_its_options_say(given: list[str], history: str) -> None:
    show = "print(get_ipython().history_manager.enabled)"
    assert answer(show, extra_arguments=given) == history


def test_a_kernel_has_the_environment_and_folder_of_its_launcher_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYTICS_GRANT", "somebody else's")
    show = "import os; print(os.getcwd(), os.environ.get('ANALYTICS_GRANT'), os.environ.get('OWN'))"
    there = {name: value for name, value in os.environ.items() if name != "ANALYTICS_GRANT"}
    assert answer(show, env={**there, "OWN": "1"}, cwd=str(tmp_path)) == f"{tmp_path} None 1"


def test_two_kernels_draw_different_numbers_and_share_nothing() -> None:
    draw = (
        "import random, uuid, numpy, tempfile, multiprocessing\n"
        "print([random.random(), uuid.uuid4().hex, numpy.random.random(), tempfile.mktemp(),"
        " bytes(multiprocessing.current_process().authkey)])"
    )
    with kernel() as one, kernel() as two, talking(one) as first, talking(two) as second:
        assert told(first, "import pandas; pandas.mine = 1; print(1)") == "1"
        assert told(second, "import pandas; print(hasattr(pandas, 'mine'))") == "False"
        drawn = eval(told(first, draw)), eval(told(second, draw))
    assert all(ours != theirs for ours, theirs in zip(*drawn, strict=True))


def test_a_kernel_has_no_open_file_of_another_kernel_or_of_the_nursery() -> None:
    show = (
        "import os\n"
        "files = [os.readlink(f'/proc/self/fd/{f}') for f in os.listdir('/proc/self/fd')"
        " if os.path.exists(f'/proc/self/fd/{f}')]\n"
        "print([f for f in files if 'nursery' in f or 'pidfd' in f])"
    )
    with kernel():
        assert answer(show) == "[]"


def test_an_interrupt_reaches_the_cell_that_runs() -> None:
    with kernel() as manager, talking(manager) as client:
        asked = client.execute("import time\nprint('sleeps')\ntime.sleep(60)", stop_on_error=False)
        while client.get_iopub_msg(timeout=20)["content"].get("text") != "sleeps\n":
            pass
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=20)
        assert reply["parent_header"]["msg_id"] == asked
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert told(client, "print('goes on')") == "goes on"


def test_a_restarted_kernel_is_another_process_at_the_same_address() -> None:
    with kernel() as manager, talking(manager) as client:
        first = pid(manager)
        told(client, "kept = 1")
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        assert pid(manager) != first
        assert not is_running(first)
        assert told(client, "print('kept' in globals())") == "False"


@pytest.mark.parametrize(
    ("code", "status"), [("import os; os._exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_how_a_kernel_ended_is_known(code: str, status: int) -> None:
    with kernel() as manager, talking(manager) as client:
        client.execute(code)
        assert manager.provisioner is not None
        process = manager.provisioner.process  # type: ignore[attr-defined]
        assert process.wait(timeout=20) == status
        assert not manager.is_alive()


def test_what_a_kernel_writes_goes_where_its_launcher_wants(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        answer("import os; os.write(1, b'one'); os.write(2, b'two')", stdout=out, stderr=err)
    assert (tmp_path / "out").read_text().startswith("one")
    assert (tmp_path / "err").read_text().startswith("two")


@pytest.mark.parametrize("dying", [signal.SIGKILL, signal.SIGTERM])
def test_a_kernel_dies_with_its_launcher_whatever_it_does(dying: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout is not None
        started = int(launcher.stdout.readline())
        assert is_running(started)
        assert kernels(launcher.pid) == [started]
        launcher.send_signal(dying)
    assert soon(lambda: not is_running(started))


def test_a_kernel_that_nobody_refers_to_any_more_ends() -> None:
    manager = KernelManager(kernel_spec_manager=OwnKernels())
    manager.start_kernel()
    started = pid(manager)
    manager.provisioner.process.let_go()  # type: ignore[union-attr]
    assert soon(lambda: not is_running(started))
    manager.cleanup_resources()


def test_kernels_outlive_a_nursery_that_is_killed_and_the_next_ones_get_another() -> None:
    with kernel() as manager, talking(manager) as client:
        first = nurseries()
        for nursery in first:
            os.kill(nursery, signal.SIGKILL)
        assert soon(lambda: not nurseries())
        assert told(client, "print('lives')") == "lives"
        assert answer("print('lives, too')") == "lives, too"
        assert nurseries()
        assert set(nurseries()).isdisjoint(first)


def test_a_nursery_that_has_imported_older_code_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer("1")
    before = nurseries()
    monkeypatch.setattr("analytics_core.kernels.address.code_of", lambda preloaded: "newer")
    assert answer("print(1)") == "1"
    assert soon(lambda: set(nurseries()).isdisjoint(before))


def test_many_who_start_at_once_start_one_nursery(tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", LAUNCHER],
            stdout=subprocess.PIPE,
            env={**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)},
        )
        for _ in range(3)
    ]
    for launcher in started:
        assert launcher.stdout is not None
        assert launcher.stdout.readline()
    assert len(nurseries(runtime)) == 1
    for launcher in started:
        launcher.kill()
        launcher.communicate()


def test_a_nursery_goes_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    answer("1")
    [nursery] = nurseries()
    for file in (runtime / "nursery").iterdir():
        file.unlink()
    (runtime / "nursery").rmdir()
    assert soon(lambda: not is_running(nursery))


def test_a_folder_that_others_can_open_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "nursery"
    folder.mkdir()
    folder.chmod(0o755)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    with kernel() as manager:
        assert not hasattr(manager.provisioner.process, "let_go")  # type: ignore[union-attr]
    assert list(folder.iterdir()) == []


def test_a_changed_pythonpath_starts_a_kernel_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "own_module.py").write_text("here = 1")
    show = "import own_module; print(own_module.here)"
    assert answer(show, env={**os.environ, "PYTHONPATH": str(tmp_path)}) == "1"


def test_a_kernels_words_are_encrypted_on_the_machines_own_network() -> None:
    with kernel() as manager:
        assert manager.transport == "tcp"
        assert manager.curve_publickey


def test_an_address_differs_by_what_is_read_when_python_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Address.of(["dashboards.page"])
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert Address.of(["dashboards.page"]).name != one.name
