"""What every answer of a dashboard server has in common, whichever handler gives it.

Headers that keep the page to itself, and plain words where something went wrong: no traceback, no
version of anything, no page of Jupyter's.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler

log = logging.getLogger(__name__)

# Of HTTPServer: nothing that is sent to this server is large, and nobody takes minutes to send it.
LIMITS: dict[str, Any] = {
    "max_header_size": 32 * 1024,
    "max_body_size": 64 * 1024,
    "max_buffer_size": 256 * 1024,
    "body_timeout": 10,
    "idle_connection_timeout": 120,
}
_SELF, _NOBODY = "'self'", "'none'"
_ALWAYS = {
    # Never to others; "no-referrer" would take the origin from the page's own requests.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    # What is the same for everybody says so itself.
    "Cache-Control": "no-store",
}


def headers(origins: Sequence[str], frames: Sequence[str]) -> dict[str, str]:
    """The headers of every answer of a server at these origins that these sites may embed."""
    told = {**_ALWAYS, "Content-Security-Policy": policy(origins, frames)}
    return told if frames else {**told, "X-Frame-Options": "DENY"}


def policy(origins: Sequence[str], frames: Sequence[str]) -> str:
    """The content security policy of an answer: everything from here, and code from files alone.

    Styles may be inline: drawings and widgets place things with them. Sockets are named because
    not every browser counts them among what is from here; policies have no word for addresses of
    IPv6.
    """
    sockets = [origin.replace("http", "ws", 1) for origin in origins if "[" not in origin]
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; "
        f"connect-src {' '.join([_SELF, *sockets])}; "
        f"frame-ancestors {' '.join(frames) or _NOBODY}; base-uri 'none'; form-action 'none'"
    )


class Plain(RequestHandler):
    """Answers of a handler with the headers and the words of this server."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.clear_header("Server")
        for name, value in self.settings["headers"].items():
            self.set_header(name, value)

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """One line for what a visitor did wrong, without the query, which may hold their data."""
        if isinstance(value, HTTPError):
            log.warning("%d %s %s", value.status_code, self.request.method, self.request.path)
        else:
            super().log_exception(kind, value, trace)


class PlainApplication(Application):
    """A tornado application all of whose handlers answer like that."""

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: Any,
        *options: Any,
        **more: Any,
    ) -> Any:
        return super().get_handler_delegate(request, _plain(target_class), *options, **more)


@cache
def _plain(handler: Any) -> type[RequestHandler]:
    return type(handler.__name__, (Plain, handler), {"__doc__": handler.__doc__})
