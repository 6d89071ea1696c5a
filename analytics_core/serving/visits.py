"""A visit: the painted page at once, then the kernel behind it.

The page's script asks for what its kernel has to say once the painting is on the screen, so that a
client that only reads HTML starts no kernel. Paintings, tickets and kernels are one visitor's.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import inf
from typing import Any, cast

import jinja2
from markupsafe import Markup
from tornado.escape import json_encode
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from analytics_core.identity.visitor import Visitor
from analytics_core.serving.assets import Assets
from analytics_core.serving.conversation import conversation_with
from analytics_core.serving.gate import GatedApplication
from analytics_core.serving.granting import granting
from analytics_core.serving.identities import OwnersOnly, Personal
from analytics_core.serving.kernels import QuietKernels
from analytics_core.serving.opening import CellFailed, run
from analytics_core.serving.painting import Painted, Painter
from analytics_core.serving.pool import ReadyKernel, WarmPool
from analytics_core.serving.refusing import Refusal
from analytics_core.serving.turns import Turns

log = logging.getLogger(__name__)

# A page whose numbers take longer than this is shown in grey first.
_AT_ONCE_SECONDS = 0.2
# So often it is looked whether a kernel that works for a page is still there.
_LOOK_SECONDS = 0.25
# A page that is reloaded may come before the one it replaces has let go of its kernel.
_ROOM_SECONDS = 3.0
# So often an open page asks whether its kernel is there, and some times before a session ends.
_STAYING_SECONDS, _TIMES_A_SESSION = 600.0, 3
_MOST_TICKETS, _TICKETS_PER_VISITOR = 2_000, 40
_MOST_PAINTINGS_PER_VISITOR = 8
_PAINTERS = 2
# Who does not answer within that time is gone.
_PING_SECONDS = 30

_FULL = Refusal(
    503,
    "Too many pages are open",
    "Every open page has a process of its own, and this server runs as many as it may. Close one"
    " that you no longer need, or try again in a minute.",
    again=True,
)
_MANY = Refusal(
    429,
    "You have asked for many pages at once",
    "They are still being put together. Try again in a moment.",
    again=True,
)


class KernelGone(Exception):
    """A kernel died while it was made a page's."""


class PageLeft(Exception):
    """Whoever asked for a kernel has gone before it was theirs."""


class Easel:
    """Paints in threads; the same page is painted once for all who wait for it to begin."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._threads = ThreadPoolExecutor(_PAINTERS, thread_name_prefix="painter")
        self._not_begun: dict[tuple[Visitor, str], asyncio.Future[Painted]] = {}
        self._under_way: Counter[str] = Counter()

    def is_busy(self, visitor: Visitor) -> bool:
        """Whether a visitor has asked for so much that others would have to wait."""
        return self._under_way[visitor.key] >= _MOST_PAINTINGS_PER_VISITOR

    def paint(self, visitor: Visitor, query: str) -> asyncio.Future[Painted]:
        """A visitor's page of a query, as of now or later."""
        wanted = visitor, query
        if wanted not in self._not_begun:
            loop, key = asyncio.get_running_loop(), visitor.key

            def begin() -> Painted:
                # Whoever comes from here on wants newer numbers than these may be.
                loop.call_soon_threadsafe(self._not_begun.pop, wanted, None)
                return self._painter.paint(visitor, query)

            def done(_: object) -> None:
                self._under_way[key] -= 1
                self._under_way += Counter()

            self._under_way[key] += 1
            self._not_begun[wanted] = painting = loop.run_in_executor(self._threads, begin)
            painting.add_done_callback(done)
        return self._not_begun[wanted]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Tickets:
    """Which painting belongs to which page: good for one kernel, and for its visitor alone."""

    def __init__(self) -> None:
        self._given: OrderedDict[str, tuple[str, asyncio.Future[Painted]]] = OrderedDict()

    def give(self, visitor: Visitor, painting: asyncio.Future[Painted]) -> str:
        ticket = secrets.token_urlsafe(16)
        self._given[ticket] = visitor.key, painting
        # Those who never come for their kernel, and those who ask for all too many.
        own = [one for one, (key, _) in self._given.items() if key == visitor.key]
        if len(own) > _TICKETS_PER_VISITOR:
            del self._given[own[0]]
        if len(self._given) > _MOST_TICKETS:
            self._given.popitem(last=False)
        return ticket

    def redeem(self, visitor: Visitor, ticket: str) -> asyncio.Future[Painted] | None:
        """The painting of a ticket; None where it is not, or no longer, this visitor's."""
        key, painting = self._given.get(ticket, ("", None))
        if key != visitor.key:
            return None
        del self._given[ticket]
        return painting


@dataclass
class Desk:
    """What the handlers of one server share."""

    assets: Assets
    easel: Easel
    tickets: Tickets
    pool: WarmPool
    kernels: QuietKernels
    turns: Turns
    cells: Sequence[str]
    template: jinja2.Template
    title: str
    # Each page that is open has a process of its own.
    most_pages: int
    pages_per_visitor: int
    _under_way: Counter[str] = field(default_factory=Counter)

    @property
    def is_full(self) -> bool:
        """Whether as many pages are open as may be, with those that are coming."""
        return self.kernels.given + self._under_way.total() >= self.most_pages

    def has_many(self, visitor: Visitor) -> bool:
        """Whether a visitor has as many pages as one may have, with those that are coming."""
        pages = len(self.kernels.owned(visitor.key)) + self._under_way[visitor.key]
        return pages >= self.pages_per_visitor

    async def make_room(self, visitor: Visitor) -> None:
        """Where there is none for another page of a visitor, end pages that were lost.

        Those that are just being left are waited for.
        """
        if self.is_full:
            await self.kernels.end_lost()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _ROOM_SECONDS
        if self.has_many(visitor):
            await self.kernels.end_lost(visitor.key)
        while self.has_many(visitor) and loop.time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)

    def take(self, visitor: Visitor) -> asyncio.Task[ReadyKernel]:
        """A kernel that is this visitor's from now on."""

        async def taken() -> ReadyKernel:
            kernel = await self.pool.take()
            self.kernels.give(kernel.id, visitor.key)
            return kernel

        def done(_: object) -> None:
            self._under_way[visitor.key] -= 1
            self._under_way += Counter()

        self._under_way[visitor.key] += 1
        taking = asyncio.ensure_future(taken())
        taking.add_done_callback(done)
        return taking


class Page(Personal):
    """The page, painted; it also lets the browser's next requests through the gate."""

    def initialize(self, desk: Desk) -> None:
        self._desk = desk

    async def get(self) -> None:
        desk, visitor = self._desk, self.visitor
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.keep_visitor()
        # Reading it sets its cookie, without which a page that is left could not end its kernel.
        _ = self.xsrf_token
        if desk.is_full:
            await desk.kernels.end_lost()
        if desk.is_full or desk.easel.is_busy(visitor):
            self.set_header("Retry-After", "60")
            self.tell(_MANY if desk.easel.is_busy(visitor) else _FULL)
            return
        painting = desk.easel.paint(visitor, self.request.query)
        ticket = desk.tickets.give(visitor, painting)
        ways = cast(GatedApplication, self.application).gate.ways
        self._write(
            "head",
            assets=desk.assets,
            ticket=ticket,
            is_busy=desk.turns.is_busy,
            is_link_kept=ways.is_link_kept,
            staying_seconds=min(_STAYING_SECONDS, (ways.known_seconds or inf) / _TIMES_A_SESSION),
        )
        await self.flush()
        done, _ = await asyncio.wait([painting], timeout=_AT_ONCE_SECONDS)
        if not done:
            self._write("waiting")
            await self.flush()
        painted = await asyncio.shield(painting)
        self._write("painted", painted=Markup(painted.html))  # noqa: S704
        self.finish()

    def _write(self, part: str, **values: Any) -> None:
        self.write(self._desk.template.render(part=part, title=self._desk.title, **values))


class Opening(Personal):
    """What the kernel of a page has to say: its id, and the widgets it made of the same data.

    A page that is left before it knows its kernel cannot end it.
    """

    def initialize(self, desk: Desk) -> None:
        self._desk, self._is_left = desk, False

    def on_connection_close(self) -> None:
        self._is_left = True
        super().on_connection_close()

    async def get(self, ticket: str) -> None:
        desk = self._desk
        self.set_header("Content-Type", "application/json")
        painting = desk.tickets.redeem(self.visitor, ticket)
        if painting is None:
            self._refuse(410, "gone")
            return
        try:
            # It says first whether a kernel would be of any use.
            painted = await asyncio.shield(painting)
        except Exception:
            log.exception("no painting for a page")
            self._refuse(500, "failed")
            return
        if painted.is_withheld:
            self._refuse(403, "withheld")
            return
        if not painted.grant:
            self._refuse(503, "unavailable")
            return
        # Looked at before, so that nobody stands in line to be refused, and again after the wait.
        if not await self._has_room():
            return
        await desk.turns.take(self.visitor.key, ticket, lambda: self._is_left)
        is_open = False
        try:
            if await self._has_room():
                is_open = await self._answer(painted)
        finally:
            if not is_open:
                # It will not say that it is live.
                desk.turns.over(ticket)

    async def _has_room(self) -> bool:
        """Whether this page may have a kernel; else it was said why not."""
        desk = self._desk
        await desk.make_room(self.visitor)
        if self._is_left:
            return False
        # First what its visitor can do something about.
        if desk.has_many(self.visitor):
            self._refuse(429, "many")
        elif desk.is_full:
            self._refuse(503, "full")
        else:
            return True
        return False

    async def _answer(self, painted: Painted) -> bool:
        self._desk.pool.page_begins()
        try:
            self.finish(await self._open(painted))
        finally:
            self._desk.pool.page_is_there()
        return not self._is_left and self.get_status() == 200

    def _refuse(self, status: int, problem: str) -> None:
        self.set_status(status)
        self.finish(json_encode({"problem": problem}))

    async def _open(self, painted: Painted) -> str:
        try:
            try:
                return await self._run_in(await self._desk.take(self.visitor), painted)
            except (CellFailed, PageLeft):
                raise
            except Exception as gone:
                # A kernel may die at any moment; another one is as good.
                log.warning("another kernel for a page: %r", gone)
                return await self._run_in(await self._desk.take(self.visitor), painted)
        except PageLeft:
            return ""
        except Exception:
            log.exception("no kernel for a page")
            self.set_status(500)
            return json_encode({"problem": "failed"})

    async def _run_in(self, kernel: ReadyKernel, painted: Painted) -> str:
        desk = self._desk
        sources = [granting(self.visitor, painted.grant), painted.source, *desk.cells]
        running = asyncio.ensure_future(run(kernel.client, sources))
        try:
            while not (await asyncio.wait([running], timeout=_LOOK_SECONDS))[0]:
                if self._is_left:
                    raise PageLeft
                if not await desk.pool.is_alive(kernel):
                    raise KernelGone(kernel.id)
            opened = running.result()
            conversation = conversation_with(desk.kernels.get_kernel(kernel.id))
            for message in opened.messages:
                conversation.announced(message["type"], message["content"])
            if self._is_left:
                raise PageLeft
        except BaseException:
            running.cancel()
            if kernel.id in desk.kernels:
                await desk.kernels.shutdown_kernel(kernel.id, now=True)  # type: ignore[no-untyped-call]
            raise
        finally:
            kernel.client.stop_channels()
        return json_encode({"kernel": kernel.id, "root": opened.root, "messages": opened.messages})


class Live(Personal):
    """A page says that it is live, so that it is the next one's turn."""

    def initialize(self, desk: Desk) -> None:
        self._desk = desk

    async def get(self, ticket: str) -> None:
        self._desk.turns.over(ticket)
        self.set_status(204)
        self.finish()


class Here(OwnersOnly):
    """Whether the kernel of a page is there; a page that asks now and then goes on being let in."""

    async def get(self, kernel_id: str) -> None:
        self.keep_visitor()
        self.set_status(204)
        self.finish()


class Channels(OwnersOnly, VoilaKernelWebsocketHandler):  # type: ignore[misc]
    """The messages of a kernel, for its owner, for as long as this is believed to be them.

    A page whose visitor was seen since connects again.
    """

    _ending: asyncio.TimerHandle | None = None

    def get_websocket_protocol(self) -> Any:
        """The protocol, with Tornado's pings: Jupyter's give up who answers to the moment."""
        protocol = super().get_websocket_protocol()
        if protocol is not None:
            protocol.params.ping_interval = _PING_SECONDS
            protocol.params.ping_timeout = _PING_SECONDS
        return protocol

    async def open(self, kernel_id: str) -> None:
        application = cast(GatedApplication, self.application)
        until = application.admission_of(self.request).until
        if until is not None:
            loop = asyncio.get_running_loop()
            self._ending = loop.call_later(until - time.time(), self.close)
        await super().open(kernel_id)

    def on_close(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        super().on_close()


class Leaving(OwnersOnly, VoilaShutdownKernelHandler):  # type: ignore[misc]
    """Ends the kernel of a page that is left, for its owner."""
