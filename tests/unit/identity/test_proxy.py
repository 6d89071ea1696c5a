"""A header is believed from the proxy alone, and is gone for everybody behind."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from analytics_core.errors import NotAdmitted, SettingsError
from analytics_core.identity.proxy import SECRET_HEADER, Proxy
from analytics_core.identity.visitor import Claim, Kind
from analytics_core.settings import Settings

SECRET = "what-the-proxy-and-we-know-and-nobody-else"
MARA = Claim(Kind.USER, "mara@example.com")


def proxy(**settings: str) -> Proxy:
    return Proxy.of(Settings.read(proxy_header="X-Forwarded-Email", **settings))


def headers(**sent: str) -> HTTPHeaders:
    usual = {"X-Forwarded-Email": "mara@example.com", SECRET_HEADER: SECRET}
    return HTTPHeaders({**usual, **{n.replace("_", "-"): v for n, v in sent.items()}})


def test_who_knows_the_secret_is_believed_and_the_headers_are_gone() -> None:
    sent = headers()
    assert proxy(proxy_secret=SECRET).take(sent, over_socket=False) == MARA
    assert list(sent) == []


@pytest.mark.parametrize("shown", ["", "wrong", f"{SECRET}x", SECRET[:-1], "é"])
def test_who_does_not_is_not(shown: str) -> None:
    sent = headers(X_Usage_Proxy_Secret=shown)
    for over_socket in (False, True):
        assert proxy(proxy_secret=SECRET).take(sent, over_socket=over_socket) is None
    assert list(sent) == []


def test_the_socket_alone_is_enough_where_there_is_no_secret() -> None:
    by_socket = proxy(socket="proxy.sock")
    assert by_socket.take(headers(), over_socket=True) == MARA
    assert by_socket.take(headers(), over_socket=False) is None


def test_the_secret_twice_is_no_secret() -> None:
    sent = headers()
    sent.add(SECRET_HEADER, SECRET)
    assert proxy(proxy_secret=SECRET).take(sent, over_socket=False) is None


@pytest.mark.parametrize("name", ["", " ", "mara@example.com,theo@example.com", "m" * 400])
def test_a_proxy_that_names_nobody_or_several_lets_nobody_in(name: str) -> None:
    with pytest.raises(NotAdmitted):
        proxy(proxy_secret=SECRET).take(headers(X_Forwarded_Email=name), over_socket=False)


def test_a_copy_beside_the_proxys_own_lets_nobody_in() -> None:
    sent = headers()
    sent.add("X-Forwarded-Email", "theo@example.com")
    with pytest.raises(NotAdmitted):
        proxy(proxy_secret=SECRET).take(sent, over_socket=False)


def test_where_no_proxy_is_expected_its_headers_are_words() -> None:
    sent = headers()
    assert Proxy.of(Settings.read()).take(sent, over_socket=True) is None
    assert SECRET_HEADER not in sent


@pytest.mark.parametrize("settings", [{}, {"proxy_secret": "short"}])
def test_a_header_that_anybody_could_send_is_refused_as_a_setting(
    settings: dict[str, str],
) -> None:
    with pytest.raises(SettingsError, match="PROXY_SECRET"):
        proxy(**settings)
