"""A session says who came in, for a while, and is nothing that could be made elsewhere."""

from __future__ import annotations

import time

import pytest

from analytics_core.errors import TokenRefused
from analytics_core.identity.keys import Key, Keys
from analytics_core.identity.sessions import LONGEST_SECONDS, Session, Sessions
from analytics_core.identity.tokens import Tokens, sign
from analytics_core.identity.visitor import Claim, Kind, Visitor
from analytics_core.model.scope import Scope
from tests.support.visitors import AUDIENCE, claims

KEYS = Keys([Key("a", "HS256", b"x" * 32)])
SESSIONS = Sessions(KEYS, 3_600, "usage-analytics")
VISITORS = [
    Visitor(Kind.USER, "u1", Scope.user("u1"), "Asia/Tokyo"),
    Visitor(Kind.TEAM, "studio", Scope.team({"u1", "u2"})),
    Visitor(Kind.OPERATOR, "anna", Scope.everyone()),
]


@pytest.mark.parametrize("visitor", VISITORS, ids=lambda visitor: visitor.kind)
def test_it_is_read_back(visitor: Visitor) -> None:
    began = SESSIONS.begin(visitor, "link")
    assert SESSIONS.read(SESSIONS.write(began)) == began


def test_it_is_renewed_when_some_time_has_passed_and_not_for_ever() -> None:
    now, [visitor, *_] = int(time.time()), VISITORS
    assert SESSIONS.renew(SESSIONS.begin(visitor, "link")) is None
    renewed = SESSIONS.renew(Session(visitor, "link", now - 1_000, now - 1_000, now + 2_600))
    assert renewed is not None
    assert renewed.began == now - 1_000
    assert renewed.made >= now
    assert renewed.ends == renewed.made + 3_600
    began = now - LONGEST_SECONDS + 1_000
    last = SESSIONS.renew(Session(visitor, "link", began, now - 3_000, now + 600))
    assert last is not None
    assert last.ends == began + LONGEST_SECONDS
    assert SESSIONS.renew(last) is None


def test_it_ends_when_it_said_whatever_the_setting_is_afterwards() -> None:
    now, visitor = int(time.time()), VISITORS[0]
    longer, shorter = (Sessions(KEYS, seconds, "usage-analytics") for seconds in (86_400, 60))
    kept = SESSIONS.write(SESSIONS.begin(visitor, "link"))
    ends = [sessions.read(kept).ends for sessions in (SESSIONS, longer, shorter)]
    assert now + 3_600 <= ends[0] == ends[1] == ends[2]
    # Nor does a page wait until it is over, or hurry to a sooner end.
    renewed = longer.renew(SESSIONS.read(kept))
    assert renewed is not None
    assert renewed.ends >= now + 86_400
    assert shorter.renew(SESSIONS.read(kept)) is None


def test_one_that_was_not_renewed_is_over() -> None:
    now = int(time.time())
    left = Session(VISITORS[0], "link", now - 3_700, now - 3_700, now - 100)
    with pytest.raises(TokenRefused, match="expired"):
        SESSIONS.read(SESSIONS.write(left))


def test_no_token_is_a_session_and_no_session_a_token() -> None:
    link = Tokens(KEYS, AUDIENCE).issue(Claim(Kind.OPERATOR, "anna"), 60)
    with pytest.raises(TokenRefused):
        SESSIONS.read(link)
    with pytest.raises(TokenRefused):
        SESSIONS.read(sign(KEYS, claims("u1", aud="usage session")))
    session = SESSIONS.write(SESSIONS.begin(VISITORS[2], "link"))
    for audience in (AUDIENCE, "usage session"):
        with pytest.raises(TokenRefused):
            Tokens(KEYS, audience).read_link(session)


def test_visitors_are_told_apart_by_what_they_are_and_may_see() -> None:
    alike = [
        Visitor(Kind.USER, "u1", Scope.user("u1")),
        Visitor(Kind.TEAM, "u1", Scope.user("u1")),
        Visitor(Kind.TEAM, "u1", Scope.team({"u1", "u2"})),
        Visitor(Kind.OPERATOR, "u1", Scope.everyone()),
    ]
    assert len({visitor.key for visitor in alike}) == 4
    zoned = Visitor(Kind.USER, "u1", Scope.user("u1"), "Asia/Tokyo")
    assert zoned.key == alike[0].key
    assert "u1" not in zoned.key


def test_a_session_is_none_at_a_server_for_another_audience() -> None:
    kept = SESSIONS.write(SESSIONS.begin(Visitor(Kind.USER, "u1", Scope.user("u1")), "a"))
    assert SESSIONS.read(kept).visitor.name == "u1"
    with pytest.raises(TokenRefused):
        Sessions(KEYS, 3_600, "another").read(kept)
