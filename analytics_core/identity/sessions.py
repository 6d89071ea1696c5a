"""Sessions: what a browser keeps of a login, signed here, for a while, and renewed while it comes.

Nothing is stored on the server, so that a session outlives it. The key is made of those of tokens:
a session never opens what a token opens, nor the other way round.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from analytics_core.errors import ScopeError, TokenRefused
from analytics_core.identity.keys import Keys
from analytics_core.identity.tokens import sign, verify
from analytics_core.identity.visitor import Kind, Visitor
from analytics_core.model.scope import Scope

# However often it is renewed, somebody has to vouch for the visitor again after this long.
LONGEST_SECONDS = 7 * 24 * 3600
_AUDIENCE = "usage session"


@dataclass(frozen=True, slots=True)
class Session:
    """Who came in, by which link, when, when the cookie that says so was made, and when it ends.

    All in seconds since 1970.
    """

    visitor: Visitor
    link: str
    began: int
    made: int
    ends: int


class Sessions:
    """Makes and reads them; each is good for so many seconds after it was last renewed."""

    def __init__(self, keys: Keys, seconds: int, audience: str) -> None:
        """`audience` is that of links: a session of one server is none at another with its keys."""
        self._audience = f"{_AUDIENCE} of {audience}"
        self._keys, self.seconds = keys.derived(self._audience), seconds

    def begin(self, visitor: Visitor, link: str) -> Session:
        return self._from_now(visitor, link, int(time.time()))

    def renew(self, session: Session) -> Session | None:
        """The same session from now on; None where that would make it hardly longer."""
        renewed = self._from_now(session.visitor, session.link, session.began)
        # By its end: it may have been made for another time than would be today.
        return renewed if renewed.ends - session.ends >= self.seconds / 10 else None

    def _from_now(self, visitor: Visitor, link: str, began: int) -> Session:
        now = int(time.time())
        return Session(visitor, link, began, now, min(now + self.seconds, began + LONGEST_SECONDS))

    def write(self, session: Session) -> str:
        """What the browser keeps."""
        visitor = session.visitor
        claims = {
            "aud": self._audience,
            "sub": visitor.name,
            "kind": visitor.kind,
            "scope": visitor.scope.to_text(),
            "zone": visitor.zone,
            "link": session.link,
            "began": session.began,
            "iat": session.made,
            "exp": session.ends,
        }
        return sign(self._keys, claims)

    def read(self, kept: str) -> Session:
        """The session of what a browser kept; raises `TokenRefused`."""
        needed = ("sub", "kind", "scope", "zone", "link", "began")
        said = verify(self._keys, kept, self._audience, needed)
        try:
            visitor = Visitor(
                Kind(said["kind"]), said["sub"], Scope.from_text(said["scope"]), said["zone"]
            )
        except (ValueError, ScopeError):
            raise TokenRefused("it is a session of another version") from None
        return Session(visitor, said["link"], said["began"], said["iat"], said["exp"])
