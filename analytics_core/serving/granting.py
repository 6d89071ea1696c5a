"""What visitors are granted, and how a kernel is told of it: out of any browser's reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from analytics_core.identity.sessions import LONGEST_SECONDS
from analytics_core.identity.visitor import Kind, Visitor
from analytics_core.model.audited import Action
from analytics_core.model.scope import Scope
from analytics_core.settings import PREFIX, Settings
from analytics_core.workspace import Workspace

_KEPT = timedelta(days=1)
# As long as a session lasts at most, also where it was kept meanwhile.
_A_PAGE = timedelta(seconds=LONGEST_SECONDS) + _KEPT
# Of a server that asks for nobody by itself; whom it does ask for is said each time.
_ITS_OWN = timedelta(days=3650)
_MOST_KEPT = 10_000


class Granting:
    """Grants visitors what is theirs, signed where the database asks for that.

    What was granted is kept for a day, as it may take a question to the database to sign it.
    """

    def __init__(
        self,
        workspace: Workspace,
        only: Visitor | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`workspace` is one that may sign, and that keeps the audit log.

        `only` is who alone will come, if it is one: whoever serves them has noted it.
        """
        self._workspace, self._only, self._clock = workspace, only, clock
        self._given: dict[Scope, tuple[datetime, str]] = {}
        if only is not None:
            self.own = only.scope
        elif workspace.scope.is_everyone:
            # An id that is made up here is nobody's.
            self.own = Scope.user(f"nobody-{uuid4()}")
        else:
            # Of a server that was granted less itself, and may not be able to sign anything.
            self.own = workspace.scope

    def grant(self, visitor: Visitor) -> str:
        """The grant of a visitor's page, noted before where it shows somebody else's rows.

        Raises `ScopeError`, `DatabaseUnavailable` and `AccessEnded`.
        """
        if visitor.kind is not Kind.USER and self._only is None:
            who = f"{visitor.kind} {visitor.name}".strip()
            self._workspace.record_use(Action.READ, visitor.scope, "dashboard", who=who)
        return self.of(visitor.scope)

    def of(self, scope: Scope) -> str:
        """A grant of a scope, without a note; raises as `grant`."""
        now = self._clock()
        since, grant = self._given.get(scope, (datetime.min.replace(tzinfo=UTC), ""))
        if now - since > _KEPT:
            grant = self._workspace.grant(scope, now + _A_PAGE)
            if len(self._given) >= _MOST_KEPT:
                self._given.clear()
            self._given[scope] = now, grant
        return grant

    def anew(self, scope: Scope) -> str:
        """Another grant of a scope, where the one before is not believed; raises as `grant`."""
        self._given.pop(scope, None)
        return self.of(scope)

    def reader(self) -> Settings:
        """The settings of what paints and of kernels, which by themselves see only `own`.

        Raises `NotHeldBack`.
        """
        return self._workspace.for_reader(self.own, self._clock() + _ITS_OWN)


def granting(visitor: Visitor, grant: str) -> str:
    """The statement that makes a kernel a visitor's; before it, nothing can be read there."""
    told = {f"{PREFIX}GRANT": grant}
    if visitor.zone:
        told[f"{PREFIX}ZONE"] = visitor.zone
    return f"import os\nos.environ.update({told!r})"
