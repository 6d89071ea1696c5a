"""API calls of Django, under WSGI and ASGI alike: the first line of its `MIDDLEWARE`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from functools import lru_cache
from time import perf_counter
from typing import Any, ClassVar

from analytics_core.telemetry.middleware.call import (
    CLIENT_CLOSED,
    SERVER_ERROR,
    UNMATCHED,
    Calls,
    clean_route,
)
from analytics_core.telemetry.middleware.wsgi import USER, environ_names, environ_values


class DjangoApiCalls:
    """Records each call; a subclass with other `options`, as `Calls` takes them, is as good a line.

    Put it first, so that it sees what all others answer. A call is told when Django closes its
    response, which is when the last byte is sent.
    """

    sync_capable = async_capable = True
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._calls = Calls(**self.options)
        self._names = environ_names(self._calls)
        # Django is there where it calls this.
        from asgiref.sync import iscoroutinefunction, markcoroutinefunction

        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if self._is_async:
            return self._answer(request)
        call = _Call(self, request)
        try:
            response = self._get_response(request)
        except BaseException as failure:
            call.fail(failure)
            raise
        call.watch(response)
        return response

    async def _answer(self, request: Any) -> Any:
        call = _Call(self, request)
        try:
            response = await self._get_response(request)
        except BaseException as failure:
            call.fail(failure)
            raise
        call.watch(response)
        return response

    def tell(self, request: Any, status: int, seconds: float) -> None:
        """Record a call that has ended; never raises."""
        try:
            meta = request.META
            values = environ_values(meta, self._names)
            user = meta.get(USER)
            if user is None and self._calls.user_of is not None:
                user = self._calls.user_of(request)
            if user is None and values[0] is None and values[1] is None:
                return
            route = None if self._calls.route_of is None else self._calls.route_of(request)
            self._calls.tell(
                user,
                tuple(values),
                request.method or "",
                clean_route(route or _template(request)),
                status,
                seconds,
            )
        except Exception as problem:
            # Recording is never a reason for a call to fail, whatever the reason is.
            self._calls.complain(problem)


class _Call:
    """One call under way; Django's response keeps it until it is closed."""

    __slots__ = ("_at_end", "_middleware", "_request", "_start", "_status", "_told")

    def __init__(self, middleware: DjangoApiCalls, request: Any) -> None:
        self._middleware, self._request = middleware, request
        self._status, self._told = SERVER_ERROR, False
        # Whether all of its content was taken, where that is known.
        self._at_end = True
        self._start = perf_counter()

    def watch(self, response: Any) -> None:
        self._status = response.status_code
        closers = getattr(response, "_resource_closers", None)
        if closers is None:
            self._tell(self._status)
            return
        if response.streaming and getattr(response, "file_to_stream", None) is None:
            # Django's own way for a middleware to look at a stream.
            self._at_end = False
            chunks = response.streaming_content
            response.streaming_content = (
                self._taken_async(chunks) if response.is_async else self._taken(chunks)
            )
        closers.append(self)

    def _taken(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from chunks
        except Exception as failure:
            self.fail(failure)
            raise
        self._at_end = True

    async def _taken_async(
        self, chunks: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
        except Exception as failure:
            self.fail(failure)
            raise
        self._at_end = True

    def __call__(self) -> None:
        """Django closes the response."""
        self._tell(self._status if self._at_end else CLIENT_CLOSED)

    def fail(self, failure: BaseException) -> None:
        self._tell(SERVER_ERROR if isinstance(failure, Exception) else CLIENT_CLOSED)

    def _tell(self, status: int) -> None:
        if not self._told:
            self._told = True
            self._middleware.tell(self._request, status, perf_counter() - self._start)

    def __reduce__(self) -> tuple[Any, ...]:
        # A cache that is asked further out keeps the response as a pickle, and not its call.
        return _nothing, ()


def _nothing() -> Callable[[], None]:
    return _do_nothing


def _do_nothing() -> None:
    """What a response from a cache does when it is closed."""


def _template(request: Any) -> str:
    """The template of Django's resolver, behind the root that the application is under."""
    match = request.resolver_match
    if match is None:
        return UNMATCHED
    return str(request.META.get("SCRIPT_NAME", "")).rstrip("/") + _readable(match.route)


@lru_cache(maxsize=1024)
def _readable(route: str) -> str:
    """As OpenTelemetry has it, from the root on; regular expressions as Django shows them."""
    if any(sign in route for sign in "^$("):
        from django.contrib.admindocs.views import simplify_regex

        return str(simplify_regex(route))
    return f"/{route}"
