"""Nothing passes without one of this machine's names, its own origin, and the token or cookie."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from analytics_core.serving.gate import Gate, forget_token

GATE = Gate(8866)


def request(uri: str = "/", host: str = "127.0.0.1:8866", **headers: str) -> HTTPServerRequest:
    return HTTPServerRequest(
        headers=HTTPHeaders({"Host": host, **headers}),
        start_line=RequestStartLine("GET", uri, "HTTP/1.1"),
    )


def with_token(host: str = "127.0.0.1:8866", **headers: str) -> HTTPServerRequest:
    return request(f"/?tab=credits&token={GATE.token}", host, **headers)


def test_the_link_opens_any_number_of_times() -> None:
    assert [GATE.refusal(with_token()) for _ in range(3)] == [None, None, None]


def test_the_cookie_opens_what_the_page_asks_for_next() -> None:
    cookie = f"{GATE.cookie_name}={GATE.cookie_value}"
    assert GATE.refusal(request("/voila/static/voila.js", Cookie=cookie)) is None


@pytest.mark.parametrize("host", ["localhost:8866", "[::1]:8866", "LOCALHOST:8866"])
def test_every_name_of_this_machine_is_answered(host: str) -> None:
    assert GATE.refusal(with_token(host)) is None


@pytest.mark.parametrize(
    "host",
    ["evil.example:8866", "127.0.0.1.evil.example:8866", "127.0.0.1:8867", "127.0.0.1", ""],
)
def test_other_names_are_refused_even_with_the_token(host: str) -> None:
    refused = GATE.refusal(with_token(host))
    assert refused is not None
    assert refused[0] == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "", "http://["]
)
def test_pages_of_other_sites_are_refused(origin: str) -> None:
    assert GATE.refusal(with_token(Origin=origin)) is not None


def test_the_page_itself_may_open_websockets() -> None:
    assert GATE.refusal(with_token(Origin="http://127.0.0.1:8866")) is None


@pytest.mark.parametrize(
    "uri",
    ["/", "/?token=", "/?token=wrong", f"/?token={GATE.token}x"],
    ids=["none", "empty", "wrong", "longer"],
)
def test_without_the_right_token_nothing_is_shown(uri: str) -> None:
    assert GATE.refusal(request(uri)) is not None


@pytest.mark.parametrize(
    "value", ["", "wrong", "é", GATE.token], ids=["empty", "wrong", "no ASCII", "the token"]
)
def test_a_made_up_cookie_opens_nothing(value: str) -> None:
    assert GATE.refusal(request(Cookie=f"{GATE.cookie_name}={value}")) is not None


def test_tokens_differ_between_servers() -> None:
    assert Gate(8866).token != GATE.token


def test_behind_the_gate_nobody_sees_the_token() -> None:
    passed = with_token()
    forget_token(passed)
    assert GATE.token not in repr(passed)
    assert GATE.token not in str(passed.arguments)
    assert passed.full_url().endswith("/?tab=credits")
