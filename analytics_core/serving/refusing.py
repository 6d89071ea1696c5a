"""Turning somebody away in plain words: no JSON, no traceback, nothing about the inside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tornado.web import HTTPError, RequestHandler


@dataclass(frozen=True, slots=True)
class Refusal:
    """What to tell, and whether it may go better later."""

    status: int
    heading: str
    text: str
    again: bool = False


class TurnedAway(HTTPError):
    """Ends a request with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status, refusal.heading)
        self.refusal = refusal


_NOWHERE = Refusal(404, "There is nothing here", "The address may be old, or mistyped.")
_FAILED = Refusal(
    500,
    "Something went wrong on our side",
    "Please try again; if it stays so, we know of it.",
    again=True,
)
_KNOWN = {
    403: Refusal(403, "This is not for you to see", "Open the page again from where you use it."),
    404: _NOWHERE,
    405: Refusal(405, "This cannot be done here", "The page itself never asks for it."),
    429: Refusal(429, "Too much at once", "Wait a moment, then try again.", again=True),
}


class Designed(RequestHandler):
    """Tells of errors in a page of ours."""

    def write_error(self, status_code: int, **about: Any) -> None:
        error = about.get("exc_info", (None, None))[1]
        if isinstance(error, TurnedAway):
            self.tell(error.refusal)
        elif status_code in _KNOWN:
            self.tell(_KNOWN[status_code])
        elif status_code >= 500:
            self.tell(replace(_FAILED, status=status_code))
        else:
            self.tell(
                Refusal(status_code, "This was not understood", "The page never asks like that.")
            )

    def tell(self, refusal: Refusal) -> None:
        """End the request with these words: a page for people, a line for programs."""
        self.set_status(refusal.status)
        self.set_header("Cache-Control", "no-store")
        if "text/html" in self.request.headers.get("Accept", ""):
            self.set_header("Content-Type", "text/html; charset=utf-8")
            template = self.settings["page_template"]
            self.finish(template.render(part="refused", title=refusal.heading, refusal=refusal))
        else:
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(f"{refusal.heading}. {refusal.text}\n")


class Nowhere(Designed):
    """Every address that nothing is served at."""

    def prepare(self) -> None:
        self.tell(_NOWHERE)

    def check_xsrf_cookie(self) -> None:
        """Nothing is changed here, so nothing can be forged."""


class Refused(Nowhere):
    """A request that did not pass the gate."""

    def initialize(self, refusal: Refusal) -> None:
        self._refusal = refusal

    def prepare(self) -> None:
        self.tell(self._refusal)
