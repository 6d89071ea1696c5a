"""Paintings shared by those who wait for the same one, and tickets that are good once."""

from __future__ import annotations

import asyncio
import threading
import time

from analytics_core.identity.visitor import Visitor
from analytics_core.model.scope import Scope
from analytics_core.serving.painting import Painted
from analytics_core.serving.visits import Easel, Tickets

MARA, OTHER = (Visitor.of_scope(Scope.user(name)) for name in ("u1", "u2"))


class Painter:
    """Takes as long as the test says, and numbers what it paints."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.painted: list[str] = []

    def paint(self, visitor: Visitor, query: str) -> Painted:
        self.may_go.wait(10)
        self.painted.append(f"{visitor.name}/{query}")
        return Painted(f"{query} {len(self.painted)}", "", "")

    def problem(self) -> str:
        return ""


def test_whoever_waits_for_the_same_page_gets_one_painting_that_began_after_they_came() -> None:
    async def go() -> None:
        painter = Painter()
        easel = Easel(painter)
        # Both painters are busy; what comes now has not begun.
        begun = [easel.paint(MARA, "a"), easel.paint(MARA, "b")]
        await asyncio.sleep(0.05)
        waiting = [easel.paint(MARA, "a") for _ in range(40)]
        assert len({id(painting) for painting in waiting}) == 1
        assert waiting[0] is not begun[0]
        other = easel.paint(MARA, "c")
        painter.may_go.set()
        await asyncio.gather(*begun, *waiting, other)
        assert sorted(painter.painted) == ["u1/a", "u1/a", "u1/b", "u1/c"]
        assert begun[0].result() != waiting[0].result()
        easel.close()

    asyncio.run(go())


def test_visitors_never_share_a_painting() -> None:
    async def go() -> None:
        painter = Painter()
        easel = Easel(painter)
        begun = [easel.paint(MARA, "a"), easel.paint(MARA, "b")]
        both = [easel.paint(MARA, "c"), easel.paint(OTHER, "c")]
        assert both[0] is not both[1]
        painter.may_go.set()
        await asyncio.gather(*begun, *both)
        assert sorted(painter.painted) == ["u1/a", "u1/b", "u1/c", "u2/c"]
        easel.close()

    asyncio.run(go())


def test_who_asks_for_more_than_can_be_painted_is_busy_and_others_are_not() -> None:
    async def go() -> None:
        painter = Painter()
        easel = Easel(painter)
        asked = [easel.paint(MARA, str(n)) for n in range(8)]
        assert easel.is_busy(MARA)
        assert not easel.is_busy(OTHER)
        painter.may_go.set()
        await asyncio.gather(*asked)
        await asyncio.sleep(0)
        assert not easel.is_busy(MARA)
        easel.close()

    asyncio.run(go())


def test_painting_leaves_the_loop_free() -> None:
    async def go() -> None:
        painter = Painter()
        easel = Easel(painter)
        painting = easel.paint(MARA, "a")
        started = time.monotonic()
        await asyncio.sleep(0.01)
        assert time.monotonic() - started < 1
        assert not painting.done()
        painter.may_go.set()
        await painting
        easel.close()

    asyncio.run(go())


def test_a_ticket_is_good_once_and_for_its_own_painting() -> None:
    async def go() -> None:
        tickets, loop = Tickets(), asyncio.get_running_loop()
        first, second = loop.create_future(), loop.create_future()
        a, b = tickets.give(MARA, first), tickets.give(MARA, second)
        assert a != b
        assert tickets.redeem(MARA, b) is second
        assert tickets.redeem(MARA, b) is None
        assert tickets.redeem(MARA, "") is None
        assert tickets.redeem(MARA, a) is first

    asyncio.run(go())


def test_a_ticket_is_good_for_its_visitor_alone() -> None:
    async def go() -> None:
        tickets, painting = Tickets(), asyncio.get_running_loop().create_future()
        ticket = tickets.give(MARA, painting)
        assert tickets.redeem(OTHER, ticket) is None
        # Nor did the attempt take it away.
        assert tickets.redeem(MARA, ticket) is painting

    asyncio.run(go())


def test_tickets_of_those_who_never_come_are_forgotten_and_those_of_others_are_not() -> None:
    async def go() -> None:
        tickets, loop = Tickets(), asyncio.get_running_loop()
        others = tickets.give(OTHER, loop.create_future())
        given = [tickets.give(MARA, loop.create_future()) for _ in range(3_000)]
        assert tickets.redeem(MARA, given[0]) is None
        assert tickets.redeem(MARA, given[-1]) is not None
        assert tickets.redeem(OTHER, others) is not None

    asyncio.run(go())
