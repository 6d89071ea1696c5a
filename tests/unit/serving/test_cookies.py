"""Cookies are as closed as the place they are set at allows."""

from __future__ import annotations

from analytics_core.serving.server import Place


def test_on_this_machine_a_cookie_is_its_servers_and_no_scripts() -> None:
    cookies = Place().cookies(8866)
    assert cookies.session_name == "usage-8866"
    assert cookies.line("a", "b") == "a=b; Path=/; HttpOnly; SameSite=Strict"


def test_on_a_site_of_its_own_it_is_secure_and_cannot_be_set_from_beside() -> None:
    cookies = Place(origins=("https://usage.example.com",)).cookies(8866)
    assert cookies.session_name == "__Host-usage"
    assert cookies.line("a", "b", seconds=60) == (
        "a=b; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict"
    )


def test_embedded_it_is_of_the_site_that_embeds() -> None:
    frames = ("https://app.example.org",)
    cookies = Place(origins=("https://usage.example.com",), frames=frames).cookies(8866)
    assert cookies.line("a", "b", is_readable=True) == ("a=b; Secure; SameSite=None; Partitioned")


def test_one_address_without_a_certificate_makes_none_secure() -> None:
    origins = ("https://usage.example.com", "http://usage.internal")
    assert Place(origins=origins).cookies(80).session_name == "usage-80"
