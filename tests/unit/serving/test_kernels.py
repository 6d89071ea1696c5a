"""Kernels end with their visitors, however busy they keep themselves."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from jupyter_server._tz import utcnow

from analytics_core.serving import kernels
from analytics_core.serving.kernels import QuietKernels

VISIT = "a-visit"


class Clock:
    """Seconds that pass when the test says so."""

    now = 1_000.0

    def monotonic(self) -> float:
        return self.now


class Recorded(QuietKernels):
    """One kernel that was active just now, as one that refreshes its page always is."""

    def __init__(self) -> None:
        super().__init__(cull_idle_timeout=600)
        self.ended: list[str] = []
        self._kernels[VISIT] = SimpleNamespace(
            execution_state="idle",
            last_activity=utcnow(),
            kernel_name="python3",
            kernel_spec=SimpleNamespace(metadata={}),
        )
        self._kernel_connections[VISIT] = 0

    async def shutdown_kernel(  # type: ignore[override]
        self, kernel_id: str, now: bool = False, restart: bool = False
    ) -> None:
        self.ended.append(kernel_id)

    def check(self) -> None:
        asyncio.run(self.cull_kernel_if_idle(VISIT))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(kernels, "time", clock)
    return clock


def test_a_kernel_that_nobody_is_connected_to_ends_though_it_is_active(clock: Clock) -> None:
    managed = Recorded()
    managed.check()
    clock.now += 599
    managed.check()
    assert managed.ended == []
    clock.now += 2
    managed.check()
    assert managed.ended == [VISIT]


def test_a_kernel_with_a_visitor_stays(clock: Clock) -> None:
    managed = Recorded()
    managed.notify_connect(VISIT)
    managed.check()
    clock.now += 10_000
    managed.check()
    assert managed.ended == []


@pytest.mark.parametrize("owner", ["mara", None])
def test_a_kernel_whose_page_was_lost_makes_room_and_ends_once(
    clock: Clock, owner: str | None
) -> None:
    managed = Recorded()
    managed.give(VISIT, "mara")
    clock.now += 40
    asyncio.run(managed.end_lost(owner))
    assert managed.ended == []
    clock.now += 10
    asyncio.run(managed.end_lost("theo"))
    assert managed.ended == []
    asyncio.run(managed.end_lost(owner))
    asyncio.run(managed.end_lost())
    assert managed.ended == [VISIT]


def test_a_visitor_who_comes_back_has_all_the_time_again(clock: Clock) -> None:
    managed = Recorded()
    managed.check()
    clock.now += 500
    managed.notify_connect(VISIT)
    managed.notify_disconnect(VISIT)  # type: ignore[no-untyped-call]
    managed.check()
    clock.now += 500
    managed.check()
    assert managed.ended == []
