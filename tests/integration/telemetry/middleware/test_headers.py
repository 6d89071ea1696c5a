"""Who called, from which program, is read from headers, whatever they hold."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder
from analytics_core.telemetry.middleware import ASGIApiCalls, WSGIApiCalls, call
from tests.support.calls import KEY, spooling, told

HASH = hashlib.sha256(KEY.encode()).hexdigest()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


def called(recorder: Recorder, *headers: tuple[str | bytes, str | bytes], **options: Any) -> Any:
    """What is told of a call with these headers: None where it is not told at all."""
    status = options.pop("status", 200)
    method = options.pop("method", "GET")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body"})

    async def anything(*_: Any) -> None:
        """Take it."""

    raw = [
        tuple(text.encode("latin-1") if isinstance(text, str) else text for text in pair)
        for pair in headers
    ]
    before = len(told(recorder))
    scope = {"type": "http", "method": method, "headers": raw}
    asyncio.run(ASGIApiCalls(app, recorder, **options)(scope, anything, anything))
    return dict(enumerate(told(recorder)[before:])).get(0)


@pytest.mark.parametrize(
    "header",
    [
        ("x-api-key", KEY),
        ("x-api-key", f" {KEY} "),
        ("authorization", f"Bearer {KEY}"),
        ("authorization", f"bearer   {KEY}"),
    ],
)
def test_a_key_is_told_by_its_hash(recorder: Recorder, header: tuple[str, str]) -> None:
    assert called(recorder, header).key_hash == HASH
    assert KEY.encode() not in b"".join(
        path.read_bytes() for path in recorder.folder.iterdir() if path.is_file()
    )


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("x-api-key", "")],
        [("authorization", "Basic bWFyYTpwYXNz")],
        [("authorization", "Bearer ")],
        [("authorization", f"Bearer {JWT}")],
        [("x-api-key", "x" * 1025)],
        [("x-plugin-version", "2.4.0")],
    ],
    ids=str,
)
def test_a_call_of_nobody_is_not_told(recorder: Recorder, headers: Any) -> None:
    assert called(recorder, *headers) is None
    assert recorder.refused == {}


def test_a_call_that_was_not_let_in_is_told_only_of_a_user_who_is_named(recorder: Recorder) -> None:
    key = ("x-api-key", "made up")
    assert called(recorder, key, status=401) is None
    assert called(recorder, key, status=403).status_code == 403
    assert called(recorder, key, status=401, user_of=lambda _: "mara").user_id == "mara"


def test_the_first_of_several_keys_counts_as_it_does_for_the_product(recorder: Recorder) -> None:
    assert called(recorder, ("x-api-key", KEY), ("x-api-key", "other")).key_hash == HASH


def test_a_product_hashes_keys_and_names_headers_in_its_own_way(recorder: Recorder) -> None:
    def peppered(key: bytes) -> str:
        return hmac.new(b"pepper", key, "sha512").hexdigest()

    told_of = called(
        recorder,
        ("rk-key", KEY),
        ("rk-program", "revit"),
        ("rk-version", "9"),
        hash_key=peppered,
        key_header="RK-Key",
        platform_header="RK-Program",
        version_header="RK-Version",
    )
    assert told_of.key_hash == peppered(KEY.encode())
    assert (told_of.platform, told_of.plugin_version) == ("revit", "9")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("sketchup", "sketchup"),
        ("  Autodesk Revit ", "Autodesk Revit"),
        ("x" * 5000, "x" * 64),
        ("", None),
        ("   ", None),
        ("a\x00b", None),
        ("revit\tnew", None),
        ("r\xe9vit", None),
        (b"\xff\xfe", None),
    ],
)
def test_platform_and_version_are_cut_or_dropped(
    recorder: Recorder, sent: str | bytes, kept: str | None
) -> None:
    one = called(
        recorder, ("x-api-key", KEY), ("x-source-platform", sent), ("x-plugin-version", sent)
    )
    assert (one.platform, one.plugin_version) == (kept, kept)
    assert recorder.refused == {}


@pytest.mark.parametrize(
    ("sent", "told_as"), [("PATCH", "PATCH"), ("get", "_OTHER"), ("X" * 99, "_OTHER")]
)
def test_unknown_methods_have_one_name(recorder: Recorder, sent: str, told_as: str) -> None:
    assert called(recorder, ("x-api-key", KEY), method=sent).method == told_as


def test_a_template_that_the_product_finds_is_cleaned_and_cut(recorder: Recorder) -> None:
    one = called(recorder, ("x-api-key", KEY), route_of=lambda _: "/a\x00\ud800" + "b" * 999)
    assert one.route == "/a??" + "b" * 251


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    return spooling(tmp_path_factory.mktemp("shared"))


WANTED = st.sampled_from(
    [b"x-api-key", b"authorization", b"x-source-platform", b"x-plugin-version"]
)


@given(st.lists(st.tuples(WANTED, st.binary(max_size=90))), st.integers(100, 599))
def test_no_header_makes_a_call_be_refused(
    shared: Recorder, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    one = called(shared, *headers, ("x-api-key", b"k"), status=status)
    keyed = [value for name, value in headers if name == b"x-api-key"] + [b"k"]
    if status != 401 and keyed[0].strip():
        assert one is not None
    assert shared.refused == {}


def test_many_callers_are_not_all_remembered(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call, "_MOST_CALLERS", 3)
    calls = call.Calls(recorder)
    for n in range(10):
        calls.tell(None, (b"%d" % n, None, None, None), "GET", "/", 200, 0.1)
        assert len(calls._callers) <= 3
    assert len({one.key_hash for one in told(recorder)}) == 10


def test_without_settings_nothing_is_recorded_and_the_product_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ANALYTICS_PROFILE", "renderiq")
    call._recorder_of_environment.cache_clear()
    app = WSGIApiCalls(lambda environ, start_response: [b"hello"])
    assert list(app({"HTTP_X_API_KEY": KEY}, lambda *_: None)) == [b"hello"]
    (line,) = [line for line in caplog.records if line.levelno == logging.ERROR]
    assert "API calls are not recorded" in line.getMessage()
    call._recorder_of_environment.cache_clear()


def test_no_framework_is_imported() -> None:
    code = (
        "import sys, analytics_core.telemetry.middleware;"
        "print(*{'django', 'flask', 'starlette', 'werkzeug', 'asgiref'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_full_spool_is_no_reason_to_fail(tmp_path: Any) -> None:
    full = Recorder(
        Settings.read(database_url="sqlite:///x.db", spool=tmp_path / "s", spool_limit=1),
        writer=None,
    )
    full._closed = True
    assert called(full, ("x-api-key", KEY)) is None
    assert full.refused == {"spool full": 1}
