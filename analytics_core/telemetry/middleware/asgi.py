"""API calls of ASGI applications: FastAPI, Starlette, and others that say what their routes are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from time import perf_counter
from typing import Any, TypeAlias

from analytics_core.telemetry.middleware.call import (
    CLIENT_CLOSED,
    SERVER_ERROR,
    Calls,
    clean_route,
)
from analytics_core.telemetry.middleware.templates import Templates

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[Any]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

# Where an application names the user of a call: `request.state.analytics_user_id = …`
USER = "analytics_user_id"
_MOST_ROUTERS = 64
# Method, root and headers.
_CameIn: TypeAlias = tuple[str, str, Iterable[tuple[bytes, bytes]]]
# The messages that may be a response's last, each with what it has where it is not.
_LAST = {
    "http.response.body": "more_body",
    "http.response.zerocopysend": "more_body",
    "http.response.pathsend": "",
    "http.response.trailers": "more_trailers",
}


class ASGIApiCalls:
    """Records each HTTP call that goes through; takes what `Calls` takes.

    Every message passes at once, unchanged and in its order, and so does every exception; what is
    not HTTP is not looked at. A call is told when its last byte is sent, before background tasks.
    """

    def __init__(self, app: ASGIApp, *args: Any, **options: Any) -> None:
        self.app = app
        self._calls = Calls(*args, **options)
        key, authorization, platform, version = (
            name.lower().encode() for name in self._calls.headers
        )
        self._headers = {key: 0, authorization: 1, platform: 2, version: 3}
        self._templates: dict[int, Templates] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # What it came in with, before inner applications change the scope.
        came_in = (scope.get("method", ""), scope.get("root_path", ""), scope.get("headers", ()))
        status = 0
        has_trailers = is_gone = is_told = False
        start = perf_counter()

        # Functions that share variables cost half of what methods of an object do.
        async def watched_receive() -> Message:
            nonlocal is_gone
            message = await receive()
            if _kind(message) == "http.disconnect":
                is_gone = True
            return message

        async def watched_send(message: Message) -> Any:
            nonlocal status, has_trailers, is_gone, is_told
            try:
                sent = await send(message)
            except OSError:
                # How a server says that the client has gone.
                is_gone = True
                raise
            kind = _kind(message)
            if kind == "http.response.start":
                status = message.get("status", 0)
                has_trailers = message.get("trailers", False)
            elif (
                not is_told
                and (more := _LAST.get(kind)) is not None
                and not message.get(more, False)
                and (not has_trailers or kind == "http.response.trailers")
            ):
                is_told = True
                self._tell(scope, came_in, status, perf_counter() - start)
            return sent

        # What the application is done with though it was not answered in full.
        end = SERVER_ERROR
        try:
            await self.app(scope, watched_receive, watched_send)
        except BaseException as failure:
            if not isinstance(failure, Exception):
                end = CLIENT_CLOSED
            raise
        finally:
            if not is_told:
                is_told = True
                end = CLIENT_CLOSED if is_gone else end
                self._tell(scope, came_in, end, perf_counter() - start)

    def _tell(self, scope: Scope, came_in: _CameIn, status: int, seconds: float) -> None:
        """Record a call that has ended; never raises."""
        try:
            method, root, headers = came_in
            state = scope.get("state")
            user = state.get(USER) if isinstance(state, dict) else None
            if user is None and self._calls.user_of is not None:
                user = self._calls.user_of(scope)
            wanted = self._headers
            values: list[bytes | None] = [None, None, None, None]
            for name, value in headers:
                if name in wanted and values[wanted[name]] is None:
                    values[wanted[name]] = value
            if user is None and values[0] is None and values[1] is None:
                return
            self._calls.tell(user, tuple(values), method, self._route(scope, root), status, seconds)
        except Exception as problem:
            # Recording is never a reason for a call to fail, whatever the reason is.
            self._calls.complain(problem)

    def _route(self, scope: Scope, root: str) -> str:
        if self._calls.route_of is not None and (route := self._calls.route_of(scope)):
            return clean_route(route)
        # The outermost, also where this middleware is around an application that it mounts. Only
        # what hands on a copy of the scope keeps it from being seen.
        router = scope.get("router") or self.app
        templates = self._templates.get(id(router))
        if templates is None:
            if len(self._templates) >= _MOST_ROUTERS:
                self._templates.clear()
            templates = self._templates[id(router)] = Templates(router)
        return templates.of(scope, scope.get("app_root_path", root))


def _kind(message: Any) -> str:
    # What is no message is for the server to refuse.
    kind = message.get("type") if isinstance(message, dict) else None
    return kind if isinstance(kind, str) else ""
