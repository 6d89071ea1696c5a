"""Flask answers as it did, and each call is told under its rule; so do plain WSGI applications."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from analytics_core.telemetry import Recorder
from analytics_core.telemetry.middleware import WSGIApiCalls
from tests.support.calls import BEARER, KEY, spooling, summary, told


def flask_product(recorder: Recorder | None) -> flask.Flask:
    app = flask.Flask(__name__)
    blueprint = flask.Blueprint("renders", __name__, url_prefix="/renders")

    @blueprint.get("/<int:render_id>")
    def render(render_id: int) -> str:
        return f"render {render_id}"

    @app.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError

    @app.get("/stream")
    def stream() -> flask.Response:
        return flask.Response(str(n) for n in range(3))

    @app.get("/mine")
    def mine() -> str:
        flask.request.environ["analytics.user_id"] = 7
        return "yours"

    @app.get("/file")
    def file() -> flask.Response:
        return flask.send_file(__file__)

    app.register_blueprint(blueprint, url_prefix="/v1/renders")
    app.register_blueprint(blueprint, url_prefix="/v2/renders", name="second")
    if recorder is not None:
        app.wsgi_app = WSGIApiCalls(app.wsgi_app, recorder)  # type: ignore[method-assign]
    return app


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/v1/renders/5", "/v1/renders/<int:render_id>", 200),
        ("/v2/renders/5", "/v2/renders/<int:render_id>", 200),
        ("/v2/renders/five", "(unmatched)", 404),
        ("/stream", "/stream", 200),
        ("/file", "/file", 200),
        ("/broken", "/broken", 500),
    ],
)
def test_flask_calls_are_told_under_the_whole_rule(
    recorder: Recorder, path: str, route: str, status: int
) -> None:
    with flask_product(recorder).test_client() as client:
        answer = client.get(path, headers=BEARER)
        assert answer.status_code == status
        assert answer.data
        answer.close()
    assert summary(recorder) == [("GET", route, status)]


def test_an_exception_goes_on_and_its_rule_is_found(recorder: Recorder) -> None:
    app = flask_product(None)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.wsgi_app = WSGIApiCalls(app.wsgi_app, recorder)  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/broken", headers=BEARER)
    assert summary(recorder) == [("GET", "/broken", 500)]


def test_the_applications_root_is_in_front(recorder: Recorder) -> None:
    app = WSGIApiCalls(
        DispatcherMiddleware(flask_product(None), {"/api": flask_product(None)}), recorder
    )
    assert Client(app).get("/api/v1/renders/5", headers=BEARER).data == b"render 5"
    assert summary(recorder) == [("GET", "/api/v1/renders/<int:render_id>", 200)]


def test_an_application_names_the_user(recorder: Recorder) -> None:
    assert flask_product(recorder).test_client().get("/mine").data == b"yours"
    assert [(call.user_id, call.key_hash) for call in told(recorder)] == [("7", None)]


# --- as without it ---


def environ(**changes: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "HTTP_X_API_KEY": KEY,
        **changes,
    }


def served(app: Any) -> bytes:
    """What the standard library's server puts on the wire."""
    out = io.BytesIO()
    handler = SimpleHandler(io.BytesIO(), out, io.StringIO(), environ())
    handler.run(app)
    return out.getvalue()


def answering(body: Any, **seen: Any) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("202 Accepted", [("Content-Type", "text/plain")])
        return body

    return app


class Chunks:
    """An iterable that says what was done with it."""

    def __init__(self, *chunks: bytes, fails: bool = False) -> None:
        self.chunks, self.fails, self.done = chunks, fails, []

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.done.append(chunk.decode())
            yield chunk
        if self.fails:
            raise ZeroDivisionError

    def close(self) -> None:
        self.done.append("closed")


def test_chunks_are_asked_for_one_by_one_and_the_iterable_is_closed(recorder: Recorder) -> None:
    chunks = Chunks(b"a", b"b")
    body = WSGIApiCalls(answering(chunks), recorder)(environ(), lambda *_: None)
    taken = iter(body)
    assert chunks.done == []
    assert next(taken) == b"a"
    assert chunks.done == ["a"]
    assert list(taken) == [b"b"]
    assert summary(recorder) == [("GET", "(unmatched)", 202)]
    body.close()
    assert chunks.done == ["a", "b", "closed"]
    assert len(told(recorder)) == 1


def test_a_client_that_goes_away_counts_as_499(recorder: Recorder) -> None:
    chunks = Chunks(b"a", b"b")
    body = WSGIApiCalls(answering(chunks), recorder)(environ(), lambda *_: None)
    next(iter(body))
    body.close()
    assert chunks.done == ["a", "closed"]
    assert summary(recorder) == [("GET", "(unmatched)", 499)]


def test_an_exception_in_the_midst_of_a_body_counts_as_500(recorder: Recorder) -> None:
    app = WSGIApiCalls(answering(Chunks(b"a", fails=True)), recorder)
    with pytest.raises(ZeroDivisionError):
        list(app(environ(), lambda *_: None))
    assert summary(recorder) == [("GET", "(unmatched)", 500)]


def test_a_body_that_nobody_asks_for_is_complete(recorder: Recorder) -> None:
    app = WSGIApiCalls(answering([b"x"]), recorder)
    app(environ(REQUEST_METHOD="HEAD"), lambda *_: None).close()
    assert summary(recorder) == [("HEAD", "(unmatched)", 202)]


def test_a_file_is_sent_by_the_server_itself(recorder: Recorder) -> None:
    file = io.BytesIO(b"content")

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)

    body = WSGIApiCalls(app, recorder)(
        environ(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: None
    )
    assert type(body) is FileWrapper
    assert body.filelike is file
    assert told(recorder) == []
    body.close()
    assert file.closed
    assert summary(recorder) == [("GET", "(unmatched)", 200)]


@pytest.mark.parametrize("make", [list, tuple, iter])
@pytest.mark.parametrize("chunks", [[], [b"one"], [b"one", b"two"], [b"", b"two"]], ids=str)
def test_the_server_sends_what_it_would_send(
    recorder: Recorder, make: Any, chunks: list[bytes]
) -> None:
    plain = served(answering(make(chunks)))
    assert served(WSGIApiCalls(answering(make(chunks)), recorder)) == plain
    assert [call.status_code for call in told(recorder)] == [202]


def test_what_the_specification_asks_for_is_kept(recorder: Recorder) -> None:
    app = validator(WSGIApiCalls(validator(answering([b"x"])), recorder))
    written = served(app)
    assert written.endswith(b"x")
    assert written.startswith(b"HTTP/1.0 202 Accepted") or b"Status: 202 Accepted" in written


def test_write_and_a_second_start_pass_as_they_are(recorder: Recorder) -> None:
    seen: list[Any] = []

    def start_response(*args: Any) -> Any:
        seen.append(args)
        return seen.append

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])("written")
        start_response("503 Sorry", [], (None, None, None))
        return []

    body = WSGIApiCalls(app, recorder)(environ(), start_response)
    assert list(body) == []
    assert seen == [("200 OK", []), "written", ("503 Sorry", [], (None, None, None))]
    assert summary(recorder) == [("GET", "(unmatched)", 503)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    return spooling(tmp_path_factory.mktemp("shared"))


@given(st.lists(st.binary(max_size=4), max_size=5), st.integers(0, 6), st.booleans())
def test_any_body_is_taken_the_same_way(
    shared: Recorder, chunks: list[bytes], taken: int, fails: bool
) -> None:
    def using(body: Any) -> list[Any]:
        seen: list[Any] = []
        asked = iter(body)
        for _ in range(taken):
            try:
                seen.append(next(asked))
            except (StopIteration, ZeroDivisionError) as end:
                seen.append(type(end))
        body.close()
        return seen

    texts = [b"%d" % n + chunk.hex().encode() for n, chunk in enumerate(chunks)]
    plain, watched = (Chunks(*texts, fails=fails) for _ in range(2))
    middleware = WSGIApiCalls(answering(watched), shared)
    assert using(middleware(environ(), lambda *_: None)) == using(plain)
    assert watched.done == plain.done
