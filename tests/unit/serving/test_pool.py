"""Kernels that wait: each is given away once, none to two visitors, and as many as are wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from analytics_core.serving import pool
from analytics_core.serving.pool import WarmPool


class Client:
    """A connection of which only the end matters here."""

    def __init__(self) -> None:
        self.is_open = False

    def start_channels(self, **_: bool) -> None:
        self.is_open = True

    def stop_channels(self) -> None:
        self.is_open = False


class Kernel:
    def __init__(self, process: int) -> None:
        self.made = Client()
        self.provisioner = SimpleNamespace(pid=process)

    def client(self) -> Client:
        return self.made


class Kernels:
    """Starts what stands for a kernel; remembers how many and which have ended."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.running: dict[str, Kernel] = {}
        self.started = 0
        self.failures = 0
        self.seconds = 0.0

    async def start_kernel(self, **_: Any) -> str:
        await asyncio.sleep(self.seconds)
        if self.failures:
            self.failures -= 1
            raise OSError("no more processes")
        self.started += 1
        self.running[name := f"kernel-{self.started}"] = Kernel(self.started)
        return name

    def get_kernel(self, kernel_id: str) -> Kernel:
        return self.running[kernel_id]

    def __contains__(self, kernel_id: str) -> bool:
        return kernel_id in self.running

    async def is_alive(self, kernel_id: str) -> bool:
        return kernel_id in self.running

    async def shutdown_kernel(self, kernel_id: str, now: bool = False) -> None:
        del self.running[kernel_id]


@pytest.fixture(autouse=True)
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run in kernels before they had a visitor."""
    ran: list[str] = []

    async def get_ready(_client: Any) -> None:
        await asyncio.sleep(0)

    async def run(_client: Any, sources: list[str]) -> None:
        ran.extend(sources)

    monkeypatch.setattr(pool, "get_ready", get_ready)
    monkeypatch.setattr(pool, "run", run)
    monkeypatch.setattr(pool, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(pool, "_PATIENCE_SECONDS", 0.05)
    return ran


def trial(body: Callable[[WarmPool, Kernels], Awaitable[None]], least: int = 2) -> Kernels:
    kernels = Kernels()

    async def go() -> None:
        warm = WarmPool(kernels, "import preparation", {}, least=least, most=4)  # type: ignore[arg-type]
        warm.open()
        await body(warm, kernels)
        await warm.close()

    asyncio.run(go())
    return kernels


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came to that")


def test_as_many_as_are_wanted_wait_and_have_run_what_is_the_same_for_all(
    prepared: list[str],
) -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        await until(lambda: warm.ready == 2)
        assert kernels.waiting == set(kernels.running)

    assert trial(body).started == 2
    assert prepared == ["import preparation"] * 2


def test_no_kernel_is_given_to_two_visitors() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        taken = await asyncio.gather(*(warm.take() for _ in range(20)))
        assert len({kernel.id for kernel in taken}) == 20
        assert not kernels.waiting & {kernel.id for kernel in taken}

    trial(body)


def test_demand_lets_more_wait_and_never_more_than_may() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        assert warm.size == 2
        for _ in range(3):
            await warm.take()
        assert warm.size == 3
        await until(lambda: warm.ready == 3)
        for _ in range(10):
            await warm.take()
        assert warm.size == 4
        await until(lambda: warm.ready == 4)

    trial(body)


def test_a_kernel_that_died_while_it_waited_is_given_to_nobody() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        await until(lambda: warm.ready == 2)
        dead = set(kernels.running)
        kernels.running.clear()
        kernel = await warm.take()
        assert kernel.id not in dead
        assert kernel.id in kernels

    trial(body)


def test_a_kernel_that_was_restarted_while_it_waited_is_not_what_was_prepared() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        await until(lambda: warm.ready == 2)
        restarted = list(kernels.running.values())
        for kernel in restarted:
            kernel.provisioner.pid += 1_000
        assert kernels.get_kernel((await warm.take()).id) not in restarted

    trial(body)


def test_filling_waits_for_the_page_being_served() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        await until(lambda: warm.ready == 2)
        pool._PATIENCE_SECONDS = 5.0
        warm.page_begins()
        await warm.take()
        await asyncio.sleep(0.05)
        assert kernels.started == 2
        warm.page_is_there()
        await until(lambda: warm.ready == 2)

    trial(body)


def test_a_start_that_fails_is_tried_again() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        kernels.failures = 2
        await until(lambda: warm.ready == 2)

    trial(body)


def test_where_none_shall_wait_each_visitor_still_gets_one() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        await asyncio.sleep(0.02)
        assert kernels.started == 0
        assert (await warm.take()).id in kernels

    trial(body, least=0)


def test_a_kernel_that_is_being_started_when_the_pool_closes_is_ended() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        await until(lambda: warm.ready == 2)
        kernels.seconds = 0.05
        await warm.take()
        await asyncio.sleep(0.02)
        assert kernels.started == 2

    kernels = trial(body)
    assert kernels.started == 3
    assert "kernel-3" not in kernels.running


def test_a_visitor_whose_kernel_is_being_started_when_the_pool_closes_is_waited_for() -> None:
    async def body(warm: WarmPool, kernels: Kernels) -> None:
        kernels.seconds = 0.05
        taking = asyncio.ensure_future(warm.take())
        await asyncio.sleep(0.02)
        await warm.close()
        assert "kernel-1" in kernels.running
        assert (await taking).id == "kernel-1"

    trial(body, least=0)
