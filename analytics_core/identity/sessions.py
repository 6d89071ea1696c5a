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
    """Who came in, by which link, when, and when the cookie that says so was made."""

    visitor: Visitor
    link: str
    began: int
    made: int


class Sessions:
    """Makes and reads them; each is good for so many seconds after it was last renewed."""

    def __init__(self, keys: Keys, seconds: int, audience: str) -> None:
        """`audience` is that of links: a session of one server is none at another with its keys."""
        self._audience = f"{_AUDIENCE} of {audience}"
        self._keys, self.seconds = keys.derived(self._audience), seconds

    def begin(self, visitor: Visitor, link: str) -> Session:
        now = int(time.time())
        return Session(visitor, link, now, now)

    def renew(self, session: Session) -> Session | None:
        """The same session from now on; None while it is too new for that."""
        now = int(time.time())
        if now - session.made < self.seconds / 10:
            return None
        return Session(session.visitor, session.link, session.began, now)

    def end_of(self, session: Session) -> int:
        """The second in which it ends, unless it is renewed before."""
        return min(session.made + self.seconds, session.began + LONGEST_SECONDS)

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
            "exp": self.end_of(session),
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
        return Session(visitor, said["link"], said["began"], said["iat"])
