"""Whoever commits waits for the disk, and many share one flush."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_core.errors import SpoolUnavailable
from analytics_core.telemetry.collector.durable import GroupCommit


class Disk:
    """A disk that flushes when it is let, and keeps the order of what was done."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.may_flush = threading.Event()
        self.is_broken = False

    def append(self, lines: list[bytes]) -> None:
        self.done.append(lines)

    def sync(self) -> None:
        assert self.may_flush.wait(10)
        if self.is_broken:
            raise SpoolUnavailable(Path("spool"), "Input/output error")
        self.done.append("flushed")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def commits(disk: Disk) -> Iterator[GroupCommit]:
    made = GroupCommit(disk.append, disk.sync)
    yield made
    made.close()


def test_nobody_is_told_before_the_disk_has_it(commits: GroupCommit, disk: Disk) -> None:
    async def told_early() -> bool:
        one = asyncio.create_task(commits.commit([b"a"]))
        await asyncio.sleep(0.1)
        early = one.done()
        disk.may_flush.set()
        await one
        return early

    assert not asyncio.run(told_early())
    assert disk.done == [[b"a"], "flushed"]


def test_those_who_come_meanwhile_share_the_next_flush(commits: GroupCommit, disk: Disk) -> None:
    async def tell() -> int:
        first = asyncio.create_task(commits.commit([b"a"]))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(commits.commit([b"%d" % n])) for n in range(3)]
        await asyncio.sleep(0)
        waiting = commits.waiting
        disk.may_flush.set()
        await asyncio.gather(first, *others)
        return waiting

    assert asyncio.run(tell()) == 4
    assert disk.done == [[b"a"], "flushed", [b"0", b"1", b"2"], "flushed"]
    assert commits.waiting == 0


def test_everybody_is_told_when_the_disk_fails_and_the_next_may_try(
    commits: GroupCommit, disk: Disk
) -> None:
    async def tell() -> list[object]:
        disk.is_broken = True
        disk.may_flush.set()
        told = (commits.commit([b"a"]), commits.commit([b"b"]))
        failed = await asyncio.gather(*told, return_exceptions=True)
        disk.is_broken = False
        await commits.commit([b"c"])
        return [type(one) for one in failed]

    assert asyncio.run(tell()) == [SpoolUnavailable, SpoolUnavailable]
    assert disk.done[-2:] == [[b"c"], "flushed"]
