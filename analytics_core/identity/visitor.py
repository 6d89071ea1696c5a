"""Whoever looks at a page: a user, a team or an operator, with what they may see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from analytics_core.model.scope import Scope


class Kind(StrEnum):
    """A user sees their own data, a team that of its users, an operator everyone's."""

    USER = "user"
    TEAM = "team"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody was verified to be, in the words of whoever vouches for it.

    `name` is a user's id or e-mail address, or what a team or an operator is called; `users` are
    the ids of a team's users. `zone` is an IANA name, or empty.
    """

    kind: Kind
    name: str
    users: frozenset[str] = frozenset()
    zone: str = ""

    @property
    def scope(self) -> Scope:
        """What this may see, once `name` is the id of a user."""
        match self.kind:
            case Kind.USER:
                return Scope.user(self.name)
            case Kind.TEAM:
                return Scope.team(self.users)
            case Kind.OPERATOR:
                return Scope.everyone()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is known here, as pages and kernels belong to them."""

    kind: Kind
    name: str
    scope: Scope
    zone: str = ""

    @classmethod
    def of(cls, claim: Claim) -> Visitor:
        """The visitor of a claim whose user, if it is one, is named by id."""
        return cls(claim.kind, claim.name, claim.scope, claim.zone)

    @classmethod
    def of_scope(cls, scope: Scope) -> Visitor:
        """Whoever has the link of a server that shows one scope to whoever has its link."""
        kind = Kind.OPERATOR if scope.is_everyone else Kind.USER if scope.only_user else Kind.TEAM
        return cls(kind, scope.only_user or "", scope)

    @property
    def key(self) -> str:
        """The same for the same person with the same scope, and telling nothing about them."""
        what = json.dumps([self.kind, self.name, self.scope.to_text()])
        return hashlib.blake2b(what.encode(), digest_size=16).hexdigest()
