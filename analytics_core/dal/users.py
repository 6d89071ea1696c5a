"""Users, found by e-mail address or id within a scope."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SelectBase, bindparam, or_, select

from analytics_core.dal.catalog import Catalog, may_be_text
from analytics_core.dal.question import Form, Questioner
from analytics_core.errors import UnknownUser
from analytics_core.model.scope import Scope
from analytics_core.model.user import User


class UserRepository:
    def __init__(self, catalog: Catalog, questioner: Questioner[Catalog]) -> None:
        self._catalog, self._questioner = catalog, questioner

    def get_one(self, email_or_id: str, scope: Scope) -> User:
        """The user with this e-mail address or id; raises `UnknownUser`, also outside the scope."""
        if not may_be_text(email_or_id):
            raise UnknownUser(email_or_id)
        asked: dict[str, Any] = {"email": email_or_id}
        write = write_by_email
        if self._catalog.may_be_id(email_or_id, self._catalog.users.c.id.type):
            write, asked["id"] = write_by_email_or_id, email_or_id
        rows = self._questioner.ask(write, scope, **asked)
        if not rows:
            raise UnknownUser(email_or_id)
        return User(*rows[0])

    def all_ids(self, scope: Scope) -> list[str]:
        """The ids of all users of the scope, in order of their e-mail addresses."""
        return [str(row[0]) for row in self._questioner.ask(write_ids, scope)]


def write_ids(catalog: Catalog, form: Form) -> SelectBase:
    u = catalog.users.c
    return select(u.id).where(form.within(u.id)).order_by(u.email, u.id)


def write_by_email(catalog: Catalog, form: Form) -> SelectBase:
    return _write(catalog, form, _has_email(catalog))


def write_by_email_or_id(catalog: Catalog, form: Form) -> SelectBase:
    u = catalog.users.c
    has_id = u.id == bindparam("id", type_=u.id.type)
    return _write(catalog, form, or_(_has_email(catalog), has_id))


def _write(catalog: Catalog, form: Form, matches: ColumnElement[bool]) -> SelectBase:
    u = catalog.users.c
    return (
        select(*(u[name] for name in User.__slots__))
        .where(matches, form.within(u.id))
        # An id that looks like somebody else's address must not open that somebody's data.
        .order_by(_has_email(catalog))
        .limit(1)
    )


def _has_email(catalog: Catalog) -> ColumnElement[bool]:
    email = catalog.users.c.email
    return email == bindparam("email", type_=email.type)
