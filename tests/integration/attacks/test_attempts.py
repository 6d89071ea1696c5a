"""Every attempt is refused as it should be, and no answer holds a byte of somebody else's."""

from __future__ import annotations

import pytest

from tests.integration.attacks.conftest import MARKERS
from tests.support.attacks.attempts import ATTEMPTS, Attempt, Ground
from tests.support.attacks.sessions import ask
from tests.support.serving import Server


def of_others(came: bytes) -> list[bytes]:
    return [marker for marker in MARKERS if marker in came]


@pytest.mark.parametrize(
    "attempt", ATTEMPTS, ids=lambda attempt: f"{attempt.group}: {attempt.name}"[:90]
)
def test_an_attempt_is_refused(attempt: Attempt, ground: Ground) -> None:
    got, came = attempt.make(ground)
    assert got == attempt.expected, came[:2000]
    assert of_others(came) == []
    assert b"Traceback" not in came
    assert b"TornadoServer" not in came


def test_there_are_attempts_of_every_kind() -> None:
    assert len(ATTEMPTS) >= 60
    assert len({(attempt.group, attempt.name) for attempt in ATTEMPTS}) == len(ATTEMPTS)


def test_what_is_looked_for_is_what_the_other_has(ground: Ground) -> None:
    # Were it not, nothing above would have been found however much had leaked.
    state, came = ground.theirs.choices()
    assert state["who"] == "Victoria Vane"
    assert of_others(came) == [b"Victoria Vane"]
    theirs = repr(ground.theirs.widgets).encode()
    assert b"770,077" in theirs
    assert of_others(repr(ground.mine.widgets).encode()) == []


def test_after_all_of_them_both_pages_work_with_their_kernels(
    ground: Ground, server: Server
) -> None:
    for one in (ground.mine, ground.theirs):
        assert one.choices()[0]["period"] == "30d"
        assert ask(server.host, "GET", "/", {"Cookie": one.cookie}).status == 200


def test_what_was_sent_is_in_no_log(server: Server, ground: Ground) -> None:
    log = server.log.read_text()
    assert "not passed on to or from kernel" in log
    for sent in ("forged line", "DROP TABLE", "evil.example/a.js", "owned"):
        assert sent not in log, sent
