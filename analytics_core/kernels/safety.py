"""What a process must not have when it forks, looked for before it does."""

from __future__ import annotations

import gc
import os
import random
import sqlite3
import sys
import threading
import uuid
from tempfile import mktemp
from typing import Any

import zmq

from analytics_core.kernels import child

_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random")


class Unsafe(Exception):
    """Something was imported that leaves behind what a fork would break."""


def check(own: set[int]) -> None:
    """Raise `Unsafe` where this process, apart from its `own` open files, is not fit to fork."""
    _one_thread()
    _no_files(own)
    _nothing_connected()
    _fresh_chance()


def _one_thread() -> None:
    # Threads of libraries, too, which Python does not know of.
    running = os.listdir("/proc/self/task")
    if len(running) > 1 or threading.active_count() > 1:
        names = {_name(thread) for thread in running if thread != str(os.getpid())}
        raise Unsafe(f"there are threads: {', '.join(sorted(names))}")


def _name(thread: str) -> str:
    with open(f"/proc/self/task/{thread}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def _no_files(own: set[int]) -> None:
    for number in map(int, os.listdir("/proc/self/fd")):
        if number not in own:
            try:
                target = os.readlink(f"/proc/self/fd/{number}")
            except FileNotFoundError:
                continue  # The folder's own, which was open while it was listed.
            if target not in _HARMLESS:
                # Sockets, databases and the pollers of event loops are all open files.
                raise Unsafe(f"there is an open file: {target}")


def _nothing_connected() -> None:
    # A context's threads start with its first socket; a database in memory has no open file.
    for thing in gc.get_objects():
        kind: type[Any] = type(thing)
        if issubclass(kind, zmq.Context | zmq.Socket | sqlite3.Connection):
            raise Unsafe(f"there is a {kind.__module__}.{kind.__qualname__}")


def _fresh_chance() -> None:
    if any(one == other for one, other in zip(_drawn(), _drawn(), strict=True)):
        raise Unsafe("forked processes draw the same random numbers")


def _drawn() -> list[str]:
    """What a process that was forked and prepared like a kernel draws."""
    reading, writing = os.pipe()
    forked = os.fork()
    if forked == 0:
        try:
            child.reseed()
            drawn = [str(random.random()), str(uuid.uuid4()), mktemp()]  # noqa: S306, S311
            if numpy_random := sys.modules.get("numpy.random"):
                drawn.append(str(numpy_random.random()))
            os.write(writing, "\n".join(drawn).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as there:
        drawn = there.read().split("\n")
    os.waitpid(forked, 0)
    if len(drawn) < 3:
        raise Unsafe("a forked process died")
    return drawn
