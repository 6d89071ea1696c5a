"""Whom an event names, whatever state its JSON is in."""

from __future__ import annotations

import pytest

from analytics_core.model.named import named_in, without_keys

MARA = frozenset({"mara"})
KEY = frozenset({"hash"})


@pytest.mark.parametrize(
    "line",
    [
        b'{"user_id":"mara"}',
        b'{"user_id" : "m\\u0061ra", "key_hash": "another"}',
        b'{"key_hash":"hash"}',
        b'{"user_id":null,"key_hash":"hash"}',
        b'ser": 1, "user_id":"mara", "occ',
        b'\xff "user_id": "mara"',
    ],
)
def test_it_is_about_them(line: bytes) -> None:
    assert named_in(line).is_about(MARA, KEY)


@pytest.mark.parametrize(
    "line",
    [
        b'{"user_id":"mara2"}',
        b'{"name":"mara"}',
        b'{"user_id":"noor","key_hash":"hash"}',
        b'{"user_id":["mara"]}',
        b'"mara"',
        b"mara",
        b"",
    ],
)
def test_it_is_about_somebody_else_or_nobody(line: bytes) -> None:
    assert not named_in(line).is_about(MARA, KEY)


def test_the_hash_of_a_key_is_left_out() -> None:
    assert without_keys(b'{"user_id":"mara","key_hash":"hash"}') == '{"user_id":"mara"}'
    assert "hash1" not in without_keys(b'x "key_hash": "hash1", y')
