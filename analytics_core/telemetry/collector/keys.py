"""The keys that producers show, which are compared and never told."""

from __future__ import annotations

import hashlib
import hmac

from analytics_core.errors import SettingsError
from analytics_core.settings import PREFIX, Settings

SHORTEST, MOST = 32, 2
_FILE = f"{PREFIX}COLLECTOR_KEY_FILE"


class Keys:
    """One key, or two while one replaces the other."""

    def __init__(self, keys: list[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """Those of the settings; raises `SettingsError` where there is none, or a weak one."""
        text, setting = settings.secret("collector_key")
        keys = text.split()
        if not keys:
            raise SettingsError(
                setting, f"a key is needed, of at least {SHORTEST} characters (or in {_FILE})"
            )
        if len(keys) > MOST:
            raise SettingsError(setting, f"at most {MOST} keys, with a space between")
        if any(len(key) < SHORTEST for key in keys):
            raise SettingsError(setting, f"a key has at least {SHORTEST} characters")
        if not all(key.isascii() and key.isprintable() for key in keys):
            raise SettingsError(setting, "a key is printable ASCII, as it travels in a header")
        return cls(keys)

    def admit(self, authorization: str) -> bool:
        """Whether a request's Authorization header shows one of them; as slow for all answers."""
        scheme, _, shown = authorization.partition(" ")
        digest = _digest(shown.strip().encode(errors="replace"))
        fits = [hmac.compare_digest(digest, known) for known in self._digests]
        return scheme.lower() == "bearer" and any(fits)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
