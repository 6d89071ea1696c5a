"""The processes of a server are found however far they went, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid

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


def test_processes_of_another_server_do_not() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LONG], env={**os.environ, VARIABLE: uuid.uuid4().hex}
    ) as other:
        try:
            assert marked(uuid.uuid4().hex) == []
        finally:
            other.kill()
