"""What a forked process does to become a kernel like any other."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import random
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from traitlets.config.loader import Config, DeferredConfigString

# Linux's, and not among the constants of the module fcntl.
_F_SETSIG = 10
_TRAIT = re.compile(r"--(?P<of>[A-Z]\w*)\.(?P<name>[a-z]\w*)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Birth:
    """What was asked for: a kernel with these arguments, here, with these open files.

    `files` are standard input, output and error, the tether to the launcher, and the end of a pipe
    that it closes when its sockets are there.
    """

    arguments: list[str]
    command: list[str]
    environment: dict[str, str]
    directory: str
    umask: int
    launcher: int
    cores: list[int]
    limits: dict[str, list[int]]
    files: list[int]


class ForkedKernel(IPKernelApp):
    """ipykernel's application, tied to its launcher by something better than polling."""

    unbound: int

    def init_poller(self) -> None:
        """Leave it out: its parent is the nursery, without which it can live."""

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        """Read what kernelspecs pass, a file and traits, without a parser of all there could be.

        That takes longer than all the rest, and half a megabyte.
        """
        match argv:
            case ["-f", file, *more] if all(traits := [_TRAIT.fullmatch(one) for one in more]):
                said = Config({"IPKernelApp": {"connection_file": file}})
                for trait in filter(None, traits):
                    said[trait["of"]][trait["name"]] = DeferredConfigString(trait["value"])
                self.cli_config = deepcopy(said)
                self.update_config(said)
            case _:
                super().parse_command_line(argv)

    def write_connection_file(self, **options: Any) -> None:
        """Let the launcher know when it can connect: ZeroMQ takes its time to try again.

        All is bound by now; and not before, as launchers read this file then.
        """
        super().write_connection_file(**options)
        os.close(self.unbound)


def live(birth: Birth) -> None:
    """Be the kernel that was asked for until it is shut down."""
    os.setsid()
    tether, unbound = take_files(birth.files)
    tie(tether)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, (soft, hard) in birth.limits.items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    os.sched_setaffinity(0, birth.cores)
    os.umask(birth.umask)
    os.chdir(birth.directory)
    os.environ.clear()
    os.environ.update(birth.environment)
    time.tzset()
    reseed()
    sys.argv = [birth.command[0], *birth.arguments]
    sys.orig_argv = birth.command
    IPKernelApp.clear_instance()
    application = ForkedKernel.instance(parent_handle=birth.launcher)
    application.unbound = unbound
    application.initialize(birth.arguments)  # type: ignore[no-untyped-call]
    application.start()  # type: ignore[no-untyped-call]


def take_files(files: Sequence[int]) -> list[int]:
    """Make the first three this process's standard ones and close all but the others; those.

    The nursery's own files, its ties to other kernels among them, must not live on in this one.
    """
    kept = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 3 + len(files)) for file in files[3:]]
    # Out of the way first: each may stand where another has to go.
    moved = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, max(kept) + 1) for file in files[:3]]
    for number, file in enumerate(moved):
        os.dup2(file, number)
    first = 3
    for file in [*sorted(kept), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(first, file)
        first = file + 1
    return kept


def tie(tether: int) -> None:
    """Let the system kill this process as soon as nobody holds the other end of the tether.

    No thread has to watch for it, and nothing that the kernel runs can delay it.
    """
    fcntl.fcntl(tether, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(tether, _F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(tether, fcntl.F_GETFL)
    fcntl.fcntl(tether, fcntl.F_SETFL, flags | os.O_ASYNC)
    # It may have been let go before there was anybody to be told.
    gone = select.poll()
    gone.register(tether, select.POLLHUP)
    if gone.poll(0):
        os._exit(1)


def reseed() -> None:
    """Give everything random in this process a state of its own.

    The standard library does so itself after a fork, but for what it made at import.
    """
    random.seed()
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    multiprocessing.current_process().authkey = os.urandom(32)
