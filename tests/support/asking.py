"""A workspace that answers what it is told to, and a runner that answers when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from analytics_core.model.results import Comparison
from analytics_core.model.scope import Scope
from analytics_core.model.user import User
from tests.support.samples import sample_comparison

MARA = User("u1", "mara@example.com", "Studio Northlight", "Asia/Kolkata", None, None)


@dataclass
class FakeWorkspace:
    """Answers with `answer`, or raises it; remembers what it was asked."""

    answer: Any = field(default_factory=sample_comparison)
    scope: Scope = field(default_factory=lambda: Scope.user("u1"))
    asked: list[tuple[str, Any, str | None, bool]] = field(default_factory=list)

    @contextmanager
    def within(
        self, scope: Scope, zone: str | None = None, *, grant: str | None = None
    ) -> Iterator[FakeWorkspace]:
        assert self.scope.contains(scope)
        yield self

    def get_analytics_data(
        self, user: Any, period: Any, *, zone: str | None = None, compare: bool = False
    ) -> Comparison:
        return self._told("everything", period, zone, compare)

    def get_render_stats(self, user: Any, period: Any, *, zone: str | None = None) -> Any:
        return self._told("renders", period, zone, False)

    def get_credit_stats(self, user: Any, period: Any, *, zone: str | None = None) -> Any:
        return self._told("credits", period, zone, False)

    def get_api_usage_stats(self, user: Any, period: Any, *, zone: str | None = None) -> Any:
        return self._told("api", period, zone, False)

    def find_user(self, email_or_id: str) -> User:
        return MARA

    def zone_of(self, user: User | None, zone: str | None = None) -> ZoneInfo:
        return ZoneInfo(zone or (user and user.zone) or "UTC")

    def _told(self, question: str, period: Any, zone: str | None, compare: bool) -> Any:
        self.asked.append((question, period, zone, compare))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class ByHand:
    """A runner whose answers come when the test says so, in the order it says."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Any], Callable[[Any, Exception | None], None]]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def run(self, work: Callable[[], Any], done: Callable[[Any, Exception | None], None]) -> None:
        self.waiting.append((work, done))

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        timer = (seconds, call)
        self.timers.append(timer)
        return lambda: self.timers.remove(timer)

    def answer(self, number: int = 0) -> None:
        work, done = self.waiting.pop(number)
        try:
            result = work()
        except Exception as raised:
            done(None, raised)
        else:
            done(result, None)
