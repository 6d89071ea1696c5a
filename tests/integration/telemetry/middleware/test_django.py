"""Django answers as it did under WSGI and ASGI, and each call is told under its route."""

from __future__ import annotations

import asyncio
import io
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from analytics_core.telemetry import Recorder
from analytics_core.telemetry.middleware import DjangoApiCalls
from tests.support import django_product
from tests.support.calls import BEARER, KEY, summary, told

THIS = "tests.integration.telemetry.middleware.test_django.Counted"
COMMON = "django.middleware.common.CommonMiddleware"
CACHE = "django.middleware.cache.CacheMiddleware"


class Counted(DjangoApiCalls):
    """As a product would change the options; the recorder is the test's."""


@pytest.fixture(autouse=True)
def _counted(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DjangoApiCalls, "options", {"recorder": recorder})


LINE = "analytics_core.telemetry.middleware.DjangoApiCalls"


def over_wsgi(target: str, taken: int | None = None, **changes: Any) -> tuple[int, list[bytes]]:
    """Status and chunks, or so many of them before the client goes away."""
    started: list[str] = []
    name, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": name,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "HTTP_AUTHORIZATION": BEARER["Authorization"],
        **changes,
    }
    body = WSGIHandler()(environ, lambda status, headers: started.append(status))
    try:
        chunks = iter(body)
        got = list(chunks) if taken is None else [next(chunks) for _ in range(taken)]
    finally:
        body.close()
    return int(started[0][:3]), got


def over_asgi(target: str, *, gone_after: float | None = None) -> list[Any]:
    """The messages that are sent, to a client that goes away after so many seconds."""
    sent: list[Any] = []
    name, _, query = target.partition("?")

    async def main() -> None:
        asked = 0

        async def receive() -> Any:
            nonlocal asked
            asked += 1
            if asked == 1:
                return {"type": "http.request", "body": b""}
            await asyncio.sleep(60 if gone_after is None else gone_after)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": name,
            "query_string": query.encode(),
            "headers": [(b"x-api-key", KEY.encode())],
        }
        await ASGIHandler()(scope, receive, send)

    asyncio.run(main())
    return sent


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/", "/", 200),
        ("/v1/renders/5/", "/v1/renders/<int:render_id>/", 200),
        ("/v1/renders/old/villa/", "/v1/renders/old/<name>/", 200),
        ("/nowhere", "(unmatched)", 404),
        ("/broken", "/broken", 500),
        ("/stream", "/stream", 200),
        ("/file", "/file", 200),
    ],
)
@pytest.mark.parametrize("way", ["wsgi", "asgi"])
def test_calls_are_told_under_the_whole_route(
    recorder: Recorder, way: str, path: str, route: str, status: int
) -> None:
    with override_settings(MIDDLEWARE=[LINE, COMMON]):
        got = over_wsgi(path)[0] if way == "wsgi" else over_asgi(path)[0]["status"]
    assert got == status
    assert summary(recorder) == [("GET", route, status)]


@pytest.mark.parametrize("path", ["/", "/stream", "/async-stream", "/file", "/broken", "/x"])
def test_the_same_messages_are_sent_over_asgi(recorder: Recorder, path: str) -> None:
    plain = over_asgi(path)
    with override_settings(MIDDLEWARE=[LINE, COMMON]):
        assert over_asgi(path) == plain
    assert len(told(recorder)) == 1


@pytest.mark.parametrize("path", ["/", "/stream", "/file", "/broken", "/x"])
def test_the_same_chunks_are_sent_over_wsgi(recorder: Recorder, path: str) -> None:
    plain = over_wsgi(path)
    with override_settings(MIDDLEWARE=[LINE, COMMON]):
        assert over_wsgi(path) == plain
    assert len(told(recorder)) == 1


def test_the_applications_root_is_in_front(recorder: Recorder) -> None:
    with override_settings(MIDDLEWARE=[LINE]):
        over_wsgi("/v1/renders/5/", SCRIPT_NAME="/api")
    assert summary(recorder) == [("GET", "/api/v1/renders/<int:render_id>/", 200)]


def test_an_application_names_the_user(recorder: Recorder) -> None:
    with override_settings(MIDDLEWARE=[LINE]):
        over_wsgi("/mine", HTTP_AUTHORIZATION="")
    assert [(call.user_id, call.key_hash) for call in told(recorder)] == [("7", None)]


def test_a_subclass_changes_the_options(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"recorder": recorder, "user_of": lambda request: request.path}
    monkeypatch.setattr(Counted, "options", options)
    with override_settings(MIDDLEWARE=[THIS]):
        over_wsgi("/mine", HTTP_AUTHORIZATION="")
        over_wsgi("/", HTTP_AUTHORIZATION="")
    assert [call.user_id for call in told(recorder)] == ["7", "/"]


def test_a_stream_is_told_when_its_last_chunk_was_taken(recorder: Recorder) -> None:
    with override_settings(MIDDLEWARE=[LINE]):
        assert over_wsgi("/stream", 1) == (200, [b"a"])
        with pytest.raises(ZeroDivisionError):
            over_wsgi("/stream?fails")
    assert [call.status_code for call in told(recorder)] == [499, 500]


def test_a_file_is_sent_by_the_server_itself(recorder: Recorder) -> None:
    with override_settings(MIDDLEWARE=[LINE]):
        over_wsgi("/file", **{"wsgi.file_wrapper": FileWrapper})
    assert summary(recorder) == [("GET", "/file", 200)]


def test_a_client_that_goes_away_cancels_the_view_and_counts_as_499(recorder: Recorder) -> None:
    with override_settings(MIDDLEWARE=[LINE]):
        assert over_asgi("/slow", gone_after=0.05) == []
    assert summary(recorder) == [("GET", "/slow", 499)]


def test_a_cache_that_is_asked_further_out_keeps_answers(recorder: Recorder) -> None:
    with override_settings(MIDDLEWARE=[CACHE, LINE], CACHE_MIDDLEWARE_KEY_PREFIX="calls"):
        assert over_wsgi("/") == over_wsgi("/")
    assert len(told(recorder)) == 1


def test_the_product_is_one_of_django() -> None:
    assert django_product.urlpatterns
