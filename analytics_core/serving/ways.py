"""The ways in: how a request shows whose it is, and what its browser keeps of that.

All of them lead to the same: a visitor who was verified here, or nobody.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tornado.httputil import HTTPServerRequest

from analytics_core.errors import NotAdmitted, SettingsError, TokenRefused
from analytics_core.identity.keys import Keys
from analytics_core.identity.proxy import Proxy
from analytics_core.identity.sessions import Session, Sessions
from analytics_core.identity.tokens import LEEWAY_SECONDS, Link, Tokens
from analytics_core.identity.used_links import UsedLinks
from analytics_core.identity.visitor import Claim, Kind, Visitor
from analytics_core.model.user import User
from analytics_core.serving.cookies import Cookies
from analytics_core.serving.refusing import Refusal
from analytics_core.settings import PREFIX, Settings

# So long somebody who was found is not looked up again.
_KNOWN_SECONDS = 60
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Admission:
    """Who a request was verified to be from, what by, and until which second that is believed."""

    who: Visitor | Claim
    link: Link | None = None
    session: Session | None = None
    until: float | None = None


class Ways(Protocol):
    """How visitors of one server come in."""

    @property
    def is_link_kept(self) -> bool:
        """Whether the address goes on holding what let its visitor in, for whoever copies it."""
        ...

    @property
    def known_seconds(self) -> int | None:
        """How long who does not come again goes on being known; None where that has no end here."""
        ...

    def look(self, request: HTTPServerRequest) -> Admission:
        """Who shows what is needed; waits for nothing. Raises `NotAdmitted`."""
        ...

    async def visitor(self, admission: Admission) -> Visitor:
        """The visitor of an admission, whose link is used up by it.

        Raises `NotAdmitted`, `UnknownUser` and whatever a database raises.
        """
        ...

    def kept(self, admission: Admission, visitor: Visitor) -> str | None:
        """The cookie with which the browser's next requests come in, where it needs a new one."""
        ...

    def refusal(self, refused: NotAdmitted) -> Refusal:
        """What to tell whoever is not let in."""
        ...


class LocalLink:
    """One visitor, by a link that works until the server stops; its secrets die with it.

    Loopback is not authentication: other accounts of the machine can connect too.
    """

    is_link_kept = True
    known_seconds = None

    def __init__(self, visitor: Visitor, cookies: Cookies, token: str | None = None) -> None:
        self.only, self._cookies = visitor, cookies
        self.token = token or secrets.token_urlsafe(32)
        self.cookie_value = secrets.token_urlsafe(32)

    def look(self, request: HTTPServerRequest) -> Admission:
        given = token_of(request).encode()
        if hmac.compare_digest(given, self.token.encode()) or hmac.compare_digest(
            cookie_of(request, self._cookies.session_name).encode(), self.cookie_value.encode()
        ):
            return Admission(self.only)
        raise NotAdmitted("neither the token of the link nor its cookie")

    async def visitor(self, admission: Admission) -> Visitor:
        return self.only

    def kept(self, admission: Admission, visitor: Visitor) -> str | None:
        return self._cookies.line(self._cookies.session_name, self.cookie_value)

    def refusal(self, refused: NotAdmitted) -> Refusal:
        return Refusal(
            403,
            "This page needs its link",
            "Open the link that was printed when the dashboard started.",
        )


@dataclass(frozen=True, slots=True)
class ByToken:
    """What a server that believes tokens has: how it reads them, and what it keeps of them."""

    tokens: Tokens
    sessions: Sessions
    used_links: UsedLinks
    # Where the product keeps a token of its own for its visitor.
    cookie: str | None = None


class Entrance:
    """Many visitors: named by a proxy, by a link, by the product's cookie, or by a session."""

    is_link_kept = False

    def __init__(
        self, cookies: Cookies, proxy: Proxy, directory: Directory, by_token: ByToken | None = None
    ) -> None:
        self._cookies, self._proxy, self._directory = cookies, proxy, directory
        self._by_token = by_token

    @classmethod
    def of(cls, settings: Settings, cookies: Cookies, find: Callable[[str], User]) -> Entrance:
        """That of the settings; raises `SettingsError` where nobody could ever come in."""
        keys, proxy = Keys.of(settings), Proxy.of(settings)
        if keys is not None:
            by_token = ByToken(
                Tokens(keys, settings.token_audience),
                Sessions(keys, settings.session_minutes * 60, settings.token_audience),
                UsedLinks(settings.used_links_file),
                settings.token_cookie,
            )
            return cls(cookies, proxy, Directory(find), by_token)
        if not proxy.is_expected:
            raise SettingsError(
                f"{PREFIX}TOKEN_KEYS",
                f"needed, or {PREFIX}PROXY_HEADER: without one of them nobody can come in"
                " (`analytics token new-key FILE` makes a key)",
            )
        return cls(cookies, proxy, Directory(find))

    @property
    def known_seconds(self) -> int | None:
        return self._by_token.sessions.seconds if self._by_token else None

    def look(self, request: HTTPServerRequest) -> Admission:
        over_socket = _family(request) == socket.AF_UNIX
        named = self._proxy.take(request.headers, over_socket=over_socket)
        if named is not None:
            return Admission(named)
        if self._by_token is None:
            raise NotAdmitted("no proxy names anybody")
        return self._by_what_it_brings(request, self._by_token)

    def _by_what_it_brings(self, request: HTTPServerRequest, by: ByToken) -> Admission:
        """By a link, else the product's cookie, else a session: the first that is there decides."""
        session = self._session(request, by.sessions)
        if token := token_of(request) if request.path == "/" else "":
            # The same browser, reloading the address it came by.
            if session is not None and session.link == by.tokens.id_of_link(token):
                return _of_session(session)
            link = by.tokens.read_link(token)
            return Admission(link.claim, link=link)
        if by.cookie and (token := cookie_of(request, by.cookie)):
            vouched = by.tokens.read_cookie(token)
            return Admission(vouched.claim, until=vouched.expires + LEEWAY_SECONDS)
        if session is not None:
            return _of_session(session)
        raise NotAdmitted("nothing shows who is asking")

    async def visitor(self, admission: Admission) -> Visitor:
        visitor = admission.who
        if isinstance(visitor, Claim):
            visitor = await self._directory.visitor(visitor)
        # Only now: whoever could not be looked up may come again by the same link.
        if (link := admission.link) is not None and self._by_token is not None:
            use = self._by_token.used_links.use
            if not await asyncio.to_thread(use, link.id, link.expires):
                raise TokenRefused("it was used before")
        return visitor

    def kept(self, admission: Admission, visitor: Visitor) -> str | None:
        if self._by_token is None:
            return None
        sessions = self._by_token.sessions
        if admission.link is not None:
            session: Session | None = sessions.begin(visitor, admission.link.id)
        else:
            session = admission.session and sessions.renew(admission.session)
        if session is None:
            return None
        return self._cookies.line(
            self._cookies.session_name, sessions.write(session), seconds=sessions.seconds
        )

    def refusal(self, refused: NotAdmitted) -> Refusal:
        if isinstance(refused, TokenRefused):
            return Refusal(
                403,
                "This link is not good any more",
                "A link to this page is good once, for a few minutes. Go back to where you came"
                " from, and open the page from there again.",
            )
        return Refusal(
            403,
            "Please open this page from where you use it",
            "It shows people their own usage, and cannot tell who you are. Open it from the site"
            " that it belongs to. If you just did, your browser did not keep its cookie.",
        )

    def _session(self, request: HTTPServerRequest, sessions: Sessions) -> Session | None:
        try:
            return sessions.read(cookie_of(request, self._cookies.session_name))
        except TokenRefused:
            return None


def _of_session(session: Session) -> Admission:
    return Admission(session.visitor, session=session, until=session.ends + LEEWAY_SECONDS)


class Directory:
    """Finds the users whom others name, by id or e-mail address."""

    def __init__(self, find: Callable[[str], User]) -> None:
        """`find` raises `UnknownUser`; it is called in threads."""
        self._find = find
        self._known: dict[str, tuple[float, str]] = {}

    async def visitor(self, claim: Claim) -> Visitor:
        """The visitor of a claim; a user is known by id afterwards."""
        if claim.kind is not Kind.USER:
            return Visitor.of(claim)
        now = time.monotonic()
        until, user_id = self._known.get(claim.name, (0.0, ""))
        if until < now:
            user_id = (await asyncio.to_thread(self._find, claim.name)).id
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[claim.name] = now + _KNOWN_SECONDS, user_id
        return Visitor.of(Claim(Kind.USER, user_id, zone=claim.zone))


def token_of(request: HTTPServerRequest) -> str:
    """The token in a request's address, or nothing."""
    return request.query_arguments.get("token", [b""])[-1].decode("utf-8", "replace")


def cookie_of(request: HTTPServerRequest, name: str) -> str:
    """The value of a request's cookie, or nothing."""
    morsel = request.cookies.get(name)
    return morsel.value if morsel else ""


def _family(request: HTTPServerRequest) -> int | None:
    """The family of the socket that a request came through."""
    context = getattr(request.connection, "context", None)
    family: int | None = getattr(context, "address_family", None)
    return family
