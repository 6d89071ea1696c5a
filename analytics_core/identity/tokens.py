"""Tokens: short-lived JWTs with which a product's backend says who its visitor is."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from analytics_core.errors import TokenRefused, UnknownZone
from analytics_core.identity.keys import Keys
from analytics_core.identity.visitor import Claim, Kind
from analytics_core.model.daterange import read_zone

log = logging.getLogger(__name__)

# Clocks of two machines may differ by this much.
LEEWAY_SECONDS = 30
# A link is opened at once; a cookie goes with every request and is renewed by whoever set it.
LONGEST_LINK_SECONDS = 10 * 60
LONGEST_COOKIE_SECONDS = 60 * 60
# What is longer was not made for us; a request line would not hold it either.
_LONGEST_TOKEN = 8_000
_LONGEST_NAME = 320
_TIMES = ("exp", "iat")


@dataclass(frozen=True, slots=True)
class Link:
    """What a login link says: whom it lets in, and by which id it is used up, until when."""

    claim: Claim
    id: str
    expires: float


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a product's cookie names, and until when."""

    claim: Claim
    expires: float


class Tokens:
    """Makes and reads the tokens of one audience. Whatever is wrong raises `TokenRefused`."""

    def __init__(self, keys: Keys, audience: str) -> None:
        self._keys, self._audience = keys, audience

    def issue(self, claim: Claim, seconds: int) -> str:
        """A token for a login link, good once and for so many seconds."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": self._audience,
            "sub": claim.name,
            "iat": now,
            "exp": now + seconds,
            "jti": secrets.token_urlsafe(16),
            **_said(claim),
        }
        return sign(self._keys, claims)

    def read_link(self, token: str) -> Link:
        """What a token in an address says. That it was used before is for others to know."""
        claims = self._read(token, longest=LONGEST_LINK_SECONDS, more=("jti",))
        return Link(_claim(claims), claims["jti"], claims["exp"])

    def id_of_link(self, token: str) -> str | None:
        """The id of a link that was one of ours, also where it has expired; None for others."""
        try:
            return str(verify(self._keys, token, self._audience, ("jti",), expired=True)["jti"])
        except TokenRefused:
            return None

    def read_cookie(self, token: str) -> Vouched:
        """What a token in a cookie says, which the product sets and renews."""
        claims = self._read(token, longest=LONGEST_COOKIE_SECONDS)
        return Vouched(_claim(claims), claims["exp"])

    def _read(self, token: str, *, longest: int, more: tuple[str, ...] = ()) -> Mapping[str, Any]:
        claims = verify(self._keys, token, self._audience, ("sub", *more))
        if claims["exp"] - claims["iat"] > longest:
            raise TokenRefused(f"it is good for more than {longest} seconds")
        return claims


def sign(keys: Keys, claims: Mapping[str, Any]) -> str:
    """The claims as a token of the key that signs."""
    kid, secret = keys.signing
    return jwt.encode(dict(claims), secret, algorithm="HS256", headers={"kid": kid})


def verify(
    keys: Keys, token: str, audience: str, needed: tuple[str, ...], *, expired: bool = False
) -> Mapping[str, Any]:
    """The claims of a token of ours; raises `TokenRefused`. With `expired`, also of an old one."""
    if len(token) > _LONGEST_TOKEN:
        raise TokenRefused("it is too long")
    try:
        key = keys.get_or_none(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise TokenRefused("its key is not known here")
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key.verifying,
            # Of the key, never of the token.
            algorithms=[key.algorithm],
            audience=audience,
            leeway=LEEWAY_SECONDS,
            options={
                "require": ["aud", *_TIMES, *needed],
                "strict_aud": True,
                "verify_exp": not expired,
            },
        )
    except jwt.ExpiredSignatureError:
        raise TokenRefused("it has expired") from None
    except jwt.ImmatureSignatureError:
        raise TokenRefused("it is not good yet: do the clocks agree?") from None
    except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError) as refused:
        raise TokenRefused(f"{refused}") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise TokenRefused("it is not signed with a key that is known here") from None
    if not all(type(claims[name]) is int for name in _TIMES):
        raise TokenRefused("its times are not whole seconds")
    return claims


def _said(claim: Claim) -> dict[str, Any]:
    said: dict[str, Any] = {"zone": claim.zone} if claim.zone else {}
    match claim.kind:
        case Kind.TEAM:
            said["users"] = sorted(claim.users)
        case Kind.OPERATOR:
            said["role"] = "operator"
        case Kind.USER:
            pass
    return said


def _claim(claims: Mapping[str, Any]) -> Claim:
    """Whom verified claims name: an operator by `role`, a team by `users`, else a user."""
    name, zone = claims["sub"], _zone(claims.get("zone"))
    if not 0 < len(name) <= _LONGEST_NAME:
        raise TokenRefused("it names nobody")
    match claims:
        case {"role": "operator"} if "users" not in claims:
            return Claim(Kind.OPERATOR, name, zone=zone)
        case {"users": [*ids]} if "role" not in claims:
            if ids and all(isinstance(one, str) and one for one in ids):
                return Claim(Kind.TEAM, name, frozenset(ids), zone)
        case _ if "role" not in claims and "users" not in claims:
            return Claim(Kind.USER, name, zone=zone)
    raise TokenRefused("it names neither a user nor a team nor an operator")


def _zone(name: object) -> str:
    """A zone as the token says it; one that does not exist is no reason to turn somebody away."""
    if not isinstance(name, str) or not name:
        return ""
    try:
        return read_zone(name).key
    except UnknownZone as unknown:
        log.warning("in a token: %s", unknown)
        return ""
