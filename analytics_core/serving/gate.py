"""Who may talk to the server: only this machine's names, and only with the token of the link.

Loopback is not authentication. A page of another site can make a browser resolve its own name to
127.0.0.1 (DNS rebinding), so the Host header is checked; other accounts of the machine can
connect too, so a random token is. Both are checked before any handler is chosen: static files and
websockets are behind the same gate.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Refused(RequestHandler):
    """Says in plain words why nothing is shown, and nothing else."""

    def initialize(self, status: int, reason: str) -> None:
        self._refusal = (status, reason)

    def prepare(self) -> None:
        status, reason = self._refusal
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(reason + "\n")

    def check_xsrf_cookie(self) -> None:
        """Nothing is changed here, so nothing can be forged."""


class Gate:
    """The hosts, the token and the cookie of one running server; both secrets die with it."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self.hosts = frozenset(f"{name}:{port}" for name in LOOPBACK_NAMES) | (
            frozenset(LOOPBACK_NAMES) if port == 80 else frozenset()
        )
        # A cookie is shared by all ports of a host, so its name says which server it belongs to.
        self.cookie_name = f"usage-{port}"
        self.cookie_value = secrets.token_urlsafe(32)

    def refusal(self, request: HTTPServerRequest) -> tuple[int, str] | None:
        """The status and reason with which a request is turned away; None where it may pass."""
        host = request.headers.get("Host", "").lower()
        if host not in self.hosts:
            return 403, "This server answers only on this machine's own names."
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host}":
            return 403, "This server does not answer pages of other sites."
        if not (self.has_token(request) or self._has_cookie(request)):
            return 403, "Open the link that was printed when the dashboard started."
        return None

    def has_token(self, request: HTTPServerRequest) -> bool:
        """Whether the address itself carries the token of the link."""
        given = request.query_arguments.get("token", [b""])[-1]
        return hmac.compare_digest(given, self.token.encode())

    def _has_cookie(self, request: HTTPServerRequest) -> bool:
        morsel = request.cookies.get(self.cookie_name)
        given = morsel.value if morsel else ""
        return hmac.compare_digest(given.encode(), self.cookie_value.encode())


class GatedApplication(Application):
    """A tornado application in which every request passes the gate before it finds a handler."""

    def __init__(self, gate: Gate, **settings: Any) -> None:
        super().__init__(**settings)
        self.gate = gate

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        if refusal := self.gate.refusal(request):
            status, reason = refusal
            return self.get_handler_delegate(request, Refused, {"status": status, "reason": reason})
        forget_token(request)
        return super().find_handler(request, **kwargs)


def forget_token(request: HTTPServerRequest) -> None:
    """Take the token out of a request, so that no log, error or kernel behind the gate sees it."""
    request.arguments.pop("token", None)
    request.query_arguments.pop("token", None)
    pairs = parse_qsl(request.query, keep_blank_values=True)
    request.query = urlencode([(name, value) for name, value in pairs if name != "token"])
    request.uri = request.path + ("?" + request.query if request.query else "")
