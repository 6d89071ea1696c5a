"""Messages between a nursery and those who ask it for kernels: JSON, with open files along."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

_LENGTH = struct.Struct("!I")
_MOST_FILES = 16
# An environment is some kilobytes; nobody who may connect sends more than this.
_LONGEST = 16 * 2**20


class Garbled(Exception):
    """The other side hung up within a message, or did not speak this language."""


def send(channel: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Send a message and open files, which stay open here."""
    text = json.dumps(message).encode()
    framed = _LENGTH.pack(len(text)) + text
    # Files travel with the first byte of what is sent; the rest may need several calls.
    sent = socket.send_fds(channel, [framed], list(files))
    channel.sendall(framed[sent:])


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the files that came with it; None where the other side hung up.

    Raises `Garbled`; the files of a message that could not be read are closed.
    """
    first, files = _first_bytes(channel)
    if not first:
        return None
    try:
        head = first + _exactly(channel, _LENGTH.size - len(first))
        (length,) = _LENGTH.unpack(head)
        if length > _LONGEST:
            raise Garbled(f"a message of {length} bytes")
        message = json.loads(_exactly(channel, length))
        if not isinstance(message, dict):
            raise Garbled("a message that is not an object")
    except BaseException as error:
        close_files(files)
        if isinstance(error, ValueError):
            raise Garbled("a message that is not JSON") from error
        raise
    return message, files


def _first_bytes(channel: socket.socket) -> tuple[bytes, list[int]]:
    # As socket.recv_fds, but without a moment in which another thread's child could inherit them.
    files = array.array("i")
    first, ancillary, _, _ = channel.recvmsg(
        _LENGTH.size, socket.CMSG_LEN(_MOST_FILES * files.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(data[: len(data) - len(data) % files.itemsize])
    return first, list(files)


def _exactly(channel: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        part = channel.recv(min(length, 2**16))
        if not part:
            raise Garbled("a message without its end")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def close_files(files: Sequence[int]) -> None:
    """Close what is open of them."""
    for file in files:
        with suppress(OSError):
            os.close(file)
