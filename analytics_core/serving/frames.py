"""What browsers send to kernels, read strictly: Jupyter's websocket protocol v1, as pages use it.

A frame is a list of offsets and the parts they point at: a channel, then header, parent, metadata
and content of one message. Whatever else a frame says is left where it is; nothing that a browser
wrote is ever handed on as it came.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Annotated, Any

import msgspec

PROTOCOL = "v1.kernel.websocket.jupyter.org"
# Of one message: every one that the page sends has less than a thousand bytes.
MOST_BYTES = 64 * 1024
# A channel, four parts of a message, and where the last one ends.
_OFFSETS = 6

_Id = Annotated[str, msgspec.Meta(pattern=r"\A[0-9A-Za-z_-]{1,64}\Z")]
_Word = Annotated[str, msgspec.Meta(max_length=64)]


class Malformed(Exception):
    """This is no message, or none of the form that pages send."""


class _Header(msgspec.Struct):
    msg_id: _Id
    msg_type: _Word


class Data(msgspec.Struct):
    """What a widget is told."""

    method: _Word = ""
    state: dict[str, Any] = {}
    content: Any = None


class Content(msgspec.Struct):
    """What is said over a comm, or what one is opened for."""

    comm_id: _Id
    data: Data = msgspec.field(default_factory=Data)
    target_name: _Word = ""


class Said(msgspec.Struct, frozen=True):
    """One message of a browser: its id, its kind, and its content where it is about a comm."""

    id: str
    kind: str
    channel: str
    content: Content | None


_headers, _contents = msgspec.json.Decoder(_Header), msgspec.json.Decoder(Content)


def read(frame: bytes) -> Said:
    """The message of a frame; raises `Malformed`."""
    channel, header, _parent, _metadata, content = _parts(frame)
    try:
        head = _headers.decode(header)
        is_of_comm = head.msg_type.startswith("comm_") and head.msg_type != "comm_info_request"
        told = _contents.decode(content) if is_of_comm else None
        return Said(head.msg_id, head.msg_type, channel.decode("ascii"), told)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unread:
        raise Malformed from unread


def _parts(frame: bytes) -> list[bytes]:
    begin = 8 * (_OFFSETS + 1)
    if len(frame) < begin:
        raise Malformed
    count, *offsets = struct.unpack_from(f"<{_OFFSETS + 1}Q", frame)
    # Buffers would be further parts; nothing that the page sends has any.
    if count != _OFFSETS or offsets[0] != begin or offsets[-1] != len(frame):
        raise Malformed
    if offsets != sorted(offsets):
        raise Malformed
    return [frame[start:end] for start, end in pairwise(offsets)]
