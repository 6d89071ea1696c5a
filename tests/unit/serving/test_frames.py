"""Frames of browsers are read strictly, whatever is in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.serving.frames import Malformed, read
from tests.support.attacks.sessions import message, packed

CONTENT = {"comm_id": "a" * 32, "data": {"method": "update", "state": {"period": "7d"}}}
WHOLE, ID = message("comm_msg", CONTENT)


def test_a_message_is_what_the_page_said() -> None:
    said = read(WHOLE)
    assert (said.id, said.kind, said.channel) == (ID, "comm_msg", "shell")
    assert said.content is not None
    assert said.content.data.state == {"period": "7d"}


def test_of_messages_that_are_about_no_comm_nothing_more_is_read() -> None:
    assert read(message("execute_request", b"\xff")[0]).content is None


@pytest.mark.parametrize("length", range(0, len(WHOLE), 7))
def test_what_ends_early_is_no_message(length: int) -> None:
    with pytest.raises(Malformed):
        read(WHOLE[:length])


@given(st.binary(max_size=400))
def test_no_noise_raises_anything_else(noise: bytes) -> None:
    with pytest.raises(Malformed):
        read(noise)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_no_changed_byte_raises_anything_else(at: int, byte: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] = byte
    try:
        read(bytes(changed))
    except Malformed:
        return


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000,
        b'{"comm_id":"a","data":' + b'{"state":' * 20_000,
        b'{"comm_id":"a","data":{"method":"update","state":{"refresh":Infinity}}}',
        b'{"comm_id":7}',
        json.dumps({"comm_id": "a" * 65}).encode(),
        json.dumps({"comm_id": "a", "data": {"method": "m" * 65}}).encode(),
        json.dumps({"comm_id": "a\n"}).encode(),
        b'{"comm_id":"\xed\xa0\x80"}',
    ],
    ids=lambda content: content[:24].decode(errors="replace"),
)
def test_hostile_json_is_no_message(content: bytes) -> None:
    with pytest.raises(Malformed):
        read(message("comm_msg", content)[0])


def test_a_frame_with_further_parts_is_no_message() -> None:
    with pytest.raises(Malformed):
        read(packed([b"shell", b"{}", b"{}", b"{}", b"{}", b"buffer"]))
