"""Whose data a read may see: one user, the users of a team, or everyone, asked for by name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from analytics_core.errors import ScopeError


@dataclass(frozen=True, slots=True)
class Scope:
    """The users whose rows a read may return.

    Made with `user`, `team` or `everyone`; never by leaving something out. `user_ids` is None only
    for everyone.
    """

    user_ids: frozenset[str] | None

    def __post_init__(self) -> None:
        if self.user_ids is not None and not all(self.user_ids):
            raise ScopeError("a scope needs user ids that are not empty")
        if self.user_ids is not None and not self.user_ids:
            raise ScopeError("a scope needs at least one user")

    @classmethod
    def user(cls, user_id: str) -> Scope:
        return cls(frozenset({user_id}))

    @classmethod
    def team(cls, user_ids: Iterable[str]) -> Scope:
        return cls(frozenset(user_ids))

    @classmethod
    def everyone(cls) -> Scope:
        return cls(None)

    @property
    def is_everyone(self) -> bool:
        return self.user_ids is None

    @property
    def only_user(self) -> str | None:
        """The one user of this scope, or None where it holds several or everyone."""
        if self.user_ids is None or len(self.user_ids) != 1:
            return None
        return next(iter(self.user_ids))

    def contains(self, other: Scope) -> bool:
        """Whether every row that `other` may see may be seen within this scope too."""
        if self.user_ids is None:
            return True
        return other.user_ids is not None and other.user_ids <= self.user_ids

    def narrow(self, other: Scope) -> Scope:
        """`other`, if this scope contains it; raises `ScopeError` otherwise."""
        if not self.contains(other):
            raise ScopeError("that is outside the scope granted here")
        return other

    def to_text(self) -> str:
        """One line that `from_text` reads back: how a launcher hands a scope to a kernel."""
        if self.user_ids is None:
            return json.dumps({"everyone": True})
        return json.dumps({"users": sorted(self.user_ids)})

    @classmethod
    def from_text(cls, text: str) -> Scope:
        """Read what `to_text` wrote; raises `ScopeError` for anything else."""
        try:
            grant = json.loads(text)
        except (ValueError, RecursionError):
            raise ScopeError("the granted scope cannot be read") from None
        match grant:
            case {"everyone": True, **rest} if not rest:
                return cls.everyone()
            case {"users": [*ids], **rest} if not rest and all(isinstance(i, str) for i in ids):
                return cls.team(ids)
        raise ScopeError("the granted scope cannot be read")
