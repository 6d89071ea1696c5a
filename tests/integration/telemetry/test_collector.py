"""What the collector acknowledges is counted once, and everything else is refused with a reason.

A real process, real sockets; how often it is killed says CRASHES, CRASH_SEED repeats a run.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sqlalchemy import text

from analytics_core.dal.database import Database
from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder
from analytics_core.telemetry.spool import Drain, segments
from analytics_core.telemetry.writer import Writer
from tests.support import rows
from tests.support.collecting import (
    BATCH,
    KEY,
    ONE,
    Reply,
    RunningCollector,
    call,
    log_of,
    running_collector,
    start,
)
from tests.support.command import analytics, refusal
from tests.support.usage import differences_at

BLOWS = int(os.environ.get("CRASHES", "20")) // 2
SEED = int(os.environ.get("CRASH_SEED", time.time_ns() % 2**32))
NOBODYS = "sqlite:////nowhere/analytics.db"


@pytest.fixture
def url(workspace_url: str) -> str:
    rows.insert(workspace_url, [rows.user("mara")])
    return workspace_url


@pytest.fixture
def collector(url: str, tmp_path: Path) -> Iterator[RunningCollector]:
    with running_collector(url, tmp_path / "spool") as running:
        yield running


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """One that never gets anything it could take, and whose spool must stay empty."""
    folder = tmp_path_factory.mktemp("idle")
    with running_collector(NOBODYS, folder / "spool") as running:
        yield running


def drained(url: str, spool: Path) -> None:
    """Write what is there, as soon as nobody else does."""
    with closing(Writer.open(Settings.read(database_url=url, spool=spool))) as writer:
        deadline = time.monotonic() + 30
        while writer.drain() is None or segments(spool):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def counted(url: str) -> list[str]:
    with closing(Database(url)) as database:
        return [id_ for (id_,) in database.rows(text("SELECT id FROM api_calls"))]


def reasons(url: str) -> dict[str, int]:
    with closing(Database(url)) as database:
        return dict(
            database.rows(text("SELECT reason, count(*) FROM set_aside_events GROUP BY reason"))
        )


# --- what is accepted ---


def test_events_of_every_mode_are_counted_once_however_often_they_are_told(
    collector: RunningCollector, url: str
) -> None:
    one, in_headers = call("one"), call("in headers")
    headers = {
        f"ce_{name}": in_headers[name].replace(" ", "%20")
        for name in ("specversion", "id", "source", "type", "time")
    }
    for _ in range(2):
        replies = [
            collector.post(json.dumps(one).encode(), ONE),
            collector.tell(call("two", time=one["time"]), call("three", time=one["time"])),
            collector.post(json.dumps(in_headers["data"]).encode(), "application/json", **headers),
            collector.post(
                gzip.compress(json.dumps([call("four", time=one["time"])]).encode()),
                Content_Encoding="gzip",
            ),
        ]
        assert [(reply.status, reply.json["accepted"]) for reply in replies] == [
            (200, 1),
            (200, 2),
            (200, 1),
            (200, 1),
        ]
    assert replies[1].json == {
        "accepted": 2,
        "refused": 0,
        "events": [{"id": "two", "accepted": True}, {"id": "three", "accepted": True}],
    }
    collector.stop()
    drained(url, collector.spool)
    ids = ["four", "in headers", "one", "three", "two"]
    assert sorted(counted(url)) == sorted(f"/tests {id_}" for id_ in ids)
    assert reasons(url) == {}
    assert differences_at(url) == []


def test_the_writer_is_started_without_anybody_asking_for_it(
    collector: RunningCollector, url: str
) -> None:
    assert collector.tell(call("one")).status == 200
    deadline = time.monotonic() + 30
    while not counted(url):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_every_kind_may_be_told(collector: RunningCollector, url: str) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "render_created": {"render_id": "r", "type": "image", "credits_cost": 2},
        "render_finished": {"render_id": "r", "status": "completed", "processing_time": 3},
        "file_stored": {"file_id": "f", "name": "a", "media_type": "image/png", "size": 3},
        "file_deleted": {"file_id": "f"},
        "credits": {
            "transaction_id": "t",
            "direction": "debit",
            "amount": 2,
            "category": "render",
        },
        "activity": {"event": "login"},
    }
    reply = collector.tell(
        *(
            call(kind, type=f"usage.{kind}", data={"user_id": "mara", **data})
            for kind, data in kinds.items()
        )
    )
    assert (reply.status, reply.json["accepted"]) == (200, 6), reply.body
    collector.stop()
    drained(url, collector.spool)
    with closing(Database(url)) as database:
        found = database.rows(text("SELECT status, processing_time FROM renders"))
    assert found == [("completed", 3.0)]
    assert reasons(url) == {}


def test_the_same_id_of_another_source_is_another_event(
    collector: RunningCollector, url: str
) -> None:
    told = [call("a b", source="x"), call("b", source="x-a"), call("b", source="x")]
    long = "s" * 200
    told += [call("b", source=long), call("b", source=f"{long}b"), call("é" * 200, source="x")]
    assert collector.tell(*told).json["accepted"] == 6
    collector.stop()
    drained(url, collector.spool)
    assert len(set(counted(url))) == 6


def test_the_same_id_with_other_content_is_reported(collector: RunningCollector, url: str) -> None:
    first = call("one")
    hour = timezone(timedelta(hours=1))
    same = datetime.fromisoformat(first["time"]).astimezone(hour)
    assert collector.tell(first).status == 200
    # The same instant, written in another zone, is no other content.
    assert collector.tell(call("one", time=same.isoformat())).status == 200
    assert collector.tell(call("one", data={**first["data"], "status_code": 500})).status == 200
    collector.stop()
    drained(url, collector.spool)
    assert counted(url) == ["/tests one"]
    assert reasons(url) == {"its id was told before with other content": 1}


def test_what_is_told_here_and_by_a_recorder_has_the_same_content(
    collector: RunningCollector, url: str
) -> None:
    at = datetime.now(UTC)
    assert collector.tell(call("one", time=at.isoformat())).status == 200
    settings = Settings.read(database_url=url, spool=collector.spool)
    with Recorder(settings, writer=None) as recorder:
        assert recorder.api_call(
            "mara",
            method="GET",
            route="/v1/renders",
            status_code=200,
            duration=0.1,
            occurred_at=at,
            event_id="/tests one",
        )
        recorder._closed = True
        recorder.spool.close()
    collector.stop()
    drained(url, collector.spool)
    assert (counted(url), reasons(url)) == (["/tests one"], {})


# --- what is refused ---


def test_each_event_is_accepted_or_refused_by_itself(collector: RunningCollector, url: str) -> None:
    now = datetime.now(UTC)
    data = call("")["data"]
    told: list[tuple[Any, str | None]] = [
        (call("good"), None),
        (3, "Expected `object`"),
        ({}, "`type`"),
        (call("kind", type="usage.dance"), "usage.dance"),
        (call("version", specversion="0.3"), "specversion"),
        (call("source", source=""), "source"),
        (call("spaces", source="a b"), "source"),
        (call("break", source="a\n"), "source"),
        (call("when", time="yesterday"), "RFC3339"),
        (call("zone", time="2026-11-25T10:00:00"), "timezone"),
        (call("old", time=(now - timedelta(days=36)).isoformat()), "too old"),
        (call("ahead", time=(now + timedelta(days=2)).isoformat()), "in the future"),
        (call("first", time="0001-01-01T00:00:00+14:00"), "too old"),
        (call("last", time="9999-12-31T23:59:59-14:00"), "in the future"),
        (call("content", datacontenttype="text/xml"), "datacontenttype"),
        (call("extra", data={**data, "more": 1}), "more"),
        (call("wrong", data={**data, "status_code": "200"}), "Expected `int`"),
        (call("large", data={**data, "status_code": 1000}), "<= 999"),
        (call("long", data={**data, "user_id": "x" * 65}), "<= 64"),
        (call("whose", data={**data, "user_id": None}), "user_id or a key_hash"),
        (call("nul", data={**data, "route": "\0"}), "NUL"),
        (call("nul\0"), "NUL"),
        (call("empty", data=None), "Expected `object`"),
        (call("plugin", type="usage.render_created",
              data={"user_id": "mara", "render_id": "r", "type": "image", "platform": "plugin"}),
         "platform cannot be plugin"),
        (call("", ), "length >= 1"),
        (call("extended", traceparent="00-1-1-00", subject="x"), None),
    ]  # fmt: skip
    reply = collector.tell(*(event for event, _ in told))
    assert reply.status == 207
    assert reply.json["accepted"] == 2
    assert reply.json["refused"] == len(told) - 2
    for (event, reason), outcome in zip(told, reply.json["events"], strict=True):
        assert outcome["accepted"] == (reason is None), outcome
        assert (reason or "") in outcome.get("reason", ""), outcome
        if isinstance(event, dict) and event.get("id") is not None:
            assert outcome["id"] == event["id"]
    collector.stop()
    drained(url, collector.spool)
    assert sorted(counted(url)) == ["/tests extended", "/tests good"]
    assert reasons(url) == {}


def test_a_batch_of_nothing_is_nothing(idle: RunningCollector) -> None:
    assert idle.tell().json == {"accepted": 0, "refused": 0, "events": []}


EVENT = json.dumps(call("never")).encode()
BOMB = gzip.compress(b" " * 50_000_000, 1)
PACKED = gzip.compress(b"[]")


REFUSED: list[tuple[bytes, dict[str, str], int, str]] = [
        (EVENT, {"Authorization": ""}, 401, "Bearer"),
        (EVENT, {"Authorization": "Bearer wrong"}, 401, "Bearer"),
        (EVENT, {"Authorization": f"Basic {KEY}"}, 401, "Bearer"),
        (EVENT, {"Authorization": f"Bearer {KEY}x"}, 401, "Bearer"),
        (EVENT, {"Content_Type": ""}, 415, "application/cloudevents+json"),
        (EVENT, {"Content_Type": "text/plain"}, 415, "application/cloudevents+json"),
        (EVENT, {"Content_Type": "application/json"}, 415, "ce- headers"),
        (EVENT, {"Content_Type": f"{ONE}; charset=latin1"}, 415, "UTF-8"),
        (EVENT, {"Content_Type": ONE, "Content_Encoding": "br"}, 415, "gzip"),
        (b"", {}, 400, "no JSON"),
        (b"{", {"Content_Type": ONE}, 400, "no JSON"),
        (b"[{", {}, 400, "no JSON"),
        (b"[\xff]", {}, 400, "no JSON"),
    (b'["\\ud800"]', {}, 400, "no JSON"),
        (EVENT, {}, 400, "no JSON array"),
        (b"[" * 100_000, {}, 400, "no JSON"),
        (b'{"a":' * 100_000, {"Content_Type": ONE}, 400, "no JSON"),
        (b"[1e999]", {"Content_Type": ONE}, 400, "no JSON"),
        (b"[1]", {"Content_Type": ONE}, 422, "refused: Expected `object`"),
        (b"[1, {}]", {}, 422, "all 2 events"),
        (b"[" + b"1," * 1000 + b"1]", {}, 413, "at most 1000 events"),
        (b" " * (2**20 + 1), {}, 413, "at most 1048576 bytes"),
        (b" " * 6_000_000, {}, 413, "at most 1048576 bytes"),
        (BOMB, {"Content_Encoding": "gzip"}, 413, "unpacked"),
        (BOMB[:50_000], {"Content_Encoding": "gzip"}, 413, "unpacked"),
        (PACKED[:-4], {"Content_Encoding": "gzip"}, 400, "one whole file"),
        (PACKED * 2, {"Content_Encoding": "gzip"}, 400, "one whole file"),
        (b"[]", {"Content_Encoding": "gzip"}, 400, "gzip"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers", "status", "why"),
    REFUSED,
    ids=[f"{status}-{n}" for n, (_, _, status, _) in enumerate(REFUSED)],
)
def test_what_cannot_be_taken_is_refused_with_a_reason_and_leaves_no_trace(
    idle: RunningCollector, body: bytes, headers: dict[str, str], status: int, why: str
) -> None:
    reply = idle.post(body, **headers)
    assert (reply.status, why in reply.detail) == (status, True), reply
    assert ("WWW-Authenticate" in reply.headers) == (status == 401)
    assert segments(idle.spool) == []
    assert KEY not in log_of(idle.spool).read_text()


def test_a_body_without_a_length_is_bounded_too(idle: RunningCollector) -> None:
    chunks = iter([b" " * 100_000] * 20)
    headers = {"Content-Type": BATCH, "Authorization": f"Bearer {KEY}"}
    reply = idle.ask("POST", "/events", chunks, headers)
    assert (reply.status, "at most" in reply.detail) == (413, True)


def test_who_asks_before_sending_too_much_is_told_so_before(idle: RunningCollector) -> None:
    with socket.create_connection(("127.0.0.1", idle.port), timeout=10) as asking:
        asking.sendall(
            f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: {BATCH}\r\nContent-Length: {10**12}\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        answer = asking.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 (Continue)" not in answer


def test_what_is_not_there_is_said_to_be_so(idle: RunningCollector) -> None:
    assert idle.get("/").status == 404
    assert "/events" in idle.get("/nothing?key=x").detail
    for method, path, allowed in (
        ("GET", "/events", "POST"),
        ("DELETE", "/healthz", "GET, HEAD"),
        ("TRACE", "/openapi.json", "GET, HEAD"),
    ):
        reply = idle.ask(method, path, None, {})
        assert (reply.status, reply.headers["Allow"]) == (405, allowed)
        assert allowed in reply.detail


def test_garbage_in_place_of_http_is_turned_away(idle: RunningCollector) -> None:
    for garbage in (b"\0\1\2\r\n\r\n", b"POST /events\r\n\r\n", b"x" * 100_000):
        with socket.create_connection(("127.0.0.1", idle.port), timeout=10) as sending:
            try:
                sending.sendall(garbage)
                sending.shutdown(socket.SHUT_WR)
                answer = sending.makefile("rb").read()
            except OSError:
                # Hung up on, in one of the ways that a system has for it.
                answer = b""
        assert answer[:12] in (b"", b"HTTP/1.1 400")
    assert idle.get("/healthz").status == 200


# --- who may tell ---


def test_while_one_key_replaces_the_other_both_are_taken(url: str, tmp_path: Path) -> None:
    other, file = "o" * 32, tmp_path / "keys"
    file.write_text(f"{other}\n{KEY}\n")
    with running_collector(
        url,
        tmp_path / "spool",
        ANALYTICS_COLLECTOR_KEY="",
        ANALYTICS_COLLECTOR_KEY_FILE=str(file),
    ) as collector:
        body = json.dumps([call("one")]).encode()
        assert collector.post(body).status == 200
        assert collector.post(body, Authorization=f"bearer {other}").status == 200
        assert collector.post(body, Authorization="Bearer " + "x" * 32).status == 401


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (None, "a key is needed, of at least 32 characters"),
        ("short", "at least 32 characters"),
        (f"{KEY} short", "at least 32 characters"),
        (f"{KEY} {KEY} {KEY}", "at most 2 keys"),
        ("é" * 40, "printable ASCII"),
    ],
)
def test_without_a_good_key_nothing_is_served(
    key: str | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key is not None:
        monkeypatch.setenv("ANALYTICS_COLLECTOR_KEY", key)
    line = refusal(analytics("collect", "--port", "0"))
    assert line.startswith("ANALYTICS_COLLECTOR_KEY: ")
    assert why in line
    assert key is None or key not in line


def test_a_file_of_keys_that_cannot_be_read_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANALYTICS_COLLECTOR_KEY_FILE", "nowhere")
    line = refusal(analytics("collect", "--port", "0"))
    assert line == (
        "ANALYTICS_COLLECTOR_KEY_FILE: the file cannot be read: No such file or directory"
    )


def test_an_address_that_is_taken_or_nobodys_is_said_in_one_line(
    idle: RunningCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYTICS_COLLECTOR_KEY", KEY)
    assert f"port {idle.port} is taken" in refusal(analytics("collect", "--port", str(idle.port)))
    assert "cannot listen on 192.0.2.1" in refusal(analytics("collect", "--host", "192.0.2.1"))


# --- what it says of itself ---


def test_its_health_is_told_to_those_who_have_the_key(idle: RunningCollector) -> None:
    assert idle.get("/healthz").json == {"status": "alive"}
    assert idle.get("/readyz").json == {"status": "ready"}
    assert idle.get("/metrics").status == 401
    reply = idle.get("/metrics", Authorization=f"Bearer {KEY}")
    families = {one.name: one for one in text_string_to_metric_families(reply.body.decode())}
    assert families["analytics_spool_events"].samples[0].value == 0
    before = _refused(families)
    idle.tell(1, 2)
    reply = idle.get("/metrics", Authorization=f"Bearer {KEY}")
    families = {one.name: one for one in text_string_to_metric_families(reply.body.decode())}
    assert _refused(families) == before + 2


def _refused(families: dict[str, Any]) -> float:
    samples = families["analytics_events_refused"].samples
    return sum(one.value for one in samples if one.labels == {"reason": "invalid"})


# --- under load, and when something breaks ---


def test_many_may_tell_at_once(collector: RunningCollector, url: str) -> None:
    def tell(client: int) -> int:
        return sum(
            collector.tell(*(call(f"{client}-{n}-{m}") for m in range(5))).json["accepted"]
            for n in range(5)
        )

    with ThreadPoolExecutor(80) as clients:
        assert sum(clients.map(tell, range(80))) == 2_000
    collector.stop()
    drained(url, collector.spool)
    assert len(set(counted(url))) == 2_000
    assert differences_at(url) == []


def test_who_is_slow_holds_nobody_up_and_is_told_so_in_the_end(url: str, tmp_path: Path) -> None:
    limits = {"seconds": 3, "connections": 60}
    with running_collector(url, tmp_path / "spool", limits=limits) as collector:
        head = (
            f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: {BATCH}\r\nContent-Length: 1000\r\n\r\n["
        ).encode()
        slow = []
        for n in range(50):
            one = socket.create_connection(("127.0.0.1", collector.port), timeout=20)
            # Half of them stop within the headers, half within the body.
            one.sendall(head if n % 2 else head[:40])
            slow.append(one)
        started = time.monotonic()
        for n in range(20):
            assert collector.tell(call(f"{n}")).status == 200
        assert time.monotonic() - started < 3
        answers = []
        for one in slow:
            with one:
                answers.append(one.makefile("rb").read())
        assert time.monotonic() - started < 15
    assert answers[0] == b""
    assert answers[1].startswith(b"HTTP/1.1 408 ")
    assert b"not whole after 3 seconds" in answers[1]


def test_where_too_much_waits_more_is_asked_to_come_again(url: str, tmp_path: Path) -> None:
    limits = {"waiting": 0}
    with running_collector(url, tmp_path / "spool", limits=limits) as collector:
        reply = collector.tell(call("one"))
        assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
        assert "at once" in reply.detail
        assert segments(collector.spool) == []


def test_connections_beyond_what_is_bearable_are_closed(url: str, tmp_path: Path) -> None:
    limits = {"connections": 2}
    with running_collector(url, tmp_path / "spool", limits=limits) as collector:
        held = [socket.create_connection(("127.0.0.1", collector.port)) for _ in range(2)]
        # The server has taken them when it answers one.
        for one in held:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 200"
        with pytest.raises((HTTPException, OSError)):
            collector.get("/healthz")
        held.pop().close()
        assert _eventually(lambda: collector.get("/healthz").status == 200)
        held.pop().close()


def _eventually(check: Any) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if check():
                return True
        except (HTTPException, OSError):
            pass
        time.sleep(0.05)
    return False


def acknowledged_until_refused(collector: RunningCollector) -> tuple[list[str], Reply]:
    told = []
    for n in range(10_000):
        ids = [f"{n}-{m}" for m in range(10)]
        reply = collector.tell(*map(call, ids))
        if reply.status != 200:
            return told, reply
        told += ids
    raise AssertionError("it was never full")


def test_a_full_spool_loses_nothing_that_was_acknowledged(url: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    # Nobody writes while the test does as if it did.
    with Drain.alone(spool):
        collector = start(url, spool, ANALYTICS_SPOOL_LIMIT="60000")
        told, reply = acknowledged_until_refused(collector)
        assert (reply.status, reply.headers["Retry-After"]) == (429, "5")
        assert "no room" in reply.detail
        assert collector.get("/readyz").status == 503
        collector.stop()
    drained(url, spool)
    assert sorted(counted(url)) == sorted(f"/tests {id_}" for id_ in told)


def test_a_full_disk_loses_nothing_that_was_acknowledged(url: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with Drain.alone(spool):
        collector = start(url, spool, largest_file=50_000)
        told, reply = acknowledged_until_refused(collector)
        assert reply.status in (429, 503)
        assert reply.headers["Retry-After"] == "5"
        collector.stop()
    drained(url, spool)
    assert sorted(counted(url)) == sorted(f"/tests {id_}" for id_ in told)
    assert reasons(url) == {}


def test_what_is_under_way_is_finished_before_it_stops(
    collector: RunningCollector, url: str
) -> None:
    body = json.dumps([call("one")]).encode()
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as sending:
        sending.sendall(
            f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: {BATCH}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        time.sleep(0.3)
        collector.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(OSError):  # noqa: PT011 - whatever the system calls it
            collector.get("/healthz")
        sending.sendall(body)
        assert sending.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
    assert collector.process.wait(20) == 0
    drained(url, collector.spool)
    assert counted(url) == ["/tests one"]


class Producer(threading.Thread):
    """Tells events again until they are acknowledged, as one in another language would."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name=name)
        self.port, self.acknowledged = port, list[str]()
        self.stopped = threading.Event()

    def run(self) -> None:
        n = 0
        collector = RunningCollector(None, f"http://127.0.0.1:{self.port}", Path())  # type: ignore[arg-type]
        while not self.stopped.is_set():
            n += 1
            ids = [f"{self.name}-{n}-{m}" for m in range(10)]
            events = [*map(call, ids)]
            while True:
                try:
                    if collector.tell(*events).status == 200:
                        break
                except (HTTPException, OSError):
                    time.sleep(0.05)
            self.acknowledged += ids


def test_a_collector_that_is_killed_at_any_moment_loses_and_doubles_nothing(
    url: str, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    spool = tmp_path / "spool"
    collector = start(url, spool)
    producers = [Producer(f"p{n}", collector.port) for n in range(3)]
    for producer in producers:
        producer.start()
    try:
        for _ in range(BLOWS):
            time.sleep(chance.random() * 0.5)
            collector.process.kill()
            collector.process.wait()
            collector = start(url, spool, port=collector.port)
    finally:
        for producer in producers:
            producer.stopped.set()
        for producer in producers:
            producer.join(30)
        collector.stop()
    drained(url, spool)
    told = [f"/tests {id_}" for producer in producers for id_ in producer.acknowledged]
    assert len(told) > 100
    there = counted(url)
    assert len(there) == len(set(there))
    assert sorted(there) == sorted(told)
    assert reasons(url) == {}
    assert differences_at(url) == []
