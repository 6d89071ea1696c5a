"""Only a token of ours, for us, for now, is believed; of anything else nothing is told."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from analytics_core.errors import TokenRefused
from analytics_core.identity.keys import Keys
from analytics_core.identity.tokens import Tokens
from analytics_core.identity.visitor import Claim, Kind
from analytics_core.settings import Settings
from tests.support.serving import KEY, KID
from tests.support.visitors import AUDIENCE, claims, token

OLDER = "an-older-secret-that-is-believed-still"
PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = (
    base64.urlsafe_b64encode(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    .decode()
    .rstrip("=")
)


@pytest.fixture
def tokens() -> Tokens:
    text = f"{KID}={KEY}\n# on its way out\nolder={OLDER} product=ed25519:{PUBLIC}"
    keys = Keys.of(Settings.read(token_keys=text))
    assert keys is not None
    return Tokens(keys, AUDIENCE)


def unsigned(header: dict[str, Any], body: dict[str, Any], signature: str = "") -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header)}.{part(body)}.{signature}"


@pytest.mark.parametrize(
    ("said", "claim"),
    [
        ({}, Claim(Kind.USER, "u1")),
        ({"zone": "Asia/Tokyo"}, Claim(Kind.USER, "u1", zone="Asia/Tokyo")),
        ({"zone": "Nowhere/Else"}, Claim(Kind.USER, "u1")),
        ({"users": ["a", "b"]}, Claim(Kind.TEAM, "u1", frozenset("ab"))),
        ({"role": "operator"}, Claim(Kind.OPERATOR, "u1")),
    ],
    ids=["user", "with a zone", "with no zone there is", "team", "operator"],
)
def test_a_good_link_names_its_visitor(tokens: Tokens, said: Any, claim: Claim) -> None:
    assert tokens.read_link(token("u1", **said)).claim == claim


@pytest.mark.parametrize(
    "made",
    [
        lambda: token("u1", key=OLDER, kid="older"),
        lambda: token("u1", key=PRIVATE, kid="product", algorithm="EdDSA"),
        lambda: token("u1", exp=int(time.time()) + 20, iat=int(time.time()) + 20),
    ],
    ids=["an older key", "the product's own key", "a clock that is ahead"],
)
def test_other_good_links(tokens: Tokens, made: Callable[[], str]) -> None:
    assert tokens.read_link(made()).claim == Claim(Kind.USER, "u1")


def bad() -> dict[str, str]:
    """Links that are refused for what they are called, not because the tests took long."""
    now = int(time.time())
    return {
        "nothing": "",
        "no token": "a.b.c",
        "expired": token("u1", iat=now - 300, exp=now - 60),
        "not yet": token("u1", iat=now + 300, exp=now + 400),
        "good for too long": token("u1", exp=now + 700),
        "good for ever": token("u1", exp=None),
        "made at no time": token("u1", iat=None),
        "times in fractions": token("u1", exp=now + 100.5),
        "times as truth": token("u1", iat=True),
        "times beyond time": token("u1", exp=1e400),
        "no audience": token("u1", aud=None),
        "another audience": token("u1", aud="another"),
        "audiences": token("u1", aud=[AUDIENCE, "another"]),
        "nobody": unsigned({"alg": "HS256", "kid": KID}, claims("u1")),
        "an empty name": token(""),
        "a long name": token("u" * 400),
        "no id": token("u1", jti=None),
        "no name": token(None),
        "another key": token("u1", key="another-secret-of-at-least-32-bytes"),
        "another key's id": token("u1", kid="older"),
        "an unknown key": token("u1", kid="unknown"),
        "no key": token("u1", kid=None),
        "another algorithm": token("u1", algorithm="HS512"),
        "alg none": unsigned({"alg": "none", "kid": KID}, claims("u1")),
        "alg None": unsigned({"alg": "None", "kid": KID}, claims("u1")),
        "the public key as a secret": token("u1", key=PUBLIC, kid="product"),
        "a critical header": jwt.encode(
            claims("u1"), KEY, headers={"kid": KID, "crit": ["exp"]}, algorithm="HS256"
        ),
        "a key that is a list": unsigned({"alg": "HS256", "kid": [KID]}, claims("u1"), "AA"),
        "an empty team": token("u1", users=[]),
        "a team of numbers": token("u1", users=[1]),
        "a team of a text": token("u1", users="u2"),
        "an operator's team": token("u1", users=["u2"], role="operator"),
        "another role": token("u1", role="admin"),
        "too long": token("u1", more="x" * 9_000),
        "deep": unsigned({"alg": "HS256", "kid": KID}, {"a": json.loads("[" * 400 + "]" * 400)}),
    }


@pytest.mark.parametrize("what", bad())
def test_a_bad_link_is_refused_in_one_line_that_holds_none_of_it(tokens: Tokens, what: str) -> None:
    made = bad()[what]
    with pytest.raises(TokenRefused) as refused:
        tokens.read_link(made)
    line = str(refused.value)
    assert "\n" not in line
    assert KEY not in line
    assert not made or made[-20:] not in line


def test_a_changed_word_breaks_the_signature(tokens: Tokens) -> None:
    head, _, tail = token("u1").split(".")
    other = token("u2").split(".")[1]
    with pytest.raises(TokenRefused):
        tokens.read_link(f"{head}.{other}.{tail}")


def test_a_cookie_needs_no_id_and_may_last_an_hour(tokens: Tokens) -> None:
    now = int(time.time())
    made = token("u1", jti=None, exp=now + 3_500)
    assert tokens.read_cookie(made).claim == Claim(Kind.USER, "u1")
    with pytest.raises(TokenRefused):
        tokens.read_cookie(token("u1", exp=now + 4_000))


@pytest.mark.parametrize(
    "claim",
    [
        Claim(Kind.USER, "u1", zone="Europe/Madrid"),
        Claim(Kind.TEAM, "studio", frozenset({"u1", "u2"})),
        Claim(Kind.OPERATOR, "anna"),
    ],
    ids=["user", "team", "operator"],
)
def test_what_is_issued_is_read_back(tokens: Tokens, claim: Claim) -> None:
    first, second = tokens.issue(claim, 60), tokens.issue(claim, 60)
    assert tokens.read_link(first).claim == claim
    assert tokens.read_link(first).id != tokens.read_link(second).id


def test_the_id_of_an_old_link_is_known_and_that_of_a_forged_one_is_not(tokens: Tokens) -> None:
    now = int(time.time())
    old = token("u1", jti="abc", iat=now - 900, exp=now - 600)
    assert tokens.id_of_link(old) == "abc"
    forged = token("u1", jti="abc", key="another-secret-of-at-least-32-bytes")
    assert tokens.id_of_link(forged) is None
