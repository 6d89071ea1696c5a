"""Plugin API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import SelectBase, and_, bindparam, case, func, or_, select

from analytics_core.dal.catalog import Catalog
from analytics_core.dal.question import Form, Questioner
from analytics_core.model.scope import Scope


@dataclass(frozen=True, slots=True)
class KeyCount:
    """All keys, and those switched on, used at least once and not expired."""

    keys: int
    active: int


class ApiKeyRepository:
    def __init__(self, questioner: Questioner[Catalog]) -> None:
        self._questioner = questioner

    def count(self, scope: Scope, now: datetime) -> KeyCount:
        return KeyCount(*self._questioner.ask(write_count, scope, now=now)[0])


def write_count(catalog: Catalog, form: Form) -> SelectBase:
    k = catalog.plugin_api_keys.c
    active = and_(
        k.is_active,
        k.last_used_at.is_not(None),
        or_(k.expires_at.is_(None), k.expires_at > bindparam("now")),
    )
    return select(func.count(), func.count(case((active, 1)))).where(form.within(k.user_id))
