"""A call returns at once with the event on the disk, and everything gets into the database."""

from __future__ import annotations

import fcntl
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sqlalchemy import text

from analytics_core.dal.database import Database
from analytics_core.errors import ReadOnlyDatabase, SpoolFull
from analytics_core.model.event import from_json, to_json
from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder
from analytics_core.telemetry.health import openmetrics, read_health
from analytics_core.telemetry.spool import (
    MEBIBYTE,
    Drain,
    Spool,
    framed,
    segments,
    spool_bytes,
    waiting,
)
from analytics_core.telemetry.writer import Writer
from tests.support import rows
from tests.support.command import analytics
from tests.support.reference import ROOT
from tests.support.usage import differences_at


@pytest.fixture
def url(workspace_url: str) -> str:
    rows.insert(workspace_url, [rows.user("mara")])
    return workspace_url


@pytest.fixture
def settings_(url: str, tmp_path: Path) -> Settings:
    return Settings.read(database_url=url, spool=tmp_path / "spool")


@pytest.fixture
def recorder(settings_: Settings) -> Iterator[Recorder]:
    with Recorder(settings_, writer=None) as opened:
        yield opened
        # Nobody will write what a test left: closing need not wait for it.
        opened._closed = True
        opened.spool.close()


def count(url: str, table: str) -> int:
    with closing(Database(url)) as database:
        return int(database.rows(text(f"SELECT count(*) FROM {table}"))[0][0])


def login(recorder: Recorder, n: int, **changes: Any) -> bool:
    return recorder.activity("mara", event="login", event_id=f"e{n}", **changes)


def drained(settings_: Settings) -> None:
    with closing(Writer.open(settings_)) as writer:
        writer.drain()


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_what_is_recorded_is_in_the_database_when_flush_says_so(
    settings_: Settings, url: str, kind: Any
) -> None:
    with Recorder(settings_, writer=kind) as recorder:
        assert all(login(recorder, n) for n in range(50))
        assert recorder.flush(30)
        assert count(url, "account_activity") == 50
        assert login(recorder, 50)
    assert count(url, "account_activity") == 51


def test_flush_says_where_nobody_writes(recorder: Recorder, settings_: Settings) -> None:
    assert login(recorder, 1)
    assert not recorder.flush(0.05)
    drained(settings_)
    assert recorder.flush(0.05)


def tell_everything(recorder: Recorder) -> None:
    assert recorder.render_created("mara", render_id="r", type="image", credits_cost=2)
    assert recorder.render_finished("mara", render_id="r", status="completed")
    assert recorder.file_stored("mara", file_id="f", name="a", media_type="image/png", size=3)
    assert recorder.file_deleted("mara", file_id="f")
    assert recorder.credits(
        "mara", transaction_id="t", direction="debit", amount=2, category="render"
    )
    assert recorder.api_call(
        "mara", method="GET", route="/", status_code=200, duration=0.1, event_id="a"
    )
    assert recorder.activity("mara", event="login")


def test_every_method_tells_its_noun(recorder: Recorder, settings_: Settings, url: str) -> None:
    tell_everything(recorder)
    drained(settings_)
    for table in ("renders", "files", "credit_transactions", "api_calls", "account_activity"):
        assert count(url, table) == 1
    assert count(url, "set_aside_events") == 0
    assert not differences_at(url)


def test_an_event_told_by_a_method_is_the_event_told_as_a_value(recorder: Recorder) -> None:
    tell_everything(recorder)
    with Drain.alone(recorder.folder) as drain:
        assert drain
        lines = [line for chunk in drain.chunks() for line in chunk.lines]
    # To the letter: whether a repetition is the same event is told from its line. (A call without
    # an id of its own cannot be repeated, and is written in another order, sooner.)
    assert len(lines) == 7
    assert lines == [to_json(from_json(line)) for line in lines]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"event": "dancing"}, "invalid"),
        ({"event": None}, "invalid"),
        ({"user_id": ""}, "invalid"),
        ({"user_id": "x" * 65}, "invalid"),
        ({"user_id": "\x00"}, "invalid"),
        ({"user_id": "\ud800"}, "invalid"),
        ({"event_id": object()}, "invalid"),
        ({"occurred_at": datetime(2026, 10, 31)}, "invalid"),  # noqa: DTZ001
        ({"occurred_at": datetime.now(UTC) - timedelta(days=36)}, "too old"),
        ({"occurred_at": datetime.now(UTC) + timedelta(days=2)}, "in the future"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_a_reason_and_never_raises(
    recorder: Recorder, wrong: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not recorder.activity(**({"user_id": "mara", "event": "login"} | wrong))
    assert recorder.refused == {reason: 1}
    (line,) = caplog.records
    assert line.levelno == logging.ERROR
    assert segments(recorder.folder) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"route": "\x00"},
        {"route": "/" * 256},
        {"method": ""},
        {"status_code": "200"},
        {"status_code": []},
        {"duration": float("nan")},
        {"duration": float("inf")},
        {"duration": -1.0},
        {"user_id": None},
    ],
    ids=str,
)
def test_a_call_is_checked_however_often_its_like_was_told(
    recorder: Recorder, wrong: dict[str, Any]
) -> None:
    call = {"user_id": "mara", "method": "GET", "route": "/", "status_code": 200, "duration": 0.1}
    assert recorder.api_call(**call)
    for _ in range(2):
        assert not recorder.api_call(**(call | wrong))
    assert recorder.refused == {"invalid": 2}


def test_a_backslash_that_somebody_wrote_is_no_nul(recorder: Recorder) -> None:
    assert recorder.activity("mara", event="login", event_id=r"\u0000")
    assert recorder.refused == {}


def test_a_products_own_database_is_refused_at_once(url: str) -> None:
    with pytest.raises(ReadOnlyDatabase, match="ANALYTICS_PROFILE"):
        Recorder(Settings.read(database_url=url, profile="renderiq"))


def test_a_full_spool_refuses_and_takes_again_when_it_was_written(url: str, tmp_path: Path) -> None:
    small = Settings.read(database_url=url, spool=tmp_path / "spool", spool_limit=20_000)
    recorder = Recorder(small, writer=None)
    told = [login(recorder, n) for n in range(400)]
    assert told[0]
    assert not told[-1]
    assert recorder.refused["spool full"] == told.count(False)
    assert spool_bytes(recorder.folder) < 25_000
    drained(small)
    recorder.spool._full_until = 0.0
    assert login(recorder, 1000)
    drained(small)
    assert count(url, "account_activity") == told.count(True) + 1
    recorder.close()


def test_a_folder_that_cannot_be_made_is_no_reason_to_fail(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recorder = Recorder(Settings.read(database_url=url, spool=tmp_path / "file" / "x"), writer=None)
    assert not login(recorder, 1)
    assert recorder.refused == {"spool unavailable": 1}


def _record_as_a_child(recorder: Recorder) -> None:
    for n in range(1000, 1050):
        assert login(recorder, n)


def test_a_forked_process_records_into_a_segment_of_its_own(
    recorder: Recorder, settings_: Settings, url: str
) -> None:
    login(recorder, 0)
    child = multiprocessing.get_context("fork").Process(target=_record_as_a_child, args=(recorder,))
    child.start()
    for n in range(1, 50):
        login(recorder, n)
    child.join()
    assert child.exitcode == 0
    assert len(segments(recorder.folder)) == 2
    drained(settings_)
    assert count(url, "account_activity") == 100


def test_threads_at_once_lose_nothing(recorder: Recorder, settings_: Settings, url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda n: login(recorder, n), range(800)))
    drained(settings_)
    assert count(url, "account_activity") == 800


_RECORDS = """
import os, signal
from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder, recorder
recorder.AT_EXIT_SECONDS = 0.1
own = Recorder(Settings.read(), writer=None)
assert all(own.activity("mara", event="login") for _ in range(30))
"""


@pytest.mark.parametrize(
    ("end", "code"), [("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL), ("", 0)]
)
def test_what_a_process_leaves_behind_the_next_one_writes(
    settings_: Settings, url: str, end: str, code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RECORDS + end],
        env={**os.environ, **settings_.to_environment(), "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == code
    drained(settings_)
    assert count(url, "account_activity") == 30
    assert segments(settings_.spool_folder) == []


def test_only_one_writes_at_a_time(settings_: Settings, recorder: Recorder) -> None:
    login(recorder, 1)
    with Drain.alone(settings_.spool_folder) as drain:
        assert drain is not None
        with closing(Writer.open(settings_)) as other:
            assert other.drain() is None


# --- health ---


def test_health_says_what_waits_and_why(
    recorder: Recorder, settings_: Settings, url: str, tmp_path: Path
) -> None:
    at = datetime.now(UTC) - timedelta(hours=3)
    login(recorder, 1, occurred_at=at)
    recorder.activity("nobody", event="login")
    with closing(Database(url)) as database:
        health = read_health(recorder.folder, database)
        assert (health.waiting, health.oldest, health.error) == (2, at, None)
        assert health.spool_bytes == spool_bytes(recorder.folder)
        drained(settings_)
        health = read_health(recorder.folder, database)
        assert (health.waiting, health.oldest) == (0, None)
        assert health.set_aside == {"unknown user": 1}
        families = text_string_to_metric_families(
            openmetrics(recorder.folder, database, {"invalid": 2}).decode()
        )
        samples = {
            (one.name, one.labels.get("reason")): one.value
            for family in families
            for one in family.samples
        }
    assert samples["analytics_spool_events", None] == 0
    assert samples["analytics_events_set_aside", "unknown user"] == 1
    assert samples["analytics_events_refused", "invalid"] == 2
    gone = Database(f"sqlite:///{tmp_path}/gone.db")
    assert "no such file" in str(read_health(recorder.folder, gone).error)


# --- commands ---


def test_the_commands_drain_retry_and_tell(
    recorder: Recorder, settings_: Settings, url: str
) -> None:
    login(recorder, 1)
    recorder.activity("late", event="login")
    environment = {"database_url": url, "spool": str(settings_.spool_folder)}
    assert "2 events wait" in analytics("spool", "status", **environment).stdout
    assert "2 events wait" in analytics("doctor", **environment).stdout
    done = analytics("spool", "drain", **environment)
    assert done.stdout == "1 events counted, 0 had been before, 1 set aside.\n"
    assert "unknown user" in analytics("doctor", **environment).stdout
    rows.insert(url, [rows.user("late")])
    assert "1 events counted" in analytics("spool", "retry", **environment).stdout
    assert count(url, "account_activity") == 2
    assert "# EOF" in analytics("spool", "status", "--openmetrics", **environment).stdout


def test_old_events_come_from_a_file_and_count_once(url: str, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    old = (
        '{"kind":"activity","id":"%s","user_id":"%s","event":"login",'
        '"occurred_at":"2024-01-02T03:04:05Z"}\n'
    )
    file.write_text(old % ("a", "mara") + "\n" + old % ("b", "mara"))
    for _ in range(2):
        assert analytics("backfill", str(file), database_url=url).returncode == 0
    assert count(url, "account_activity") == 2
    file.write_text(old % ("c", "nobody"))
    assert analytics("backfill", str(file), database_url=url).returncode == 1


# --- the spool by itself ---

LINES = st.lists(st.binary(max_size=40).filter(lambda line: not {*b"\n\0"} & {*line}), max_size=30)


def lines_of(folder: Path) -> list[bytes]:
    """All lines that no cursor has passed, read in small chunks."""
    found: list[bytes] = []
    with Drain.alone(folder) as drain:
        assert drain is not None
        for chunk in drain.chunks(64):
            assert chunk.damaged == []
            found += chunk.lines
            drain.done(chunk)
    return found


@settings(max_examples=40)
@given(parts=st.lists(LINES, max_size=4), limit=st.sampled_from([2_000, 2**20]))
def test_lines_come_out_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[bytes]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, limit * 10)
    went_in: list[bytes] = []
    came_out: list[bytes] = []
    for n, part in enumerate(parts):
        if n % 2:
            spool.append_many(part)
        else:
            for line in part:
                spool.append(line)
        went_in += part
        spool.sync()
        if n == 1:
            came_out += lines_of(folder)
            # The next begins where this one ended.
            spool.close()
    came_out += lines_of(folder)
    assert came_out == went_in
    spool.close()
    assert lines_of(folder) == []
    assert segments(folder) == []


def test_a_chunk_that_was_not_finished_comes_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append(b"one")
    for _ in range(2):
        with Drain.alone(spool.folder) as drain:
            assert drain is not None
            assert next(drain.chunks()).lines == [b"one"]
    spool.close()


def test_half_a_line_is_dropped_and_a_damaged_one_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append(b"whole")
    (segment,) = segments(spool.folder)
    spool.close()
    with segment.open("ab") as file:
        file.write(b"00000000 wrong\n1234 ha")
    with Drain.alone(spool.folder) as drain:
        assert drain is not None
        (chunk,) = [(drain.done(one), one)[1] for one in drain.chunks()]
    assert (chunk.lines, chunk.damaged) == ([b"whole"], [b"00000000 wrong"])
    assert segments(spool.folder) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_that_is_killed_amid_a_batch_leaves_nothing_damaged(tmp_path: Path) -> None:
    for blow in range(60):
        folder = tmp_path / str(blow)
        child = multiprocessing.get_context("fork").Process(target=_fill, args=(folder,))
        child.start()
        while child.is_alive() and not segments(folder):
            time.sleep(0.001)
        time.sleep(blow * 5e-5)
        child.kill()
        child.join()
        lines, damaged = taken(folder)
        assert set(lines) <= set(BATCH)
        assert damaged == []


BATCH = [b"%d" % n * 250 for n in range(100)]


def _fill(folder: Path) -> None:
    spool = Spool(folder)
    while True:
        spool.append_many(BATCH)


def in_segment(line: bytes) -> bytes:
    return framed(line) + b"\n"


def taken(folder: Path) -> tuple[list[bytes], list[bytes]]:
    """Good lines and damaged ones that a writer would take now, and their segments with them."""
    lines: list[bytes] = []
    damaged: list[bytes] = []
    with Drain.alone(folder) as drain:
        assert drain is not None
        for chunk in drain.chunks():
            lines += chunk.lines
            damaged += chunk.damaged
            drain.done(chunk)
    return lines, damaged


@contextmanager
def segment_of(folder: Path, content: bytes) -> Iterator[Path]:
    """A segment as a process has it that lives until the end of the block."""
    folder.mkdir(exist_ok=True)
    segment = folder / "1-1-aa.events"
    with segment.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        yield segment


def test_a_line_is_there_with_its_last_byte_whoever_dies_over_it(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    first, torn = in_segment(b'{"n":1}'), in_segment(b'{"n":2}')
    for end in range(len(torn) + 1):
        expected = [b'{"n":1}', b'{"n":2}'] if end == len(torn) else [b'{"n":1}']
        with segment_of(folder, first + torn[:end] + bytes(50)) as segment:
            assert taken(folder) == (expected, [])
            assert segment.exists()
        assert taken(folder) == ([], [])
        assert list(folder.glob("*.events")) == []


@settings(max_examples=60)
@given(
    lines=st.lists(st.binary(max_size=20).filter(lambda line: not {*b"\n\0"} & {*line})),
    data=st.data(),
)
def test_what_is_still_being_copied_is_no_damage(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    whole = b"".join(map(in_segment, lines))
    unwritten = data.draw(st.sets(st.integers(0, max(len(whole) - 1, 0)), max_size=20))
    content = bytes(0 if n in unwritten else sign for n, sign in enumerate(whole))
    with segment_of(folder, content + bytes(30)) as segment:
        found, damaged = taken(folder)
        assert (found, damaged) == (lines[: len(found)], [])
        segment.write_bytes(whole)
        assert taken(folder) == (lines[len(found) :], [])


def test_what_lies_behind_a_gap_is_read_when_nobody_can_fill_it(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    one, two, three = (in_segment(line) for line in (b"one", b"two", b"three"))
    # As a machine may leave it that lost its power: one page is on the disk, another is not.
    content = one + two[:5] + bytes(4096) + three + bytes(70)
    with segment_of(folder, content):
        assert taken(folder) == ([b"one"], [])
        assert taken(folder) == ([], [])
    assert b"three" in waiting(folder)
    assert taken(folder) == ([b"three"], [two[:5]])
    assert segments(folder) == []


def test_a_segment_that_is_over_gives_back_its_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append(b"one")
    assert spool_bytes(spool.folder) == MEBIBYTE
    spool.close()
    assert spool_bytes(spool.folder) == len(in_segment(b"one"))


_FILLS_A_DISK = """
import sys
from pathlib import Path
from analytics_core.errors import SpoolFull
from analytics_core.telemetry.spool import Spool, waiting
spool = Spool(Path(sys.argv[1]) / "spool")
told = 0
try:
    while told < 100_000:
        spool.append(b"%01000d" % told)
        told += 1
except SpoolFull as full:
    print(full)
assert [int(line) for line in waiting(spool.folder)] == list(range(told))
print(told)
"""


def test_a_full_disk_refuses_and_ends_nobody(tmp_path: Path) -> None:
    mounted = f"mount -t tmpfs -o size=2500k none {tmp_path} &&"
    if subprocess.run(["unshare", "-rm", "sh", "-c", f"{mounted} true"], check=False).returncode:
        pytest.skip("no file system of a few bytes can be mounted here")
    done = subprocess.run(
        [
            *("unshare", "-rm", "sh", "-c", f'{mounted} exec "$0" "$@"'),
            *(sys.executable, "-c", _FILLS_A_DISK, str(tmp_path)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    problem, told = done.stdout.splitlines()
    assert problem.endswith("is full: the disk is full")
    # Two segments of a mebibyte, each line with its frame, and no third.
    assert int(told) == 2 * (MEBIBYTE // 1010)


def test_all_of_a_group_is_in_or_none(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 1000)
    with pytest.raises(SpoolFull):
        spool.append_many([b"x" * 600, b"y" * 600])
    assert segments(spool.folder) == []
