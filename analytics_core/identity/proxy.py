"""A proxy in front that has authenticated the visitor, and proves that it is the proxy.

Headers are words that anybody can say. These two are taken out of every request, whoever sent it,
so that nothing behind could believe them by mistake.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Protocol

from analytics_core.errors import NotAdmitted, SettingsError
from analytics_core.identity.visitor import Claim, Kind
from analytics_core.settings import PREFIX, Settings

SECRET_HEADER = "X-Usage-Proxy-Secret"  # noqa: S105
SHORTEST = 32
_LONGEST_NAME = 320


class Headers(Protocol):
    """The headers of a request."""

    def get_list(self, name: str, /) -> Sequence[str]: ...

    def __contains__(self, name: object, /) -> bool: ...

    def __delitem__(self, name: str, /) -> None: ...


class Proxy:
    """Believes one header, from whoever knows the secret or comes through the Unix socket."""

    def __init__(self, header: str | None, secret: bytes | None, *, by_socket: bool) -> None:
        self._header, self._secret, self._by_socket = header, secret, by_socket

    @classmethod
    def of(cls, settings: Settings) -> Proxy:
        """That of the settings; raises `SettingsError` where it could not prove itself."""
        secret = _secret(settings)
        by_socket = settings.socket is not None
        if settings.proxy_header is not None and secret is None and not by_socket:
            raise SettingsError(
                f"{PREFIX}PROXY_SECRET",
                f"needed for {PREFIX}PROXY_HEADER, as anybody could send that header"
                f" (or {PREFIX}SOCKET)",
            )
        return cls(settings.proxy_header, secret, by_socket=by_socket)

    @property
    def is_expected(self) -> bool:
        """Whether visitors may come through one at all."""
        return self._header is not None

    def take(self, headers: Headers, *, over_socket: bool) -> Claim | None:
        """Whom the proxy names, if it is the proxy; the headers are gone afterwards.

        Raises `NotAdmitted` where the proxy names several at once.
        """
        shown = _taken(headers, SECRET_HEADER)
        names = _taken(headers, self._header) if self._header is not None else []
        if not names or not self._is_proxy(shown, over_socket=over_socket):
            return None
        # A client's own copy beside the proxy's, which some proxies let through.
        if len(names) != 1 or "," in names[0] or not 0 < len(names[0].strip()) <= _LONGEST_NAME:
            raise NotAdmitted("the proxy names nobody, or several")
        return Claim(Kind.USER, names[0].strip())

    def _is_proxy(self, shown: Sequence[str], *, over_socket: bool) -> bool:
        if self._secret is not None:
            given = shown[0] if len(shown) == 1 else ""
            return hmac.compare_digest(given.encode(), self._secret)
        return self._by_socket and over_socket


def _taken(headers: Headers, name: str) -> Sequence[str]:
    found = list(headers.get_list(name))
    if name in headers:
        del headers[name]
    return found


def _secret(settings: Settings) -> bytes | None:
    text, setting = settings.secret("proxy_secret")
    secret = text.strip().encode()
    if 0 < len(secret) < SHORTEST:
        raise SettingsError(setting, f"at least {SHORTEST} characters")
    return secret or None
