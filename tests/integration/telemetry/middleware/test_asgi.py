"""FastAPI and Starlette answer as they did, and each call is told under its template."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fastapi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Host, Mount, Route, Router
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from analytics_core.telemetry import Recorder
from analytics_core.telemetry.middleware import ASGIApiCalls
from tests.support.calls import BEARER, spooling, summary, told


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def asked_again(request: Request) -> Response:
    return PlainTextResponse("again", status_code=202)


def starlette_product(recorder: Recorder) -> Starlette:
    inner = [Route("/{id:int}", hello), Route("/", asked_again, methods=["POST"])]
    return Starlette(
        routes=[
            Route("/plain", hello),
            Route("/renders/{id}", asked_again),
            Mount("/renders", routes=inner),
            Mount("/of/{tenant}", app=BaseHTTPMiddleware(Router(inner), handing_on)),
            Mount("/files", app=PlainTextResponse("a file")),
            Host("api.example.com", app=Router([Route("/hosted/{name:path}", hello)])),
        ],
        middleware=[Middleware(ASGIApiCalls, recorder)],
    )


async def handing_on(request: Request, call_next: Any) -> Response:
    answer: Response = await call_next(request)
    return answer


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", "/plain", "/plain", 200),
        ("GET", "/plain/", "(unmatched)", 307),
        ("GET", "/renders/12", "/renders/{id}", 202),
        ("POST", "/renders/", "/renders/", 202),
        ("GET", "/renders/1/2", "(unmatched)", 404),
        ("GET", "/of/acme/12", "/of/{tenant}/{id}", 200),
        ("GET", "/of/acme/twelve", "(unmatched)", 404),
        ("GET", "/files/secret/name.png", "/files/{path}", 200),
        ("GET", "/etc/passwd", "(unmatched)", 404),
        ("DELETE", "/plain", "/plain", 405),
    ],
)
def test_starlette_calls_are_told_under_the_whole_template(
    recorder: Recorder, method: str, path: str, route: str, status: int
) -> None:
    client = TestClient(starlette_product(recorder), follow_redirects=False)
    for _ in range(2):
        assert client.request(method, path, headers=BEARER).status_code == status
    assert summary(recorder) == [(method, route, status)] * 2


def test_routes_of_a_host_have_no_prefix(recorder: Recorder) -> None:
    client = TestClient(starlette_product(recorder), base_url="http://api.example.com")
    client.get("/hosted/a/b", headers=BEARER)
    assert summary(recorder) == [("GET", "/hosted/{name}", 200)]


def fastapi_product(recorder: Recorder) -> fastapi.FastAPI:
    renders = fastapi.APIRouter(prefix="/renders")

    @renders.get("/{render_id}")
    async def render(render_id: int) -> dict[str, int]:
        return {"id": render_id}

    admin = fastapi.FastAPI()
    admin.include_router(renders, prefix="/{team}")
    app = fastapi.FastAPI()
    app.add_middleware(ASGIApiCalls, recorder)
    app.include_router(renders, prefix="/v1")
    app.include_router(renders, prefix="/v2")
    app.mount("/admin", admin)

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError

    @app.get("/mine")
    def mine(request: Request) -> str:
        request.state.analytics_user_id = 7
        return "yours"

    return app


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/v1/renders/5", "/v1/renders/{render_id}", 200),
        ("/v2/renders/5", "/v2/renders/{render_id}", 200),
        ("/v2/renders/five", "/v2/renders/{render_id}", 422),
        ("/admin/blue/renders/5", "/admin/{team}/renders/{render_id}", 200),
        ("/admin/nowhere", "(unmatched)", 404),
        ("/v3/renders/5", "(unmatched)", 404),
        ("/broken", "/broken", 500),
    ],
)
def test_fastapi_calls_are_told_under_the_whole_template(
    recorder: Recorder, path: str, route: str, status: int
) -> None:
    client = TestClient(fastapi_product(recorder), raise_server_exceptions=False)
    assert client.get(path, headers=BEARER).status_code == status
    assert summary(recorder) == [("GET", route, status)]


def test_the_applications_root_is_in_front(recorder: Recorder) -> None:
    client = TestClient(fastapi_product(recorder), root_path="/api")
    client.get("/api/admin/blue/renders/5", headers=BEARER)
    assert summary(recorder) == [("GET", "/api/admin/{team}/renders/{render_id}", 200)]


def test_a_mounted_application_with_the_middleware_knows_what_it_is_mounted_under(
    recorder: Recorder,
) -> None:
    outer = Starlette(routes=[Mount("/of/{tenant}", app=fastapi_product(recorder))])
    TestClient(outer).get("/of/acme/v1/renders/5", headers=BEARER)
    assert summary(recorder) == [("GET", "/of/{tenant}/v1/renders/{render_id}", 200)]


def test_routes_are_found_around_an_application_and_behind_a_copy_of_the_scope(
    recorder: Recorder,
) -> None:
    inner = Starlette(routes=[Mount("/a", routes=[Route("/{id}", hello)])])

    class Copying:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(dict(scope), receive, send)

    TestClient(ASGIApiCalls(Copying(inner), recorder)).get("/a/1", headers=BEARER)
    TestClient(ASGIApiCalls(inner, recorder)).get("/a/1", headers=BEARER)
    assert summary(recorder) == [("GET", "/a/{id}", 200)] * 2


def test_a_route_that_is_added_later_is_found(recorder: Recorder) -> None:
    app = fastapi_product(recorder)
    client = TestClient(app)
    client.get("/mine", headers=BEARER)
    app.get("/later/{n}")(lambda n: n)
    client.get("/later/3", headers=BEARER)
    assert summary(recorder)[1:] == [("GET", "/later/{n}", 200)]


def test_an_application_names_the_user_or_is_asked_for_it(recorder: Recorder) -> None:
    TestClient(fastapi_product(recorder)).get("/mine")
    assert [(call.user_id, call.key_hash) for call in told(recorder)] == [("7", None)]
    named = ASGIApiCalls(
        Starlette(routes=[Route("/", hello)]), recorder, user_of=lambda scope: scope["path"]
    )
    TestClient(named).get("/")
    assert told(recorder)[1].user_id == "/"


def test_what_raises_in_the_products_functions_is_said_and_disturbs_no_call(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(scope: Any) -> str:
        raise KeyError("rk_secret")

    app = Starlette(routes=[Route("/", hello)])
    client = TestClient(ASGIApiCalls(app, recorder, user_of=failing))
    assert client.get("/", headers=BEARER).text == "hello"
    assert told(recorder) == []
    assert [line.getMessage() for line in caplog.records if line.levelname == "ERROR"] == [
        "an API call was not recorded: KeyError"
    ]


# --- as without it ---


def test_streams_pass_chunk_by_chunk_and_the_call_lasts_until_the_last(recorder: Recorder) -> None:
    events: list[str] = []

    async def chunks() -> AsyncIterator[bytes]:
        for n in range(3):
            events.append(f"made {n}")
            await asyncio.sleep(0.02)
            yield b"%d" % n

    async def after() -> None:
        # Told before background tasks, which may take long and die.
        events.append(f"after {len(told(recorder))}")

    async def stream(request: Request) -> Response:
        return StreamingResponse(chunks(), background=BackgroundTask(after))

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            events.append(f"sent {message['body'].decode()}")

    app = ASGIApiCalls(Starlette(routes=[Route("/", stream)]), recorder)
    asyncio.run(app(http_scope(), never_ending(), send))
    assert events == [
        *("made 0", "sent 0", "made 1", "sent 1", "made 2", "sent 2"),
        *("sent ", "after 1"),
    ]
    assert 0.06 <= told(recorder)[0].duration < 5


def http_scope(**changes: Any) -> dict[str, Any]:
    headers = [(name.lower().encode(), value.encode()) for name, value in BEARER.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        **changes,
    }


def never_ending() -> Any:
    asked = 0

    async def receive() -> Any:
        nonlocal asked
        asked += 1
        if asked > 1:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


def test_websockets_and_lifespan_are_not_looked_at(recorder: Recorder) -> None:
    seen = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, int]]:
        seen.append("up")
        yield {"n": 1}
        seen.append("down")

    app = fastapi.FastAPI(lifespan=lifespan)
    app.add_middleware(ASGIApiCalls, recorder)

    @app.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(f"{await socket.receive_text()} {socket.state.n}")
        await socket.close()

    with (
        TestClient(app) as client,
        client.websocket_connect("/ws", headers=BEARER) as socket,
    ):
        socket.send_text("hi")
        assert socket.receive_text() == "hi 1"
    assert seen == ["up", "down"]
    assert told(recorder) == []


async def raw(
    recorder: Recorder,
    app: Any,
    received: list[Any],
    send: Any = None,
    **changes: Any,
) -> list[Any]:
    """The messages that an application sent, with the middleware around it."""
    sent: list[Any] = []
    waiting = list(received)

    async def receive() -> Any:
        return waiting.pop(0)

    async def sending(message: Any) -> str:
        if send is not None:
            send(message)
        sent.append(message)
        return f"sent {len(sent)}"

    await ASGIApiCalls(app, recorder)(http_scope(**changes), receive, sending)
    return sent


START = {"type": "http.response.start", "status": 201, "headers": []}
GONE = {"type": "http.disconnect"}


def test_an_exception_goes_on_and_counts_as_500_even_after_the_response_began(
    recorder: Recorder,
) -> None:
    problem = ZeroDivisionError("mine")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        raise problem

    with pytest.raises(ZeroDivisionError) as raised:
        asyncio.run(raw(recorder, app, []))
    assert raised.value is problem
    assert summary(recorder) == [("GET", "(unmatched)", 500)]


def test_a_cancelled_call_counts_as_499_and_is_cancelled(recorder: Recorder) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.create_task(raw(recorder, app, []))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert summary(recorder) == [("GET", "(unmatched)", 499)]


def test_a_client_that_goes_away_counts_as_499(recorder: Recorder) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        assert await receive() == GONE

    asyncio.run(raw(recorder, app, [GONE]))

    def refuse(message: Any) -> None:
        if message["type"] != "http.response.start":
            raise OSError("gone")

    async def stream(request: Request) -> Response:
        return StreamingResponse(iter([b"1", b"2"]))

    with pytest.raises(ClientDisconnect):
        asyncio.run(raw(recorder, Starlette(routes=[Route("/", stream)]), [], refuse))
    assert [call.status_code for call in told(recorder)] == [499, 499]


def test_an_answer_that_never_came_counts_as_the_servers_500(recorder: Recorder) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Answer nothing."""

    assert asyncio.run(raw(recorder, app, [])) == []
    assert summary(recorder) == [("GET", "(unmatched)", 500)]


@pytest.mark.parametrize(
    "last",
    [
        {"type": "http.response.body", "body": b""},
        {"type": "http.response.body"},
        {"type": "http.response.pathsend", "path": "/x"},
        {"type": "http.response.zerocopysend", "file": 3},
    ],
)
def test_the_last_message_of_a_response_ends_the_call(recorder: Recorder, last: Any) -> None:
    counts = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (START, {"type": "http.response.body", "more_body": True}, last):
            await send(message)
            counts.append(len(told(recorder)))
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        asyncio.run(raw(recorder, app, []))
    assert counts == [0, 0, 1]
    assert [call.status_code for call in told(recorder)] == [201]


def test_trailers_belong_to_the_response(recorder: Recorder) -> None:
    counts = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (
            {**START, "trailers": True},
            {"type": "http.response.body", "body": b"x"},
            {"type": "http.response.trailers", "headers": [], "more_trailers": True},
            {"type": "http.response.trailers", "headers": []},
        ):
            await send(message)
            counts.append(len(told(recorder)))

    asyncio.run(raw(recorder, app, []))
    assert counts == [0, 0, 0, 1]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [f"http.response.{name}" for name in ("start", "body", "trailers", "pathsend", "push")]
    + ["http.disconnect", "http.request", "websocket.send"]
)
MESSAGES = st.fixed_dictionaries(
    {"type": NAMES | ANYTHING},
    optional=dict.fromkeys(("status", "body", "more_body", "trailers", "headers"), ANYTHING),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    return spooling(tmp_path_factory.mktemp("shared"))


@given(st.lists(MESSAGES | ANYTHING, max_size=6), st.lists(MESSAGES | ANYTHING, max_size=4))
def test_any_messages_pass_unchanged_in_their_order(
    shared: Recorder, sending: list[Any], receiving: list[Any]
) -> None:
    received, answers = [], []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in sending:
            answers.append(await send(message))
        for _ in receiving:
            received.append(await receive())

    before = copy.deepcopy((sending, receiving))
    sent = asyncio.run(raw(shared, app, receiving))
    assert (sending, receiving) == before
    assert [id(message) for message in sent] == [id(message) for message in sending]
    assert [id(message) for message in received] == [id(message) for message in receiving]
    assert answers == [f"sent {n + 1}" for n in range(len(sending))]
