"""Jupyter's view of a visitor: whom its handlers are asked by, and which of them answer whom."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, cast

from jupyter_server.auth.identity import IdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, RequestHandler

from analytics_core.errors import AnalyticsError, NotAdmitted, UnknownUser
from analytics_core.identity.visitor import Visitor
from analytics_core.serving.gate import GatedApplication
from analytics_core.serving.kernels import QuietKernels
from analytics_core.serving.refusing import Designed, Refusal, TurnedAway

log = logging.getLogger(__name__)

_UNKNOWN = Refusal(
    403,
    "There is no usage of yours here",
    "Whoever sent you here knows you, but nothing has been recorded of you. If you have just"
    " begun, try again in a while.",
    again=True,
)
_NOT_NOW = Refusal(
    503,
    "This does not work right now",
    "The place where usage is kept does not answer. Please try again in a minute.",
    again=True,
)


@dataclass(kw_only=True)
class Guest(User):
    """A visitor as Jupyter's handlers know users."""

    visitor: Visitor


class Identities(IdentityProvider):
    """Tells Jupyter's handlers who passed the gate; there is nobody else, and no way to log in."""

    async def get_user(self, handler: RequestHandler) -> Guest:
        application = cast(GatedApplication, handler.application)
        ways = application.gate.ways
        try:
            visitor = await ways.visitor(application.admission_of(handler.request))
        except NotAdmitted as refused:
            log.warning("%s", refused)
            raise TurnedAway(ways.refusal(refused)) from None
        except UnknownUser:
            raise TurnedAway(_UNKNOWN) from None
        except (AnalyticsError, OSError) as failed:
            log.error("nobody can be let in: %s", failed)
            raise TurnedAway(_NOT_NOW) from None
        return Guest(visitor.key, visitor=visitor)

    def get_handlers(self) -> list[tuple[str, object]]:
        return []


class Personal(Designed, JupyterHandler):
    """A handler that answers a visitor, and whose answers nobody else may keep."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    @property
    def visitor(self) -> Visitor:
        """Who is asking."""
        return cast(Guest, self.current_user).visitor

    def keep_visitor(self) -> None:
        """Let the browser's next requests come in as this one did."""
        application = cast(GatedApplication, self.application)
        ways = application.gate.ways
        kept = ways.kept(application.admission_of(self.request), self.visitor)
        if kept is not None:
            self.add_header("Set-Cookie", kept)

    def set_cookie(self, name: str, value: str | bytes, *_: Any, **__: Any) -> None:
        """What Jupyter and tornado set, which is the one that scripts of the page read."""
        text = value.decode() if isinstance(value, bytes) else value
        line = self.settings["cookies"].line(name, text, is_readable=True)
        self.add_header("Set-Cookie", line)


class OwnersOnly(Personal):
    """Answers about a kernel, to its owner; to anybody else as if there were no such kernel."""

    async def prepare(self, **options: Any) -> None:
        await super().prepare(**options)
        kernels = cast(QuietKernels, self.kernel_manager)
        kernel_id = self.path_kwargs.get("kernel_id") or self.path_args[0]
        if not (
            kernels.is_owned(kernel_id, self.visitor.key) and await kernels.is_whole(kernel_id)
        ):
            raise HTTPError(404)
