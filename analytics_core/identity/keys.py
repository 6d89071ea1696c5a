"""The keys that tokens are signed with, each known by its id; never printed, never logged."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from analytics_core.errors import OutputError, SettingsError
from analytics_core.settings import PREFIX, Settings

Algorithm: TypeAlias = Literal["HS256", "EdDSA"]

SHORTEST = 32
_SETTING = f"{PREFIX}TOKEN_KEYS"
_PUBLIC = "ed25519:"


@dataclass(frozen=True, slots=True)
class Key:
    """One key; a secret signs and verifies, a public key of somebody else verifies alone."""

    kid: str
    algorithm: Algorithm
    verifying: bytes | Ed25519PublicKey = field(repr=False)

    @property
    def secret(self) -> bytes | None:
        return self.verifying if isinstance(self.verifying, bytes) else None


class Keys:
    """All that are believed, by their ids; the first secret signs."""

    def __init__(self, keys: list[Key], setting: str = _SETTING) -> None:
        self._keys = {key.kid: key for key in keys}
        if len(self._keys) != len(keys):
            raise SettingsError(setting, "two keys have the same id")
        self._secrets = {key.kid: key.secret for key in keys if key.secret is not None}
        if not self._secrets:
            raise SettingsError(setting, "a secret is needed, as sessions are signed with it")

    @classmethod
    def of(cls, settings: Settings) -> Keys | None:
        """Those of the settings, None where there are none; raises `SettingsError` for bad ones."""
        text, setting = settings.secret("token_keys")
        if not text.strip():
            return None
        return cls(list(_parse(text, setting)), setting)

    @property
    def signing(self) -> tuple[str, bytes]:
        """The secret that signs, after its id."""
        return next(iter(self._secrets.items()))

    def get_or_none(self, kid: object) -> Key | None:
        """The key with this id, whoever named it."""
        return self._keys.get(kid) if isinstance(kid, str) else None

    def derived(self, purpose: str) -> Keys:
        """Keys for another purpose, made of these secrets: neither opens what the other opens."""
        made = [
            Key(kid, "HS256", hmac.digest(secret, purpose.encode(), hashlib.sha256))
            for kid, secret in self._secrets.items()
        ]
        return Keys(made)


def add_secret(path: Path, kid: str) -> None:
    """Write a new secret in front of those in a file, which only its owner may read.

    Raises `OutputError` where it cannot be written, `SettingsError` where it has that id already.
    """
    text = path.read_text(encoding="ascii") if path.exists() else ""
    if any(key.kid == kid for key in _parse(text, str(path))):
        raise SettingsError(str(path), f"it has a key {kid!r} already")
    whole = f"{kid}={secrets.token_urlsafe(SHORTEST)}\n{text}"
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as refused:
        raise OutputError(path, refused.strerror or str(refused)) from None


def _parse(text: str, setting: str) -> Iterator[Key]:
    """`id=secret` or `id=ed25519:public key`, with spaces or lines between; # begins a comment."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    for word in " ".join(lines).split():
        kid, equals, value = word.partition("=")
        if not (kid and equals):
            raise SettingsError(setting, "a key is written id=secret")
        if value.startswith(_PUBLIC):
            yield Key(kid, "EdDSA", _public(kid, value.removeprefix(_PUBLIC), setting))
        elif len(value.encode()) < SHORTEST:
            raise SettingsError(setting, f"the key {kid!r} has fewer than {SHORTEST} bytes")
        else:
            yield Key(kid, "HS256", value.encode())


def _public(kid: str, text: str, setting: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(text + "=="))
    except (ValueError, binascii.Error):
        raise SettingsError(
            setting, f"the key {kid!r} is no Ed25519 public key in base64url"
        ) from None
