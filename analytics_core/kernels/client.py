"""How a process gets a kernel from the nursery, and what it holds of it."""

from __future__ import annotations

import fcntl
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from analytics_core.kernels import wire
from analytics_core.kernels.address import Address, is_of_this_user, read_at_start, within
from analytics_core.kernels.errors import NurseryUnavailable

# Imports take a second or two, on a busy machine more.
_START_TIMEOUT = 60.0
_ANSWER_TIMEOUT = 30.0
_TRIES = 3
# What a nursery prints once it answers.
READY = "ready"
_LIMITS = tuple(sorted(name for name in dir(resource) if name.startswith("RLIMIT_")))
# What a process gets that imports for others: no threads from libraries, few arenas of memory, and
# none of the launcher's own variables, a grant for example.
QUIET = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
_PASSED_ON = ("HOME", "PATH", "TMPDIR", "TZ", "USER")


def is_possible() -> bool:
    """Whether this system has what forked kernels need."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The kernel that is asked for: its command line, its environment and its folder."""

    command: Sequence[str]
    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str


class ForkedProcess:
    """A kernel that the nursery forked, with what its launcher needs of `subprocess.Popen`.

    The kernel ends when this does: with its launcher, or when nothing refers to it any more.
    """

    def __init__(
        self, pid: int, process: int, channel: socket.socket, tether: int, streams: Streams
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout, self.stderr = streams.stdout, streams.stderr
        self._process, self._channel = process, channel
        self.let_go = weakref.finalize(self, _let_go, process, channel, tether)

    def poll(self) -> int | None:
        """The exit status, negative for a signal as `Popen` has it; None while it runs."""
        if self.returncode is None and self.has_exited(0):
            self.returncode = self._exit_status()
            self.let_go()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None and not self.has_exited(timeout):
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        """Send a signal; none to a process that has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._process, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def has_exited(self, timeout: float | None) -> bool:
        """Whether it ends within so many seconds."""
        return _wait(self._process, select.POLLIN, timeout)

    def _exit_status(self) -> int:
        try:
            if received := wire.receive(self._channel):
                return int(received[0]["exit"])
        except (wire.Garbled, OSError):
            # As below: whoever knew how it ended is gone.
            return 1
        return 1


def _wait(file: int, event: int, timeout: float | None) -> bool:
    waiting = select.poll()
    waiting.register(file, event)
    return bool(waiting.poll(None if timeout is None else timeout * 1000))


def _let_go(process: int, channel: socket.socket, tether: int) -> None:
    os.close(tether)
    channel.close()
    os.close(process)


class Streams:
    """A kernel's standard streams, from what `subprocess.Popen` would have been given."""

    def __init__(self, stdin: Any, stdout: Any, stderr: Any) -> None:
        self.stdout: IO[bytes] | None = None
        self.stderr: IO[bytes] | None = None
        self._ours: list[int] = []
        try:
            # Without one there is nothing to read: nobody types into a kernel's process.
            given = subprocess.DEVNULL if stdin in (None, subprocess.PIPE) else stdin
            self.files = [self._file(given, 0)]
            outward, self.stdout = self._outward(stdout, 1)
            self.files.append(outward)
            if stderr == subprocess.STDOUT:
                self.files.append(outward)
            else:
                outward, self.stderr = self._outward(stderr, 2)
                self.files.append(outward)
        except BaseException:
            self.close()
            raise

    def _outward(self, given: Any, number: int) -> tuple[int, IO[bytes] | None]:
        if given != subprocess.PIPE:
            return self._file(given, number), None
        reading, writing = os.pipe()
        self._ours.append(writing)
        return writing, os.fdopen(reading, "rb")

    def _file(self, given: Any, number: int) -> int:
        if given is None and _is_open(number):
            return number
        if given in (None, subprocess.DEVNULL):
            self._ours.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
            return self._ours[-1]
        return given if isinstance(given, int) else int(given.fileno())

    def close(self) -> None:
        """Close the kernel's ends here; ends to read from stay open."""
        wire.close_files(self._ours)
        self._ours.clear()


def _is_open(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return False
    return True


def fork_kernel(
    preloaded: Sequence[str], idle: float, wanted: Wanted, streams: Streams
) -> ForkedProcess:
    """A new kernel; raises `NurseryUnavailable` where none can be forked for this."""
    if not is_possible():
        raise NurseryUnavailable(f"{sys.platform} has no process descriptors")
    own, other = read_at_start(os.environ), read_at_start(wanted.environment)
    if different := {name for name, _ in own.items() ^ other.items()}:
        raise NurseryUnavailable(f"it is to start with another {', '.join(sorted(different))}")
    address = Address.of(preloaded)
    request = _request(address, wanted)
    for _ in range(_TRIES):
        with address.opened() as folder:
            channel = _connected(address, folder) or _started(address, folder, preloaded, idle)
        try:
            process = _asked(channel, request, streams)
        except (wire.Garbled, OSError):
            process = None  # It went away while it was asked; so did what it may have forked.
        if process:
            return process
    raise NurseryUnavailable("it does not answer")


def _request(address: Address, wanted: Wanted) -> dict[str, Any]:
    return {
        "code": address.code,
        "command": list(wanted.command),
        "arguments": list(wanted.arguments),
        "environment": dict(wanted.environment),
        "directory": os.path.abspath(wanted.directory),
        "umask": _umask(),
        "launcher": os.getpid(),
        "cores": sorted(os.sched_getaffinity(0)),
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in _LIMITS},
    }


def _umask() -> int:
    # os.umask() would change it for a moment, for all threads.
    with open("/proc/self/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o077


def _asked(
    channel: socket.socket, request: Mapping[str, Any], streams: Streams
) -> ForkedProcess | None:
    """The kernel, which can be connected to; None where the nursery has retired.

    Closes the channel but in the first case.
    """
    theirs, tether = os.pipe()
    try:
        bound, unbound = os.pipe()
    except OSError:
        wire.close_files([theirs, tether])
        channel.close()
        raise
    process: ForkedProcess | None = None
    try:
        channel.settimeout(_ANSWER_TIMEOUT)
        try:
            wire.send(channel, dict(request), [*streams.files, theirs, unbound])
        finally:
            wire.close_files([theirs, unbound])
        received = wire.receive(channel)
        if received is None:
            return None
        answer, files = received
        if files:
            process = ForkedProcess(answer["kernel"], files[0], channel, tether, streams)
            # It lets go of its end when it has bound its sockets, or ends.
            _wait(bound, select.POLLHUP, _ANSWER_TIMEOUT)
            return process
        if answer.get("stale"):
            return None
        raise NurseryUnavailable(answer["refused"])
    finally:
        os.close(bound)
        if process is None:
            os.close(tether)
            channel.close()


def _connected(address: Address, folder: int) -> socket.socket | None:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.connect(within(folder, address.socket_name))
        if is_of_this_user(channel):
            return channel
        raise NurseryUnavailable("another user answers in its place")
    except (FileNotFoundError, ConnectionRefusedError):
        channel.close()
        return None
    except BaseException:
        channel.close()
        raise


def _started(address: Address, folder: int, preloaded: Sequence[str], idle: float) -> socket.socket:
    with _alone(address.lock):
        # Whoever had the lock before may have started it.
        if channel := _connected(address, folder):
            return channel
        _start(address, folder, preloaded, idle)
        if channel := _connected(address, folder):
            return channel
    raise NurseryUnavailable("it went away as soon as it was there")


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise NurseryUnavailable(
                        "another process has been starting it for long"
                    ) from None
                time.sleep(0.01)
        yield


def _start(address: Address, folder: int, preloaded: Sequence[str], idle: float) -> None:
    options = {"folder": folder, "name": address.socket_name, "code": address.code, "idle": idle}
    command = [sys.executable, "-m", "analytics_core.kernels.nursery"]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = QUIET | {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name in read_at_start(os.environ)
    }
    with (
        address.log.open("wb") as log,
        subprocess.Popen(  # noqa: S603 - ourselves
            [*command, *preloaded],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=[folder],
            cwd="/",
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        if process.stdout and _line(process.stdout) == READY:
            return
        # The first process is gone, the nursery is still in its group.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    said = address.log.read_text(encoding="utf-8", errors="replace").split("\n")
    last_words = [line.strip() for line in said if line.strip()][-1:]
    raise NurseryUnavailable(": ".join(["it does not start", *last_words]))


def _line(stream: IO[bytes]) -> str:
    """The first line of a stream; nothing where none comes in time."""
    readable, _, _ = select.select([stream], [], [], _START_TIMEOUT)
    return stream.readline().strip().decode() if readable else ""
