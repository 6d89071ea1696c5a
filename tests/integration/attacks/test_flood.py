"""One page's flood leaves another's page working, and nothing behind."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import websocket

from tests.integration.attacks.conftest import VICTIM
from tests.support.attacks.attempts import update
from tests.support.attacks.sessions import Session, ask, message, session_of
from tests.support.kernels import kernels
from tests.support.serving import Server

FLOOD_SECONDS = 6.0
# On a machine that does other things meanwhile; without the flood it is some milliseconds.
PATIENCE_SECONDS = 5.0
# Sockets that were left before their kernel had answered are kept a little.
LETTING_GO_SECONDS = 6.0


def memory(server: Server) -> dict[int, int]:
    """What the server and its kernels hold of memory that nobody shares, in KiB."""
    found = {}
    for process in (server.process.pid, *kernels(server.process.pid)):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Private_Dirty:"):
                    found[process] = int(line.split()[1])
    return found


def files(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def flood(attacker: Session, until: float) -> list[int]:
    """Sockets, messages, questions and pages, as fast as they go; how many of each."""
    counts = [0, 0, 0]
    header = attacker.widget("Header")
    refetch, _ = message(
        "comm_msg", {"comm_id": header, "data": {"method": "custom", "content": {"ask": "refetch"}}}
    )
    hostile, _ = message("comm_msg", {"comm_id": header, "data": update(scope="*")})
    large = b"a" * 500_000

    def talk() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(websocket.WebSocketException, OSError):
                connection = attacker.connect(timeout=2)
                counts[0] += 1
                with contextlib.closing(connection):
                    for number in range(1_000):
                        connection.send_binary(hostile if number % 5 else refetch)
                        counts[1] += 1
                    connection.send_binary(large)

    def knock() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                ask(attacker.host, "GET", attacker.channels(session_id="a"), UPGRADE | own)
                ask(attacker.host, "GET", "/", own)
                counts[2] += 1

    own = {"Cookie": attacker.cookie}
    threads = [threading.Thread(target=work) for work in (talk, talk, talk, talk, knock, knock)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "v1.kernel.websocket.jupyter.org",
}


def change(page: Session, period: str) -> float:
    """Choose another period and wait until its numbers are there; the seconds it took."""
    began = time.monotonic()
    header = page.widget("Header")
    before, _ = page.state_of(header)
    frame, _ = message("comm_msg", {"comm_id": header, "data": update(period=period)})
    page.socket.send_binary(frame)
    while True:
        state, _ = page.state_of(header)
        if state["period"] == period and state["attempts"] > before["attempts"]:
            return time.monotonic() - began
        assert time.monotonic() - began < 30
        time.sleep(0.05)


def eventually(is_so: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.25)
    return True


def test_a_flood_of_one_page_leaves_anothers_working_and_nothing_behind(server: Server) -> None:
    attacker, bystander = session_of(server), session_of(server, VICTIM)
    # Once before it is measured: what is loaded at the first time stays loaded.
    flood(attacker, time.monotonic() + 2)
    change(bystander, "90d")
    time.sleep(LETTING_GO_SECONDS)
    assert eventually(lambda: len(kernels(server.process.pid)) == 4)
    before, open_before = memory(server), files(server)

    sent: list[int] = []
    took: list[float] = []
    until = time.monotonic() + FLOOD_SECONDS
    flooding = threading.Thread(target=lambda: sent.extend(flood(attacker, until)))
    flooding.start()
    while time.monotonic() < until:
        took += [change(bystander, "7d"), change(bystander, "90d")]
    flooding.join()
    assert sum(sent) > 100, "that was no flood"
    assert max(took) < PATIENCE_SECONDS

    attacker.close()
    time.sleep(LETTING_GO_SECONDS)
    assert eventually(lambda: files(server) <= open_before + 2)
    after = memory(server)
    assert after.keys() == before.keys()
    for process, held in after.items():
        assert held < 1.1 * before[process], (process == server.process.pid, before, after)
    assert change(bystander, "30d") < PATIENCE_SECONDS
    bystander.close()


def test_a_browser_that_asks_and_never_reads_is_cut_off(server: Server) -> None:
    page = session_of(server)
    header, before = page.widget("Header"), memory(server)[server.process.pid]
    # As small a window as there is, so that what is not read stays with the server.
    connection = page.connect(sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)], timeout=5)
    data = {"method": "custom", "content": {"ask": "repeat"}}
    asked, _ = message("comm_msg", {"comm_id": header, "data": data})

    def ask_on() -> None:
        for _ in range(800):
            connection.send_binary(asked)
            time.sleep(0.03)

    with pytest.raises((websocket.WebSocketException, OSError)):
        ask_on()
    connection.shutdown()
    assert "does not read what it asks for" in server.log.read_text()
    assert memory(server)[server.process.pid] < before + 30 * 1024
