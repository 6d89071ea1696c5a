"""Whom the JSON of an event names, also where it is damaged and no event."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

_LOOSELY = re.compile(rb'"(user_id|key_hash)"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Named:
    """The users and the hashes of keys that a line names."""

    users: frozenset[str]
    keys: frozenset[str]

    def is_about(self, users: frozenset[str], keys: frozenset[str]) -> bool:
        """Whether a line is about one of these; a key says whose a call is where no user does."""
        return bool(self.users & users) or (not self.users and bool(self.keys & keys))


def named_in(line: bytes) -> Named:
    """Whom a line names: as its JSON says, or where it is none, whatever looks like it."""
    try:
        told: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = None
    if isinstance(told, dict):
        found = [(name, told.get(name)) for name in ("user_id", "key_hash")]
    else:
        found = [(name.decode(), _text(value)) for name, value in _LOOSELY.findall(line)]
    users, keys = (
        frozenset(value for name, value in found if name == wanted and isinstance(value, str))
        for wanted in ("user_id", "key_hash")
    )
    return Named(users, keys)


def without_keys(line: bytes) -> str:
    """The text of an event, the hash of its key left out."""
    try:
        told: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = None
    if isinstance(told, dict):
        told.pop("key_hash", None)
        return msgspec.json.encode(told).decode()
    return _LOOSELY.sub(_hidden, line).decode(errors="backslashreplace")


def _hidden(found: re.Match[bytes]) -> bytes:
    return b'"key_hash":""' if found[1] == b"key_hash" else found[0]


def _text(quoted: bytes) -> str | None:
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
