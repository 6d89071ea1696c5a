"""The nursery: a process that has imported what kernels use, and forks one for whoever asks.

It has one thread and no event loop, only a list of open files to wait for: its own socket, the
launchers that asked for kernels, and the kernels themselves. It ends when nobody has had a kernel
of it for a while, and when the code that it has imported is no longer what is installed.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any

import ipykernel.ipkernel
import IPython.core.shellapp

from analytics_core.kernels import wire
from analytics_core.kernels.address import is_of_this_user, within
from analytics_core.kernels.child import Birth, live
from analytics_core.kernels.client import READY
from analytics_core.kernels.safety import Unsafe, check
from analytics_core.kernels.sharing import KnownModules, ask_ahead, fill_gaps

# What every kernel imports as it starts, or when it is first asked something.
_OF_EVERY_KERNEL = (
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.magics",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "debugpy",
    "faulthandler",
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "tornado.platform.asyncio",
)
_BACKLOG = 128
_PATIENCE = 5.0
_LOOK_AROUND = 2.0


class Launcher:
    """Somebody who asked for a kernel, and the kernel.

    The kernel is left a zombie until its launcher hangs up: so long its number means nobody else.
    """

    def __init__(self, channel: socket.socket, kernel: int) -> None:
        self.channel, self.kernel = channel, kernel
        self.process = os.pidfd_open(kernel)
        self.has_hung_up = self.has_exited = False

    def tell_exit(self) -> None:
        self.has_exited = True
        if found := os.waitid(os.P_PIDFD, self.process, os.WEXITED | os.WNOWAIT):
            exited = found.si_code == os.CLD_EXITED
            with suppress(OSError):
                wire.send(self.channel, {"exit": found.si_status if exited else -found.si_status})

    def reap(self) -> None:
        os.waitpid(self.kernel, 0)
        os.close(self.process)
        self.channel.close()


class Nursery:
    """Answers at its socket until it is no longer needed."""

    def __init__(self, listening: socket.socket, folder: int, name: str, code: str) -> None:
        self.listening, self.folder, self.name, self.code = listening, folder, name, code
        self.inode = os.stat(name, dir_fd=folder).st_ino
        self.is_retiring = False
        self.poll = select.poll()
        self.poll.register(listening, select.POLLIN)
        self.launchers: dict[int, Launcher] = {}
        self.kernels: dict[int, Launcher] = {}

    def serve(self, idle: float) -> Birth | None:
        """Answer; returns in a forked process, with what it is to become, and None at the end."""
        unused_since = time.monotonic()
        while True:
            for file, _ in self.poll.poll(_LOOK_AROUND * 1000):
                if file == self.listening.fileno():
                    if birth := self._answer():
                        return birth
                elif launcher := self.kernels.get(file):
                    self.poll.unregister(file)
                    launcher.tell_exit()
                    self._part(launcher)
                elif launcher := self.launchers.get(file):
                    # It never says anything more: this is its end.
                    self.poll.unregister(file)
                    launcher.has_hung_up = True
                    self._part(launcher)
            if self.launchers:
                unused_since = time.monotonic()
            elif self.is_retiring or time.monotonic() - unused_since > idle:
                return None
            self._look_around()

    def _answer(self) -> Birth | None:
        try:
            channel, _ = self.listening.accept()
        except OSError:
            return None  # It hung up meanwhile.
        channel.settimeout(_PATIENCE)
        files: list[int] = []
        try:
            if not is_of_this_user(channel):
                return None
            received = wire.receive(channel)
            if received is None:
                return None
            request, files = received
            return self._born(channel, request, files)
        except (wire.Garbled, OSError):
            return None
        finally:
            wire.close_files(files)
            if channel.fileno() not in self.launchers:
                channel.close()

    def _born(
        self, channel: socket.socket, request: dict[str, Any], files: list[int]
    ) -> Birth | None:
        if request.pop("code") != self.code:
            self._retire()
            wire.send(channel, {"refused": "", "stale": True})
            return None
        birth = Birth(**request, files=list(files))
        try:
            kernel = os.fork()
        except OSError as refused:
            wire.send(channel, {"refused": f"no further process: {refused.strerror}"})
            return None
        if kernel == 0:
            files.clear()
            return birth
        launcher = Launcher(channel, kernel)
        self.launchers[channel.fileno()] = self.kernels[launcher.process] = launcher
        self.poll.register(channel, select.POLLIN)
        self.poll.register(launcher.process, select.POLLIN)
        # If it hung up, the kernel's tether is loose and the kernel ends by itself.
        with suppress(OSError):
            wire.send(channel, {"kernel": kernel}, [launcher.process])
        return None

    def _part(self, launcher: Launcher) -> None:
        if launcher.has_hung_up and launcher.has_exited:
            del self.launchers[launcher.channel.fileno()], self.kernels[launcher.process]
            launcher.reap()

    def _look_around(self) -> None:
        """Retire when another has taken the place, or the folder is gone."""
        try:
            is_in_place = os.stat(self.name, dir_fd=self.folder).st_ino == self.inode
        except FileNotFoundError:
            is_in_place = False
        if not is_in_place:
            self._retire()

    def _retire(self) -> None:
        """Take no further requests; kernels that there are go on."""
        if not self.is_retiring:
            self.is_retiring = True
            self.poll.unregister(self.listening)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True, type=int)
    parser.add_argument("--name", required=True)
    parser.add_argument("--code", required=True)
    parser.add_argument("--idle", required=True, type=float)
    parser.add_argument("preloaded", nargs="*")
    asked = parser.parse_args()
    # Nobody's child: whoever started it neither waits for it nor ends it.
    if os.fork():
        os._exit(0)
    # Where `python -m` looks first, which is no business of a kernel.
    sys.path.pop(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Each kernel gets the cores of its launcher; whoever came first must not choose for the others.
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        for name in (*_OF_EVERY_KERNEL, *asked.preloaded):
            _prepare(name)
        ask_ahead()
        known = KnownModules()
        for asking in (ipykernel.ipkernel, IPython.core.shellapp):
            vars(asking)["sys"] = known
        check({0, 1, 2, asked.folder})
    except (ImportError, AttributeError, Unsafe) as refused:
        sys.exit(str(refused))
    birth = _serve(asked)
    if birth is not None:
        gc.enable()
        live(birth)


def _prepare(name: str) -> None:
    """Import a module, or call the function of one, as in `package.module:function`."""
    module, _, function = name.partition(":")
    found = importlib.import_module(module)
    if function:
        getattr(found, function)()


def _serve(asked: argparse.Namespace) -> Birth | None:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Under another name first: in its place it answers from the first moment on.
    own = f"{asked.name}.{os.getpid()}"
    listening.bind(within(asked.folder, own))
    listening.listen(_BACKLOG)
    os.rename(own, asked.name, src_dir_fd=asked.folder, dst_dir_fd=asked.folder)
    # Nothing that is there now is ever looked at by the collector again: looking would write on
    # pages that all kernels share.
    gc.disable()
    gc.collect()
    fill_gaps()
    gc.freeze()
    print(READY, flush=True)  # noqa: T201
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    return Nursery(listening, asked.folder, asked.name, asked.code).serve(asked.idle)


if __name__ == "__main__":
    main()
