"""Users, found by e-mail address or id within a scope."""

from __future__ import annotations

from sqlalchemy import or_, select

from analytics_core.dal.catalog import Catalog, may_be_text
from analytics_core.dal.database import Database
from analytics_core.errors import UnknownUser
from analytics_core.model.scope import Scope
from analytics_core.model.user import User


class UserRepository:
    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog

    def get_one(self, email_or_id: str, scope: Scope) -> User:
        """The user with this e-mail address or id; raises `UnknownUser`, also outside the scope."""
        u = self._catalog.users.c
        if not may_be_text(email_or_id):
            raise UnknownUser(email_or_id)
        matches = u.email == email_or_id
        if self._catalog.may_be_id(email_or_id, u.id.type):
            matches = or_(matches, u.id == email_or_id)
        statement = (
            select(*(u[name] for name in User.__slots__))
            .where(matches, self._catalog.within(scope, u.id))
            # An id that looks like somebody else's address must not open that somebody's data.
            .order_by(u.email == email_or_id)
            .limit(1)
        )
        rows = self._database.rows(statement)
        if not rows:
            raise UnknownUser(email_or_id)
        return User(*rows[0])
