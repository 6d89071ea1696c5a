"""Nothing passes without one of the server's names, its own origin, and a way in."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from analytics_core.identity.visitor import Visitor
from analytics_core.model.scope import Scope
from analytics_core.serving.cookies import Cookies
from analytics_core.serving.gate import Gate, forget_token
from analytics_core.serving.refusing import Refusal
from analytics_core.serving.server import Place
from analytics_core.serving.ways import Admission, LocalLink

MARA = Visitor.of_scope(Scope.user("u1"))
WAY = LocalLink(MARA, COOKIES := Place().cookies(8866))
GATE = Gate(Place().reached_at(8866), WAY)


def request(uri: str = "/", host: str = "127.0.0.1:8866", **headers: str) -> HTTPServerRequest:
    return HTTPServerRequest(
        headers=HTTPHeaders({"Host": host, **headers}),
        start_line=RequestStartLine("GET", uri, "HTTP/1.1"),
    )


def with_token(host: str = "127.0.0.1:8866", **headers: str) -> HTTPServerRequest:
    return request(f"/?tab=credits&token={WAY.token}", host, **headers)


def test_the_link_opens_any_number_of_times() -> None:
    assert [GATE.admit(with_token()) for _ in range(3)] == [Admission(MARA)] * 3


def test_the_cookie_opens_what_the_page_asks_for_next() -> None:
    cookie = f"{COOKIES.session_name}={WAY.cookie_value}"
    assert GATE.admit(request("/voila/static/voila.js", Cookie=cookie)) == Admission(MARA)


@pytest.mark.parametrize("host", ["localhost:8866", "[::1]:8866", "LOCALHOST:8866"])
def test_every_name_of_this_machine_is_answered(host: str) -> None:
    assert GATE.admit(with_token(host)) == Admission(MARA)


@pytest.mark.parametrize(
    "host",
    ["evil.example:8866", "127.0.0.1.evil.example:8866", "127.0.0.1:8867", "127.0.0.1", ""],
)
def test_other_names_are_refused_even_with_the_token(host: str) -> None:
    refused = GATE.admit(with_token(host))
    assert isinstance(refused, Refusal)
    assert refused.status == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "", "http://["]
)
def test_pages_of_other_sites_are_refused(origin: str) -> None:
    assert isinstance(GATE.admit(with_token(Origin=origin)), Refusal)


def test_the_page_itself_may_open_websockets() -> None:
    assert GATE.admit(with_token(Origin="http://127.0.0.1:8866")) == Admission(MARA)


@pytest.mark.parametrize(
    "uri",
    ["/", "/?token=", "/?token=wrong", f"/?token={WAY.token}x"],
    ids=["none", "empty", "wrong", "longer"],
)
def test_without_the_right_token_nothing_is_shown(uri: str) -> None:
    assert isinstance(GATE.admit(request(uri)), Refusal)


@pytest.mark.parametrize(
    "value", ["", "wrong", "é", WAY.token], ids=["empty", "wrong", "no ASCII", "the token"]
)
def test_a_made_up_cookie_opens_nothing(value: str) -> None:
    assert isinstance(GATE.admit(request(Cookie=f"{COOKIES.session_name}={value}")), Refusal)


def test_tokens_differ_between_servers() -> None:
    assert LocalLink(MARA, Cookies(8866)).token != WAY.token


@pytest.mark.parametrize("host", ["127.0.0.1:8866", "evil.example"])
def test_nobody_sees_the_token_after_the_gate(host: str) -> None:
    passed = with_token(host)
    GATE.admit(passed)
    assert WAY.token not in repr(passed)
    assert WAY.token not in str(passed.arguments)
    assert passed.full_url().endswith("/?tab=credits")


def test_the_token_is_forgotten_wherever_it_stands() -> None:
    asked = request("/?token=a&tab=credits&token=b")
    forget_token(asked)
    assert asked.uri == "/?tab=credits"


def test_a_public_address_is_answered_and_this_machines_names_are_not() -> None:
    place = Place(origins=("https://usage.example.com",))
    gate = Gate(place.reached_at(8866), WAY)
    assert gate.admit(with_token("usage.example.com")) == Admission(MARA)
    origin = "https://usage.example.com"
    assert gate.admit(with_token("usage.example.com", Origin=origin)) == Admission(MARA)
    for host, origin in (
        ("127.0.0.1:8866", "https://usage.example.com"),
        ("usage.example.com", "http://usage.example.com"),
        ("usage.example.com", "https://usage.example.com.evil.example"),
    ):
        assert isinstance(gate.admit(with_token(host, Origin=origin)), Refusal)
