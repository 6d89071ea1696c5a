"""API calls of WSGI applications: Flask, and others that say what their routes are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any, TypeAlias

from analytics_core.telemetry.middleware.call import (
    CLIENT_CLOSED,
    SERVER_ERROR,
    UNMATCHED,
    Calls,
    clean_route,
)

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
WSGIApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

# Where an application names the user of a call: `request.environ["analytics.user_id"] = …`
USER = "analytics.user_id"


class WSGIApiCalls:
    """Records each call that goes through; takes what `Calls` takes.

    Chunks, their iterable's length and `close`, files that the server sends itself, and exceptions
    pass as they are. A call is told when its last chunk was taken.
    """

    def __init__(self, app: WSGIApp, *args: Any, **options: Any) -> None:
        self.app = app
        self._calls = Calls(*args, **options)
        self._names = environ_names(self._calls)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        call = _Call(self, environ, start_response)
        try:
            body = self.app(environ, call.start_response)
        except BaseException as failure:
            call.fail(failure)
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper):
            _watch(body, call)
            return body
        return (_SizedBody if hasattr(body, "__len__") else _Body)(body, call)

    def tell(self, call: _Call, status: int, seconds: float) -> None:
        """Record a call that has ended; never raises."""
        try:
            environ = call.environ
            values = environ_values(environ, self._names)
            user = environ.get(USER)
            if user is None and self._calls.user_of is not None:
                user = self._calls.user_of(environ)
            if user is None and values[0] is None and values[1] is None:
                return
            route = None if self._calls.route_of is None else self._calls.route_of(environ)
            self._calls.tell(
                user,
                tuple(values),
                call.method,
                clean_route(route or call.route or _matched(self.app, environ) or UNMATCHED),
                status,
                seconds,
            )
        except Exception as problem:
            # Recording is never a reason for a call to fail, whatever the reason is.
            self._calls.complain(problem)


def environ_names(calls: Calls) -> tuple[str, ...]:
    """Where a WSGI environ has the headers that are looked at."""
    return tuple(f"HTTP_{name.upper().replace('-', '_')}" for name in calls.headers)


def environ_values(environ: Environ, names: tuple[str, ...]) -> list[bytes | None]:
    """Their values as they came over the wire."""
    return [
        None if (value := environ.get(name)) is None else value.encode("latin-1", "replace")
        for name in names
    ]


class _Call:
    """One call under way."""

    __slots__ = (
        "_middleware",
        "_start",
        "_start_response",
        "_status",
        "_told",
        "environ",
        "method",
        "route",
    )

    def __init__(
        self, middleware: WSGIApiCalls, environ: Environ, start_response: StartResponse
    ) -> None:
        self._middleware, self._start_response = middleware, start_response
        self.environ = environ
        self.method = environ.get("REQUEST_METHOD", "")
        self.route: str | None = None
        self._status, self._told = SERVER_ERROR, False
        self._start = perf_counter()

    def start_response(self, *args: Any, **named: Any) -> Any:
        write = self._start_response(*args, **named)
        status = args[0] if args else named.get("status")
        if isinstance(status, str) and status[:3].isdecimal():
            self._status = int(status[:3])
        # Flask takes its request out of the environ before the body is sent.
        self.route = _chosen(self.environ)
        return write

    def complete(self) -> None:
        self._tell(self._status)

    def break_off(self) -> None:
        self._tell(CLIENT_CLOSED)

    def fail(self, failure: BaseException) -> None:
        self._tell(SERVER_ERROR if isinstance(failure, Exception) else CLIENT_CLOSED)

    def _tell(self, status: int) -> None:
        if not self._told:
            self._told = True
            self._middleware.tell(self, status, perf_counter() - self._start)


class _Body:
    """What the application returned."""

    def __init__(self, body: Any, call: _Call) -> None:
        self._body, self._call = body, call
        self._chunks: _Chunks | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            self._chunks = _Chunks(iter(self._body), self._call)
        except BaseException as failure:
            self._call.fail(failure)
            raise
        return self._chunks

    def close(self) -> None:
        if self._is_all():
            self._call.complete()
        else:
            # The server gives up in the midst of it where the client has gone.
            self._call.break_off()
        if hasattr(self._body, "close"):
            self._body.close()

    def _is_all(self) -> bool:
        """Whether the server had all it wanted, though it did not ask for the end."""
        return self._chunks is None or self._call.method == "HEAD"

    def __getattr__(self, name: str) -> Any:
        # What a server may look for on a body of its own making.
        return getattr(self._body, name)


class _SizedBody(_Body):
    """One whose length a server may ask for, to say it before it sends."""

    def __len__(self) -> int:
        return len(self._body)

    def _is_all(self) -> bool:
        return super()._is_all() or (
            self._chunks is not None and self._chunks.taken >= len(self._body)
        )


class _Chunks:
    """Its chunks, one by one as the server asks for them."""

    __slots__ = ("_call", "_chunks", "taken")

    def __init__(self, chunks: Iterator[bytes], call: _Call) -> None:
        self._chunks, self._call, self.taken = chunks, call, 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._call.complete()
            raise
        except BaseException as failure:
            self._call.fail(failure)
            raise
        self.taken += 1
        return chunk


def _watch(body: Any, call: _Call) -> None:
    """Watch a file that the server sends in its own way, and so must get back as it is."""
    close = getattr(body, "close", None)

    def watched() -> None:
        call.complete()
        if close is not None:
            close()

    try:
        body.close = watched
    except AttributeError:
        # Not made in Python: nobody is told when it has been sent.
        call.complete()


def _chosen(environ: Environ) -> str | None:
    """The template that Flask chose, behind the root that the application is under."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    if rule is None:
        return None
    return str(environ.get("SCRIPT_NAME", "")).rstrip("/") + str(rule.rule)


def _matched(app: Any, environ: Environ) -> str | None:
    """The same where Flask has raised or was given a copy of the environ: matched again."""
    for one in (app, getattr(app, "__self__", None)):
        rules = getattr(one, "url_map", None)
        if rules is not None:
            try:
                rule, _ = rules.bind_to_environ(environ).match(return_rule=True)
            except Exception:  # noqa: S112 - werkzeug's way to say that none matches
                continue
            return str(environ.get("SCRIPT_NAME", "")).rstrip("/") + str(rule.rule)
    return None
