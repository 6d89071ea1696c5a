"""The collector's HTTP: who may tell, how much at once, and what is answered."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import zlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import unquote

import msgspec
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from analytics_core.dal.database import Database
from analytics_core.errors import AnalyticsError, PortTaken, SpoolFull, SpoolUnavailable
from analytics_core.settings import Settings
from analytics_core.telemetry import health
from analytics_core.telemetry.collector.answers import (
    Collected,
    MediaType,
    NotDone,
    Outcome,
    Well,
)
from analytics_core.telemetry.collector.cloudevents import Told, read, read_headers
from analytics_core.telemetry.collector.description import description
from analytics_core.telemetry.collector.durable import GroupCommit
from analytics_core.telemetry.collector.keys import Keys
from analytics_core.telemetry.recorder import Recorder
from analytics_core.telemetry.spool import MEBIBYTE

_log = logging.getLogger(__name__)

LOOPBACK, DEFAULT_PORT = "127.0.0.1", 8870
_HEADERS_BYTES = 16 * 1024
# So much of a body that is refused is still read, because a connection that is closed on somebody
# who sends takes the answer with it.
_READ_ANYWAY = 8 * MEBIBYTE
_SOON, _LATER = {"Retry-After": "1"}, {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken: of one request, of all at once, and how long a request may take to come.

    `held_bytes` is of bodies that are in memory, `waiting` of requests that wait for the disk.
    """

    body_bytes: int = MEBIBYTE
    events: int = 1_000
    held_bytes: int = 64 * MEBIBYTE
    waiting: int = 100
    connections: int = 500
    seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = MediaType.JSON
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[["HTTPHeaders", bytes], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    handler: Handler
    needs_key: bool

    @property
    def allowed(self) -> str:
        return "GET, HEAD" if self.method == "GET" else self.method

    def allows(self, method: str) -> bool:
        return method == self.method or (method == "HEAD" and self.method == "GET")


class Collector(HTTPServerConnectionDelegate):
    """Takes CloudEvents into the spool of these settings; raises `SettingsError` without a key.

    `recorder` starts the writer, as it does for a product; nobody but it needs the database.
    """

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self.keys = Keys.of(settings)
        self.limits = limits or Limits()
        # The writer has no use for the keys.
        own = settings.model_copy(update={"collector_key": None, "collector_key_file": None})
        self.recorder = Recorder(own)
        self.recorder.spool.make_folder()
        self._database = Database(own.database_url.get_secret_value())
        self._commits = GroupCommit(self.recorder.append_many, self.recorder.spool.sync)
        # Apart from commits: a database that does not answer holds up nobody but who asks for it.
        self._observer = ThreadPoolExecutor(1, thread_name_prefix="analytics-health")
        self._observing: asyncio.Future[bytes] | None = None
        self.held_bytes = 0
        self.under_way: set[_Request] = set()
        self._description = msgspec.json.encode(
            description(self.limits.body_bytes, self.limits.events)
        )
        self.routes = {
            "/events": _Route("POST", self._collect, needs_key=True),
            "/metrics": _Route("GET", self._metrics, needs_key=True),
            "/healthz": _Route("GET", self._alive, needs_key=False),
            "/readyz": _Route("GET", self._ready, needs_key=False),
            "/openapi.json": _Route("GET", self._describe, needs_key=False),
        }

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        return _Request(self, request_conn)

    def close(self) -> None:
        """Let go of the spool; the writer goes on until it has what is there."""
        self._commits.close()
        self._observer.shutdown(wait=False, cancel_futures=True)
        self.recorder.close(timeout=0)
        self._database.close()

    def route(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Handler:
        """Who answers a request, once its headers are there; raises `NotDone`."""
        route = self.routes.get(start_line.path.partition("?")[0])
        if route is None:
            raise NotDone(HTTPStatus.NOT_FOUND, "there is nothing here; events go to /events")
        if not route.allows(start_line.method):
            raise NotDone(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"only {route.allowed} is understood here",
                {"Allow": route.allowed},
            )
        if route.needs_key and not self.keys.admit(headers.get("Authorization", "")):
            raise NotDone(
                HTTPStatus.UNAUTHORIZED,
                "the header Authorization has to be Bearer and the collector's key",
                {"WWW-Authenticate": 'Bearer realm="collector"'},
            )
        if route.method == "POST":
            self._check_head(headers)
        return route.handler

    def _check_head(self, headers: HTTPHeaders) -> None:
        """Refuse a body by what its headers say of it."""
        _media_type(headers)
        if headers.get("Content-Encoding", "identity").lower() not in ("identity", "gzip"):
            raise NotDone(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "a body may be compressed with gzip, and with nothing else",
                {"Accept-Encoding": "gzip"},
            )
        length = headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) > self.limits.body_bytes:
            raise self.too_large()
        if self._commits.waiting >= self.limits.waiting or self.held_bytes > self.limits.held_bytes:
            raise NotDone(
                HTTPStatus.TOO_MANY_REQUESTS, "too many requests at once; try again", _SOON
            )

    def too_large(self) -> NotDone:
        return NotDone(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"a body has at most {self.limits.body_bytes} bytes, unpacked too",
        )

    # --- what is answered ---

    async def _collect(self, headers: HTTPHeaders, body: bytes) -> Answer:
        told = self._read(headers, self._unpacked(headers, body))
        if lines := [one.line for one in told if one.line is not None]:
            await self._make_durable(lines)
        refused = [one.refused for one in told if one.refused is not None]
        self.recorder.refused.update(one.reason for one in refused)
        outcomes = [_outcome(one) for one in told]
        if refused and not lines:
            detail = f"all {len(told)} events were refused, each for its own reason"
            if len(told) == 1:
                detail = f"the event was refused: {outcomes[0].reason}"
            raise NotDone(HTTPStatus.UNPROCESSABLE_ENTITY, detail, events=outcomes)
        return Answer(
            HTTPStatus.MULTI_STATUS if refused else HTTPStatus.OK,
            msgspec.json.encode(Collected(len(lines), len(refused), outcomes)),
        )

    def _unpacked(self, headers: HTTPHeaders, body: bytes) -> bytes:
        if headers.get("Content-Encoding", "identity").lower() == "identity":
            return body
        most = self.limits.body_bytes
        packed = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            plain = packed.decompress(body, most + 1)
        except zlib.error:
            raise NotDone(HTTPStatus.BAD_REQUEST, "the body is not what gzip makes") from None
        if len(plain) > most:
            raise self.too_large()
        if not packed.eof or packed.unused_data:
            raise NotDone(HTTPStatus.BAD_REQUEST, "the body is not one whole file of gzip")
        return plain

    def _read(self, headers: HTTPHeaders, body: bytes) -> list[Told]:
        """What is made of each event."""
        now = datetime.now(UTC)
        match _media_type(headers):
            case MediaType.BATCH:
                return [read(text, now) for text in self._texts(body)]
            case MediaType.ONE:
                # Before its fields: what is no JSON at all is no event that could be refused.
                _parsed(body)
                return [read(body, now)]
            case _:
                return [read_headers(_attributes(headers), _parsed(body), now)]

    def _texts(self, body: bytes) -> list[msgspec.Raw]:
        try:
            texts = _batch.decode(body)
        except (ValueError, RecursionError) as wrong:
            raise NotDone(HTTPStatus.BAD_REQUEST, f"the body is no JSON array: {wrong}") from None
        if len(texts) > self.limits.events:
            raise NotDone(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a batch has at most {self.limits.events} events; this one has {len(texts)}",
            )
        return texts

    async def _make_durable(self, lines: list[bytes]) -> None:
        try:
            await self._commits.commit(lines)
        except SpoolFull as full:
            _log.warning("events were turned away: %s", full)
            self.recorder.refused["spool full"] += len(lines)
            raise NotDone(
                HTTPStatus.TOO_MANY_REQUESTS,
                "there is no room for more events until some are written to the database",
                _LATER,
            ) from full
        except SpoolUnavailable as unavailable:
            _log.error("events were turned away: %s", unavailable)
            self.recorder.refused["spool unavailable"] += len(lines)
            raise NotDone(
                HTTPStatus.SERVICE_UNAVAILABLE, "events cannot be kept just now", _LATER
            ) from unavailable

    async def _metrics(self, headers: HTTPHeaders, body: bytes) -> Answer:
        # One reading for all who ask meanwhile: the database is asked for it.
        if self._observing is None or self._observing.done():
            self._observing = asyncio.get_running_loop().run_in_executor(
                self._observer,
                health.openmetrics,
                self.recorder.folder,
                self._database,
                dict(self.recorder.refused),
            )
        text = await asyncio.shield(self._observing)
        return Answer(HTTPStatus.OK, text, MediaType.OPENMETRICS)

    async def _alive(self, headers: HTTPHeaders, body: bytes) -> Answer:
        return _well("alive")

    async def _ready(self, headers: HTTPHeaders, body: bytes) -> Answer:
        try:
            self.recorder.spool.check_room()
        except AnalyticsError as problem:
            _log.warning("not ready: %s", problem)
            raise NotDone(
                HTTPStatus.SERVICE_UNAVAILABLE, "events cannot be kept just now", _LATER
            ) from problem
        return _well("ready")

    async def _describe(self, headers: HTTPHeaders, body: bytes) -> Answer:
        return Answer(HTTPStatus.OK, self._description)


_batch: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])


def _outcome(told: Told) -> Outcome:
    if told.refused is None:
        return Outcome(told.id, True)
    reason = str(told.refused)
    if told.refused.reason != "invalid":
        reason = f"{told.refused.reason}: {reason}"
    return Outcome(told.id, False, reason)


def _well(status: str) -> Answer:
    return Answer(HTTPStatus.OK, msgspec.json.encode(Well(status)))


def _media_type(headers: HTTPHeaders) -> str:
    """How events are told, by the type of the body."""
    media_type, _, parameters = headers.get("Content-Type", "").lower().partition(";")
    media_type = media_type.strip()
    charset = parameters.partition("charset=")[2].strip(' "')
    is_known = media_type in (MediaType.ONE, MediaType.BATCH) or (
        media_type == MediaType.BINARY and "ce-specversion" in headers
    )
    if is_known and charset in ("", "utf-8", "utf8"):
        return media_type
    one, batch, binary = MediaType.ONE, MediaType.BATCH, MediaType.BINARY
    raise NotDone(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"the body has to be {one}, {batch}, or {binary} with ce- headers, in UTF-8",
        {"Accept": f"{one}, {batch}, {binary}"},
    )


def _attributes(headers: HTTPHeaders) -> dict[str, str]:
    """The attributes of an event in binary mode; what is not ASCII comes percent-encoded."""
    return {
        name[3:].lower(): unquote(value)
        for name, value in headers.get_all()
        if name.lower().startswith("ce-")
    }


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError) as wrong:
        raise NotDone(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {wrong}") from None


class _Request(HTTPMessageDelegate):
    """One request while it comes in and is answered."""

    def __init__(self, collector: Collector, connection: HTTPConnection) -> None:
        self._collector, self._connection = collector, connection
        self._headers, self._method = HTTPHeaders(), ""
        self._handler: Handler | None = None
        self._refused: NotDone | None = None
        self._chunks: list[bytes] = []
        self._held = self._ignored = 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_answered = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        assert isinstance(start_line, RequestStartLine)  # noqa: S101 - we are no client
        self._collector.under_way.add(self)
        self._timer = asyncio.get_running_loop().call_later(
            self._collector.limits.seconds, self._too_slow
        )
        self._headers, self._method = headers, start_line.method
        try:
            self._handler = self._collector.route(start_line, headers)
        except NotDone as refused:
            self._refused = refused
            if headers.get("Expect", "").lower() == "100-continue":
                # Who asks before sending shall not send.
                self._answer_refusal(refused)

    def data_received(self, chunk: bytes) -> None:
        if self._refused is None:
            self._held += len(chunk)
            self._collector.held_bytes += len(chunk)
            self._chunks.append(chunk)
            if self._held > self._collector.limits.body_bytes:
                self._refused = self._collector.too_large()
                self._let_go()
            return
        self._ignored += len(chunk)
        if self._ignored > _READ_ANYWAY:
            self._answer_refusal(self._refused)

    def finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._refused is not None:
            self._answer_refusal(self._refused)
        else:
            self._task = asyncio.get_running_loop().create_task(self._answer())

    def on_connection_close(self) -> None:
        self._is_answered = True
        self._end()

    def _too_slow(self) -> None:
        slow = NotDone(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the request was not whole after {self._collector.limits.seconds:g} seconds",
        )
        self._answer_refusal(self._refused or slow)

    async def _answer(self) -> None:
        assert self._handler is not None  # noqa: S101 - there is one, or a refusal
        try:
            answer = await self._handler(self._headers, b"".join(self._chunks))
        except NotDone as refused:
            self._answer_refusal(refused)
        except Exception:
            # Whoever asks learns that it is not their fault; what it is, is for the log.
            _log.exception("a request could not be answered")
            self._answer_refusal(
                NotDone(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here")
            )
        else:
            self._send(answer)

    def _answer_refusal(self, refused: NotDone) -> None:
        body = msgspec.json.encode(refused.to_problem())
        self._send(Answer(refused.status, body, MediaType.PROBLEM, refused.headers))

    def _send(self, answer: Answer) -> None:
        if self._is_answered:
            return
        self._is_answered = True
        self._end()
        headers = HTTPHeaders(
            {
                "Content-Type": answer.content_type,
                "Content-Length": str(len(answer.body)),
                "Cache-Control": "no-store",
                "Date": formatdate(usegmt=True),
                "X-Content-Type-Options": "nosniff",
                **answer.headers,
            }
        )
        start = ResponseStartLine("HTTP/1.1", int(answer.status), answer.status.phrase)
        body = None if self._method == "HEAD" else answer.body
        self._connection.write_headers(start, headers, body)
        self._connection.finish()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._let_go()
        self._collector.under_way.discard(self)

    def _let_go(self) -> None:
        self._collector.held_bytes -= self._held
        self._chunks, self._held = [], 0


class _Server(HTTPServer):
    """Tornado's server, for so many connections at once."""

    def initialize(self, collector: Collector) -> None:  # type: ignore[override]
        self._most = collector.limits.connections
        super().initialize(
            collector,
            max_header_size=_HEADERS_BYTES,
            # The collector counts itself: who sends too much shall hear so.
            max_body_size=2**62,
            idle_connection_timeout=collector.limits.seconds,
        )

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        if len(self._connections) >= self._most:
            stream.close()
            return
        super().handle_stream(stream, address)


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen; raises `PortTaken`, or what keeps the host from being one of ours."""
    try:
        return bind_sockets(port, host, backlog=512, reuse_port=False)
    except OSError as refused:
        if refused.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTaken(port) from None
        raise AnalyticsError(f"cannot listen on {host}: {refused.strerror or refused}") from None


async def serve(
    collector: Collector, sockets: list[socket.socket], on_ready: Callable[[str], None]
) -> None:
    """Answer until SIGINT or SIGTERM, then finish what is under way.

    `on_ready` gets the address.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for stopping in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(stopping, stopped.set)
    server = _Server(collector)
    server.add_sockets(sockets)
    host, port = sockets[0].getsockname()[:2]
    on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    await stopped.wait()
    server.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(collector.limits.seconds):
            while collector.under_way:
                await asyncio.sleep(0.01)
    await server.close_all_connections()
