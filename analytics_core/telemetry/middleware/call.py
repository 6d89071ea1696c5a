"""One call as it is told to the recorder, whichever way it came in.

Names and values are those of OpenTelemetry's HTTP conventions: the route is `http.route`, with the
application's root in front, unknown methods are `_OTHER`, seconds are those of
`http.server.request.duration`.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from analytics_core.errors import AnalyticsError
from analytics_core.telemetry.recorder import Recorder

_log = logging.getLogger(__name__)

# RFC 9110 and RFC 5789; whatever else a client makes up must not become a name in a chart.
METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
OTHER_METHOD = "_OTHER"
# The route of a call that no route was for.
UNMATCHED = "(unmatched)"
UNAUTHORIZED, CLIENT_CLOSED, SERVER_ERROR = 401, 499, 500

KEY_HEADER, PLATFORM_HEADER, VERSION_HEADER = "X-API-Key", "X-Source-Platform", "X-Plugin-Version"
_BEARER = b"bearer "
# No key is so long; hashing a header that is must cost nothing.
_LONGEST_KEY = 1024
_LONGEST_ROUTE, _LONGEST_TEXT = 255, 64
_MOST_CALLERS = _MOST_LIKES = 4096
_COMPLAIN_SECONDS = 10.0

# The hash of the key, the platform and the version that a call came with.
Caller: TypeAlias = tuple[str | None, str | None, str | None]


def sha256_hex(key: bytes) -> str:
    """What `plugin_api_keys.key_hash` holds unless a product says otherwise."""
    return hashlib.sha256(key).hexdigest()


class Calls:
    """What every middleware is told once, and how it tells a call.

    `hash_key` makes of a key what `plugin_api_keys.key_hash` holds. `user_of` and `route_of` are
    asked with a call's ASGI scope, WSGI environ or Django request, after it was answered: for the
    id of its user where that is not known by the key, and for its route's template where the
    framework is none that is known here. Each may answer None.
    """

    def __init__(
        self,
        recorder: Recorder | None = None,
        *,
        hash_key: Callable[[bytes], str] = sha256_hex,
        user_of: Callable[[Any], object] | None = None,
        route_of: Callable[[Any], str | None] | None = None,
        key_header: str = KEY_HEADER,
        platform_header: str = PLATFORM_HEADER,
        version_header: str = VERSION_HEADER,
    ) -> None:
        self._recorder = recorder if recorder is not None else _recorder_of_environment()
        self._hash_key = hash_key
        self.user_of, self.route_of = user_of, route_of
        # In the order in which `tell` takes their values.
        self.headers = (key_header, "Authorization", platform_header, version_header)
        # By Python's hash of the headers, which is keyed anew in each process: a cache without keys
        # in the clear.
        self._callers: dict[int, Caller] = {}
        self._likes: dict[int, bytes] = {}
        self._complained = 0.0

    def tell(
        self,
        user: object,
        headers: tuple[bytes | None, ...],
        method: str,
        route: str,
        status: int,
        seconds: float,
    ) -> None:
        """Record a call; one that is nobody's is not.

        Nobody's is a call without user and key, and one that was answered 401 without user: its key
        is not one, and anybody can make up as many as they like.
        """
        if self._recorder is None:
            return
        name = None if user is None else str(user)
        mark = hash((name, headers, method, route, status))
        like = self._likes.get(mark)
        if like is None:
            like = self._like(name, headers, method, route, status)
            if like is None:
                return
            if len(self._likes) >= _MOST_LIKES:
                self._likes.clear()
            self._likes[mark] = like
        self._recorder.another_call(like, seconds)

    def _like(
        self,
        user: str | None,
        headers: tuple[bytes | None, ...],
        method: str,
        route: str,
        status: int,
    ) -> bytes | None:
        """What is the same in all calls like this one; None for one that is not recorded."""
        mark = hash(headers)
        caller = self._callers.get(mark)
        if caller is None:
            if len(self._callers) >= _MOST_CALLERS:
                self._callers.clear()
            caller = self._callers[mark] = self._caller(*headers)
        key_hash, platform, version = caller
        if self._recorder is None or (
            user is None and (key_hash is None or status == UNAUTHORIZED)
        ):
            return None
        return self._recorder.calls_like(
            user,
            method=method if method in METHODS else OTHER_METHOD,
            route=route,
            status_code=status,
            platform=platform,
            plugin_version=version,
            key_hash=key_hash,
        )

    def _caller(
        self,
        key: bytes | None,
        authorization: bytes | None,
        platform: bytes | None,
        version: bytes | None,
    ) -> Caller:
        secret = _key(key, authorization)
        return (
            None if secret is None else self._hash_key(secret),
            None if platform is None else _text(platform),
            None if version is None else _text(version),
        )

    def complain(self, problem: Exception) -> None:
        """Say that a call was not recorded, but not of each one."""
        now = time.monotonic()
        if now - self._complained >= _COMPLAIN_SECONDS or not self._complained:
            self._complained = now
            # Its kind and not its text: a hash function's might hold a key.
            _log.error("an API call was not recorded: %s", type(problem).__name__)


def clean_route(route: str) -> str:
    """A template as it fits its column; the root in front of it may come from a proxy."""
    if not route.isprintable():
        route = "".join(sign if sign.isprintable() else "?" for sign in route)
    return route[:_LONGEST_ROUTE]


def _key(key: bytes | None, authorization: bytes | None) -> bytes | None:
    if not key and authorization and authorization[: len(_BEARER)].lower() == _BEARER:
        key = authorization[len(_BEARER) :]
        if key.startswith(b"eyJ") and key.count(b".") == 2:
            # A session's token (RFC 7519), not a plugin's key.
            return None
    if not key or len(key) > _LONGEST_KEY:
        return None
    return key.strip() or None


def _text(value: bytes) -> str | None:
    """A header's value as a name in a chart: printable ASCII, cut to its column, or none."""
    text = value[:_LONGEST_TEXT].decode("latin-1").strip()
    return text if text and text.isascii() and text.isprintable() else None


@cache
def _recorder_of_environment() -> Recorder | None:
    """One for all of this process; without settings that can be read, none, and a line about it."""
    try:
        return Recorder.open()
    except AnalyticsError as problem:
        _log.error("API calls are not recorded: %s", problem)
        return None
