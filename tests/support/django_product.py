"""A product made with Django: its settings, its addresses and what each answers."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import django
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path, re_path

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="for tests",
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        # So that async answers are not waited for by threads of a database.
        DATABASES={},
        LOGGING_CONFIG=None,
    )
    django.setup()


def plain(request: HttpRequest, **_: Any) -> HttpResponse:
    return HttpResponse("hello")


def mine(request: HttpRequest) -> HttpResponse:
    request.META["analytics.user_id"] = 7
    return HttpResponse("yours")


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        yield from (b"a", b"b")
        if "fails" in request.GET:
            raise ZeroDivisionError

    return StreamingHttpResponse(chunks())


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"a", b"b"):
            await asyncio.sleep(0)
            yield chunk

    return StreamingHttpResponse(chunks())


async def slow(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(60)
    return HttpResponse("late")


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"content"), filename="x.txt")


inner = [path("<int:render_id>/", plain), re_path(r"^old/(?P<name>[^/]+)/$", plain)]
urlpatterns = [
    path("", plain),
    path("v1/renders/", include(inner)),
    path("mine", mine),
    path("broken", broken),
    path("stream", stream),
    path("async-stream", async_stream),
    path("slow", slow),
    path("file", file),
]
