"""What must not be there when a process forks is found, whoever left it behind."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from analytics_core.kernels.client import QUIET

BEFORE = "import gc\nfrom analytics_core.kernels.safety import Unsafe, check\n"
CHECK = (
    "gc.collect()\ntry:\n    check({0, 1, 2})\nexcept Unsafe as found:\n    print(found, end='')\n"
)


def found(left_behind: str) -> str:
    """What the check says in a process in which something was left behind."""
    done = subprocess.run(
        [sys.executable, "-c", f"{BEFORE}{left_behind}\n{CHECK}"],
        # As nurseries are started, without threads that libraries have for themselves.
        env={**os.environ, **QUIET},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_is_found_where_nothing_was_left() -> None:
    assert found("") == ""


@pytest.mark.parametrize(
    ("left_behind", "problem"),
    [
        (
            "import threading, time\n"
            "threading.Thread(target=time.sleep, args=(5,), daemon=True).start()",
            "there are threads",
        ),
        ("kept = open('/etc/passwd')", "there is an open file: /etc/passwd"),
        ("import socket; kept = socket.socket()", "there is an open file: socket:"),
        ("import asyncio; kept = asyncio.new_event_loop()", "there is an open file"),
        (
            "import sqlite3; kept = sqlite3.connect(':memory:')",
            "there is a sqlite3.Connection",
        ),
        ("import zmq; kept = zmq.Context()", "there is an open file: anon_inode"),
        (
            "import random; from analytics_core.kernels import child\n"
            "child.reseed = lambda: random.seed(1)",
            "forked processes draw the same random numbers",
        ),
        (
            "import os; from analytics_core.kernels import child\n"
            "child.reseed = lambda: os._exit(1)",
            "a forked process died",
        ),
    ],
)
def test_what_a_fork_would_break_is_named(left_behind: str, problem: str) -> None:
    assert found(left_behind).startswith(problem)
