"""Every answer keeps the page to itself and says in plain words what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import studio
from tests.support.attacks.sessions import Answer, Session, ask, page_by_link
from tests.support.serving import Server, start, start_for_many

# The command, whose page fails in a way that nobody expected.
BROKEN = """
from analytics_core.serving.visits import Easel
def fail(self, visitor, query):
    if query:
        raise RuntimeError("inside 7f3a")
    return paint(self, visitor, query)
paint, Easel.paint = Easel.paint, fail
"""
HTML = {"Accept": "text/html,*/*"}


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("broken")
    with start(url, studio.MARA, folder, prelude=BROKEN) as server:
        yield server


@pytest.fixture(scope="module")
def session(server: Server) -> Session:
    return page_by_link(server)


def directives(answer: Answer) -> dict[str, str]:
    policy = answer.headers["Content-Security-Policy"]
    return dict(part.strip().partition(" ")[::2] for part in policy.split(";"))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/usage/kernel/nobodys", 410),
        ("GET", "/usage/live/nobodys", 204),
        ("GET", "/voila/static/voila.js", 200),
        ("GET", "/voila/static/nothing.js", 403),
        ("GET", "/voila/labextensions/bqplot/static/nothing.js", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/usage/nowhere", 404),
        ("OPTIONS", "/", 405),
        ("GET", "/?fail=1", 500),
        ("POST", "/voila/api/shutdown/nobodys", 403),
        ("GET", "/api/kernels/00000000-0000-0000-0000-000000000000/channels", 404),
    ],
)
def test_every_answer_has_the_headers(
    session: Session, method: str, path: str, status: int
) -> None:
    answer = ask(session.host, method, path, {"Cookie": session.cookie})
    assert answer.status == status
    assert "Server" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    told = directives(answer)
    assert told["default-src"] == "'none'"
    assert told["script-src"] == "'self'"
    assert told["frame-ancestors"] == "'none'"
    assert f" ws://{session.host}" in told["connect-src"]


def test_a_script_is_kept_for_good_and_has_the_others_too(session: Session) -> None:
    page = ask(session.host, "GET", "/", {"Cookie": session.cookie}).body.decode()
    script = re.search(r'defer src="(usage/[^"]+)"', page)
    assert script
    answer = ask(session.host, "GET", f"/{script[1]}", {"Cookie": session.cookie})
    assert "immutable" in answer.headers["Cache-Control"]
    assert directives(answer)["script-src"] == "'self'"


def test_the_page_has_no_script_of_its_own(session: Session) -> None:
    page = ask(session.host, "GET", "/", {"Cookie": session.cookie}).body.decode()
    scripts = re.findall(r"<script([^>]*)>([^<]*)", page)
    assert all('type="application/json"' in about or not code for about, code in scripts)
    assert not re.search(r"<[^>\"]+\son\w+=", page)
    assert "javascript:" not in page


@pytest.mark.parametrize("headers", [HTML, {}], ids=["for people", "for programs"])
@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/nowhere", "There is nothing here"),
        ("GET", "/voila/labextensions/nothing.js", "There is nothing here"),
        ("DELETE", "/voila/api/shutdown/nobodys", "This is not for you to see"),
        ("OPTIONS", "/", "This cannot be done here"),
        ("GET", "/?fail=1", "Something went wrong on our side"),
    ],
)
def test_what_went_wrong_is_said_in_plain_words(
    session: Session, method: str, path: str, words: str, headers: dict[str, str]
) -> None:
    answer = ask(session.host, method, path, {"Cookie": session.cookie, **headers})
    said = answer.body.decode()
    assert words in said
    assert ("<h1>" in said) == bool(headers)
    for inside in ("Traceback", "7f3a", "tornado", "jupyter", "Jupyter", "voila", ".py"):
        assert inside not in said.replace("/voila/", ""), inside


def test_why_it_went_wrong_is_in_the_log_and_the_query_is_not(
    server: Server, session: Session
) -> None:
    ask(session.host, "GET", "/?fail=1", {"Cookie": session.cookie})
    ask(
        session.host,
        "GET",
        "/voila/labextensions/bqplot/static/nothing.js?who=secret-7f3a",
        {"Cookie": session.cookie},
    )
    log = server.log.read_text()
    assert "RuntimeError: inside 7f3a" in log
    assert "404 GET /voila/labextensions/bqplot/static/nothing.js" in log
    assert "secret-7f3a" not in log


def test_sites_that_may_embed_the_page_are_named(url: str, tmp_path: Path) -> None:
    sites = "https://app.example.com https://b.example.com"
    with start_for_many(url, tmp_path, environment={"ANALYTICS_FRAME_ANCESTORS": sites}) as server:
        answer = ask(server.host, "GET", "/")
    assert directives(answer)["frame-ancestors"] == sites
    assert "X-Frame-Options" not in answer.headers
