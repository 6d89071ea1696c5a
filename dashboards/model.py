"""Observable questions: what they asked for, whether they wait, what came back.

A view sets the traits that say what is wanted and observes those that say what is there; it never
calls the workspace itself. A question is asked in a thread, so that the kernel goes on answering
the browser, and its answer is applied on the kernel's event loop, where widgets live.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Protocol

from traitlets import Any as AnyTrait
from traitlets import Bool, HasTraits, Instance, Int, Unicode, observe

from analytics_core import Workspace
from analytics_core.errors import AnalyticsError
from analytics_core.model.daterange import Preset
from analytics_core.model.user import User
from dashboards.given import Given

log = logging.getLogger(__name__)

# Sooner than this an answer needs no word that it is coming.
PATIENCE_SECONDS = 0.4
DEADLINE_SECONDS = 20


class NoAnswer(AnalyticsError):
    """A question was given up: nothing came back, not even a refusal."""

    def __init__(self) -> None:
        super().__init__(f"the database did not answer within {DEADLINE_SECONDS} seconds")


class Runner(Protocol):
    """How a question is asked and when it is asked again."""

    def run(self, work: Callable[[], Any], done: Callable[[Any, Exception | None], None]) -> None:
        """Do the work somewhere and hand its result, or what it raised, to `done`."""
        ...

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call once after some seconds; returns what cancels it."""
        ...


class InThread:
    """Works in a thread of its own and comes back to the event loop that ran at the start."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Two, so that a new question need not wait for an old one that nobody wants any more.
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="usage")
        self._latest: Future[None] | None = None

    def run(self, work: Callable[[], Any], done: Callable[[Any, Exception | None], None]) -> None:
        def attempt() -> None:
            try:
                result, error = work(), None
            except Exception as raised:
                result, error = None, raised
            self._loop.call_soon_threadsafe(done, result, error)

        # However often somebody asks anew, one question waits: the newest.
        if self._latest is not None:
            self._latest.cancel()
        self._latest = self._pool.submit(attempt)

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        return self._loop.call_later(seconds, call).cancel


class AtOnce:
    """Works where it is called: for scripts, in which no event loop runs."""

    def run(self, work: Callable[[], Any], done: Callable[[Any, Exception | None], None]) -> None:
        try:
            result, error = work(), None
        except Exception as raised:
            result, error = None, raised
        done(result, error)

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("asking again after a while needs a running event loop")


def usual_runner() -> Runner:
    """A thread where an event loop runs, as in every kernel; at once elsewhere."""
    try:
        return InThread()
    except RuntimeError:
        return AtOnce()


class Question(HasTraits):
    """A question to the workspace whose answer can be observed.

    `data` is the last good answer and stays while a newer one is fetched or has failed; `error` is
    what the last attempt raised, None once one worked; `fetched_at` is when `data` came; `attempts`
    counts what came back, good or not. A question that nothing answers for `DEADLINE_SECONDS` has
    failed with `NoAnswer`.
    """

    period = Unicode(Preset.MONTH.value)
    zone = Unicode("", help="An IANA name; empty for the user's own zone.")
    refetch_seconds = Int(0, min=0, help="Ask again after this long; 0 does not.")

    data = AnyTrait(None, allow_none=True)
    loading = Bool(False)
    late = Bool(False, help="Loading for long enough to say so, or without anything to show.")
    error = Instance(Exception, allow_none=True)
    fetched_at = Instance(datetime, allow_none=True)
    attempts = Int(0)

    def __init__(
        self,
        user: str | None = None,
        *,
        workspace: Workspace | None = None,
        runner: Runner | None = None,
        automatic: bool = True,
        given: Given | None = None,
        **wanted: Any,
    ) -> None:
        """Ask about `user`, or everybody the workspace may see; at once where `automatic`.

        An answer that is `given` is one less to ask for.
        """
        super().__init__(**wanted)
        self.user = user
        self.workspace = workspace if workspace is not None else Workspace.current()
        self._runner = runner if runner is not None else usual_runner()
        self._automatic = automatic
        self._subject: User | None = None
        self._asked = 0
        self._cancel: Callable[[], None] | None = None
        self._closed = False
        if given is not None and given.data is not None:
            self._subject, self.data = given.subject, given.data
            self.fetched_at = given.fetched_at
            self._set_timer()
        elif automatic:
            self.refetch()

    def refetch(self) -> None:
        """Ask now; an answer to an earlier question that comes later is dropped."""
        if self._closed:
            return
        self._forget_timer()
        self._asked += 1
        number = self._asked
        self.loading = True
        question = self.question()

        def work() -> tuple[User | None, Any]:
            return self._find_subject(), question()

        self._runner.run(work, lambda result, error: self._told(number, result, error))
        if not self.loading:
            return
        if self.data is None:
            self._is_late(number, DEADLINE_SECONDS)
        else:
            left = DEADLINE_SECONDS - PATIENCE_SECONDS
            self._cancel = self._runner.later(PATIENCE_SECONDS, lambda: self._is_late(number, left))

    def question(self) -> Callable[[], Any]:
        """What to ask, with what is wanted now: traits may change before the thread gets to it."""
        raise NotImplementedError

    @property
    def subject(self) -> User | None:
        """The one user whose numbers these are; None before an answer, and for several users."""
        return self._subject

    @property
    def who(self) -> str:
        """Whose numbers these are, for people; known once an answer came."""
        return self._subject.name or self._subject.email if self._subject else "Everybody"

    @property
    def own_zone(self) -> str:
        """The zone that counts where none was chosen."""
        return self.workspace.zone_of(self._subject).key

    def close(self) -> None:
        """Stop asking; answers that are still under way are dropped."""
        self._closed = True
        self._forget_timer()
        self.unobserve_all()

    def _is_late(self, number: int, left: float) -> None:
        """Wait for so many seconds more, and say so."""
        self._cancel = self._runner.later(left, lambda: self._told(number, None, NoAnswer()))
        self.late = True

    def _told(self, number: int, result: Any, error: Exception | None) -> None:
        if number != self._asked or self._closed:
            return
        # What comes after the deadline is an answer to nothing any more.
        self._asked += 1
        self._forget_timer()
        if error is not None:
            log.warning("a question was not answered: %s", error, exc_info=error)
        with self.hold_trait_notifications():
            self.loading = self.late = False
            self.error = error
            self.attempts += 1
            if error is None:
                self._subject, self.data = result
                self.fetched_at = datetime.now(UTC)
        # Whoever observes may have asked anew, and that question has a deadline of its own.
        if not self.loading:
            self._set_timer()

    def _find_subject(self) -> User | None:
        """The one user asked about, found once; None for several or everybody."""
        whom = self.user or self.workspace.scope.only_user
        return self._subject or (self.workspace.find_user(whom) if whom else None)

    def _set_timer(self) -> None:
        self._forget_timer()
        if self.refetch_seconds and not self._closed:
            self._cancel = self._runner.later(self.refetch_seconds, self.refetch)

    def _forget_timer(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @observe("refetch_seconds")
    def _refetch_seconds_changed(self, _change: Any) -> None:
        # While a question is under way its answer sets the timer.
        if not self.loading and self._is_ready():
            self._set_timer()

    @observe("period", "zone")
    def _wanted_changed(self, _change: Any) -> None:
        if self._is_ready() and self._automatic:
            self.refetch()

    def _is_ready(self) -> bool:
        """Whether `__init__` is through: traits given to it are no change of mind."""
        return hasattr(self, "_cancel")


class UsageModel(Question):
    """Everything the page shows: a `model.results.Comparison`."""

    compare = Bool(False)

    def question(self) -> Callable[[], Any]:
        ask, user, period = self.workspace.get_analytics_data, self.user, self.period
        zone, compare = self.zone or None, self.compare
        return lambda: ask(user, period, zone=zone, compare=compare)

    @observe("compare")
    def _compare_changed(self, change: Any) -> None:
        self._wanted_changed(change)


class RenderModel(Question):
    """Renders alone: a `model.results.RenderStats`."""

    def question(self) -> Callable[[], Any]:
        ask, user, period, zone = self.workspace.get_render_stats, self.user, self.period, self.zone
        return lambda: ask(user, period, zone=zone or None)


class CreditModel(Question):
    """Credits alone: a `model.results.CreditStats`."""

    def question(self) -> Callable[[], Any]:
        ask, user, period, zone = self.workspace.get_credit_stats, self.user, self.period, self.zone
        return lambda: ask(user, period, zone=zone or None)


class ApiUsageModel(Question):
    """API calls alone: a `model.results.ApiStats`."""

    def question(self) -> Callable[[], Any]:
        ask, user, period = self.workspace.get_api_usage_stats, self.user, self.period
        zone = self.zone or None
        return lambda: ask(user, period, zone=zone)
