"""The policy of an answer names this server and the sites that were set, and nobody else."""

from __future__ import annotations

import pytest

from analytics_core.errors import SettingsError
from analytics_core.serving.answers import headers, policy
from analytics_core.settings import Settings

LOCAL = ("http://127.0.0.1:8866", "http://[::1]:8866")


def test_code_comes_from_files_of_this_server_alone() -> None:
    text = policy(LOCAL, ())
    assert "script-src 'self';" in text
    assert "default-src 'none';" in text
    assert "unsafe-eval" not in text
    assert "blob:" not in text


def test_sockets_are_of_this_server_alone_and_as_safe_as_its_pages() -> None:
    assert "connect-src 'self' ws://127.0.0.1:8866;" in policy(LOCAL, ())
    assert "connect-src 'self' wss://usage.example;" in policy(("https://usage.example",), ())


def test_unless_it_is_set_nobody_may_embed_the_page() -> None:
    assert "frame-ancestors 'none';" in policy(LOCAL, ())
    assert headers(LOCAL, ())["X-Frame-Options"] == "DENY"
    embedding = ("https://a.example", "https://b.example")
    assert "frame-ancestors https://a.example https://b.example;" in policy(LOCAL, embedding)
    assert "X-Frame-Options" not in headers(LOCAL, embedding)


@pytest.mark.parametrize(
    "text", ["*", "https:", "https://a.example; script-src *", "javascript:alert(1)", "'unsafe'"]
)
def test_what_is_no_origin_is_refused_as_a_setting(text: str) -> None:
    with pytest.raises(SettingsError):
        Settings.read(frame_ancestors=text)


def test_origins_are_taken_as_they_are() -> None:
    text = "https://app.example.com http://localhost:3000"
    assert Settings.read(frame_ancestors=text).frame_ancestors == text
