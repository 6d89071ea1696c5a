"""Pages become live at once, and in turn where the processors are busy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from analytics_core.serving import turns
from analytics_core.serving.turns import Turns

# The module's own times, a fiftieth of each.
QUICK = {"_LOOK_SECONDS": 0.01, "_APART_SECONDS": 0.04, "_LONGEST_SECONDS": 0.2}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in QUICK.items():
        monkeypatch.setattr(turns, name, seconds)
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 5.0)


def never() -> bool:
    return False


def while_used(
    percent: float, claim: Callable[[Turns], Coroutine[Any, Any, None]], *, patience: float = 2.0
) -> None:
    """Hold a claim about turns on a machine whose processors are so busy."""

    async def held() -> None:
        some = Turns(lambda: percent)
        some.open()
        try:
            # Until it has looked.
            await asyncio.sleep(0.03)
            async with asyncio.timeout(patience):
                await claim(some)
        finally:
            some.close()

    asyncio.run(held())


def test_nobody_waits_while_there_is_room() -> None:
    async def claim(some: Turns) -> None:
        for page in ("a", "b", "c"):
            await some.take(page, page, never)
        assert not some.is_busy

    while_used(70, claim, patience=0.02)


def test_the_first_does_not_wait_however_busy_it_is() -> None:
    async def claim(some: Turns) -> None:
        await some.take("a", "a", never)
        assert some.is_busy

    while_used(100, claim, patience=0.02)


def test_while_it_is_busy_one_is_let_in_after_another_has_become_live() -> None:
    async def claim(some: Turns) -> None:
        let_in: list[str] = []

        async def come(page: str) -> None:
            await some.take(page, page, never)
            let_in.append(page)

        coming = [asyncio.create_task(come(page)) for page in "abc"]
        await asyncio.sleep(0.1)
        assert let_in == ["a"]
        some.over("a")
        await asyncio.sleep(0.1)
        assert let_in == ["a", "b"]
        some.over("b")
        await asyncio.gather(*coming)
        assert let_in == ["a", "b", "c"]

    while_used(100, claim)


def test_the_next_waits_for_what_a_page_does_once_it_is_live() -> None:
    async def claim(some: Turns) -> None:
        loop = asyncio.get_running_loop()
        await some.take("a", "a", never)
        began = loop.time()
        some.over("a")
        await some.take("b", "b", never)
        assert loop.time() - began >= QUICK["_APART_SECONDS"]

    while_used(100, claim)


def test_a_page_that_is_left_keeps_nobody_waiting() -> None:
    async def claim(some: Turns) -> None:
        left: set[str] = set()
        await some.take("a", "a", never)
        gone = asyncio.create_task(some.take("b", "b", lambda: "b" in left))
        after = asyncio.create_task(some.take("c", "c", never))
        await asyncio.sleep(0.02)
        left.add("b")
        await gone
        some.over("a")
        await after

    while_used(100, claim, patience=0.19)


def test_whoever_opens_many_pages_keeps_another_waiting_for_one_of_them() -> None:
    async def claim(some: Turns) -> None:
        let_in: list[str] = []

        async def come(visitor: str, page: str) -> None:
            await some.take(visitor, page, never)
            let_in.append(page)
            some.over(page)

        many = [asyncio.create_task(come("many", f"{n}")) for n in range(8)]
        await asyncio.sleep(0)
        other = asyncio.create_task(come("other", "x"))
        await asyncio.gather(other, *many)
        assert let_in.index("x") <= 2

    while_used(100, claim)


def test_who_cannot_say_how_busy_it_is_makes_nobody_wait() -> None:
    told = iter([0.0, 100.0])

    def used() -> float:
        if (percent := next(told, None)) is None:
            raise OSError("no such file")
        return percent

    async def claim() -> None:
        some = Turns(used)
        some.open()
        await asyncio.sleep(0.1)
        assert not some.is_busy
        async with asyncio.timeout(0.02):
            for page in "ab":
                await some.take(page, page, never)
        some.close()

    asyncio.run(claim())


def test_a_page_that_never_says_it_is_live_is_waited_for_no_longer_than_so() -> None:
    async def claim(some: Turns) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await some.take("a", "a", never)
        await some.take("b", "b", never)
        assert QUICK["_LONGEST_SECONDS"] <= loop.time() - began < 2 * QUICK["_LONGEST_SECONDS"]

    while_used(100, claim)


def test_nobody_waits_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(turns, "_LONGEST_SECONDS", 60.0)

    async def claim(some: Turns) -> None:
        await some.take("a", "a", never)
        await asyncio.gather(*(some.take(page, page, never) for page in "bcdef"))

    while_used(100, claim, patience=0.4)


def test_a_line_goes_on_one_by_one_also_where_there_is_room_for_a_moment() -> None:
    used = iter([0.0, *[100.0] * 5])
    let_in: list[str] = []

    async def claim() -> None:
        some = Turns(lambda: next(used, 10.0))
        some.open()
        await asyncio.sleep(0.03)

        async def come(page: str) -> None:
            await some.take(page, page, never)
            let_in.append(page)

        coming = [asyncio.create_task(come(page)) for page in "abc"]
        await asyncio.sleep(0.1)
        assert not some.is_busy
        # Who comes now stands behind those who wait.
        coming.append(asyncio.create_task(come("d")))
        await asyncio.sleep(0.03)
        for page in "abcd":
            assert let_in[-1] == page
            some.over(page)
            await asyncio.sleep(0.03)
        assert let_in == list("abcd")
        await asyncio.gather(*coming)
        some.close()

    asyncio.run(claim())
