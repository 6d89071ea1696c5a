"""Who may talk to the server: under its own names, from its own pages, and as somebody.

A page of another site can make a browser resolve its own name to this machine (DNS rebinding), so
the Host header is checked; it can send requests too, so the origin is. All is checked before any
handler is chosen: static files and websockets are behind the same gate.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from weakref import WeakKeyDictionary

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from analytics_core.errors import NotAdmitted, TokenRefused
from analytics_core.serving.answers import PlainApplication
from analytics_core.serving.refusing import Refusal, Refused
from analytics_core.serving.ways import Admission, Ways

log = logging.getLogger(__name__)

_OTHER_NAME = Refusal(
    403, "This is the wrong address", "This server answers only under its own names."
)
_OTHER_SITE = Refusal(
    403, "This is the wrong address", "This server does not answer pages of other sites."
)


class Gate:
    """The addresses under which one server is reached, and the ways in."""

    def __init__(self, origins: Iterable[str], ways: Ways) -> None:
        self._origins = {urlsplit(origin).netloc: origin for origin in origins}
        self.ways = ways

    def admit(self, request: HTTPServerRequest) -> Admission | Refusal:
        """Who a request is from, or why it is turned away; it has lost its token afterwards."""
        host = request.headers.get("Host", "").lower()
        origin = request.headers.get("Origin")
        try:
            admission = self.ways.look(request)
        except NotAdmitted as refused:
            if isinstance(refused, TokenRefused):
                log.warning("%s", refused)
            outcome: Admission | Refusal = self.ways.refusal(refused)
        else:
            outcome = admission
        forget_token(request)
        if host not in self._origins:
            return _OTHER_NAME
        if origin is not None and origin.lower() != self._origins[host]:
            return _OTHER_SITE
        return outcome


class GatedApplication(PlainApplication):
    """A tornado application in which every request passes the gate before it finds a handler.

    `open` are the few addresses that anybody may ask, with what answers there.
    """

    def __init__(
        self, gate: Gate, open: Mapping[str, tuple[type[RequestHandler], dict[str, Any]]], /,
        **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(**settings)
        self.gate, self._open = gate, open
        self._admissions: WeakKeyDictionary[HTTPServerRequest, Admission] = WeakKeyDictionary()

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        if request.path in self._open:
            return self.get_handler_delegate(request, *self._open[request.path])
        outcome = self.gate.admit(request)
        if isinstance(outcome, Refusal):
            return self.get_handler_delegate(request, Refused, {"refusal": outcome})
        self._admissions[request] = outcome
        return super().find_handler(request, **kwargs)

    def admission_of(self, request: HTTPServerRequest) -> Admission:
        """Who a request that has passed is from."""
        return self._admissions[request]


def forget_token(request: HTTPServerRequest) -> None:
    """Take the token out of a request, so that no log, error or kernel behind the gate sees it."""
    request.arguments.pop("token", None)
    request.query_arguments.pop("token", None)
    pairs = parse_qsl(request.query, keep_blank_values=True)
    request.query = urlencode([(name, value) for name, value in pairs if name != "token"])
    request.uri = request.path + ("?" + request.query if request.query else "")
