"""Where the nursery of a user, an environment and its code listens, and who else may look there."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import site
import socket
import stat
import struct
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq
from jupyter_core.paths import jupyter_runtime_dir

from analytics_core.kernels.errors import NurseryUnavailable

# What Python, the C library and imported libraries read once, when they start: a kernel that wants
# another value cannot be forked from a process that has started already.
_READ_AT_START = (
    "PYTHON", "VIRTUAL_ENV", "LD_", "LANG", "LC_", "MALLOC_", "GLIBC_", "ARROW_", "JE_ARROW_",
    "OPENBLAS_", "OMP_", "MKL_",
)  # fmt: skip
# The first of these is for programs that read what was printed by another, line by line.
_NOT_ABOUT_KERNELS = frozenset({"PYTHONUNBUFFERED", "PYTHONEXECUTABLE"})
_LONGEST_SOCKET = 107


@dataclass(frozen=True, slots=True)
class Address:
    """One nursery's folder and name in it; `code` tells versions of what it has imported apart."""

    folder: Path
    name: str
    code: str

    @classmethod
    def of(cls, preloaded: Sequence[str]) -> Address:
        """The address for this process: its interpreter, its settings, its limits and its code."""
        same = {
            "python": [sys.executable, sys.prefix, sys.version],
            "preloaded": list(preloaded),
            "read": read_at_start(os.environ),
            "groups": os.getgroups(),
            # Memory that a kernel takes is counted where its launcher's is.
            "cgroup": _text("/proc/self/cgroup"),
        }
        name = hashlib.blake2b(json.dumps(same).encode(), digest_size=8).hexdigest()
        return cls(Path(jupyter_runtime_dir(), "nursery"), name, code_of(preloaded))

    @property
    def socket_name(self) -> str:
        return f"{self.name}.socket"

    @property
    def lock(self) -> Path:
        return self.folder / f"{self.name}.lock"

    @property
    def log(self) -> Path:
        """What a nursery says before it is ready, for whoever has to explain why it is not."""
        return self.folder / f"{self.name}.log"

    @contextmanager
    def opened(self) -> Iterator[int]:
        """The folder as an open file; raises `NurseryUnavailable` unless it is this user's alone.

        Sockets are named relative to it: a path of a socket may have 107 bytes and no more.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as refused:
            raise NurseryUnavailable(f"{self.folder}: {refused.strerror}") from refused
        try:
            facts = os.fstat(folder)
            if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
                raise NurseryUnavailable(f"{self.folder} is open to other users")
            yield folder
        finally:
            os.close(folder)


def within(folder: int, name: str) -> str:
    """The path of a file in an open folder."""
    return f"/proc/self/fd/{folder}/{name}"


def transport_beside(connection_file: str) -> str:
    """How to talk to a kernel: over sockets that are files beside this one, `ipc`.

    Or over `tcp`, where their paths would be longer than the system takes: nobody would be told,
    and the kernel never be heard. But only encrypted.
    """
    longest = f"{connection_file.removesuffix('.json')}-ipc-5"
    is_too_long = len(os.fsencode(longest)) > _LONGEST_SOCKET
    return "tcp" if is_too_long and zmq.has("curve") else "ipc"


def is_of_this_user(channel: socket.socket) -> bool:
    """Whether the process at the other end of a Unix socket belongs to this process's user."""
    credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user == os.geteuid())


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that only matter to a process that starts."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if name.startswith(_READ_AT_START) and name not in _NOT_ABOUT_KERNELS
    }


def code_of(preloaded: Sequence[str]) -> str:
    """A fingerprint of what is installed, and of the files of what is preloaded from elsewhere."""
    installed = [Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))]
    if site.ENABLE_USER_SITE:
        installed.append(Path(site.getusersitepackages()))
    # Whatever is installed, renewed or removed changes the folder of packages itself.
    facts = [(str(folder), _changed(folder)) for folder in installed]
    for package in sorted({re.split("[.:]", name)[0] for name in preloaded}):
        spec = importlib.util.find_spec(package)
        for place in spec.submodule_search_locations or () if spec else ():
            if not any(Path(place).is_relative_to(folder) for folder in installed):
                facts.extend(sorted(_files(place)))
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            else:
                yield entry.path, entry.stat().st_mtime_ns


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
