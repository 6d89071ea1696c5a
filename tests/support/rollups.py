"""Rollups beside the same numbers without them, and crashes between any two statements."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import event

from analytics_core.dal.catalog import Catalog, own_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.repositories import Repositories
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.refresh import Refreshed, RollupRefresh
from analytics_core.dal.rollup.verify import CellDifference, RollupVerification
from analytics_core.dal.side_by_side import SideBySide
from analytics_core.model.daterange import DateRange
from analytics_core.model.results import Statistics
from analytics_core.model.scope import Scope
from analytics_core.services.statistics import StatisticsService
from analytics_core.services.window import Window


class Crash(Exception):
    """Stands for the end of a process; whatever it had not committed is gone."""


@contextmanager
def crashing(database: Database, after: int | None) -> Iterator[None]:
    """Within the block, the statement that comes `after` so many others is never sent."""
    left = [after]

    def count(*_: Any) -> None:
        if left[0] is not None:
            if left[0] == 0:
                raise Crash
            left[0] -= 1

    event.listen(database.engine, "before_cursor_execute", count)
    try:
        yield
    except Crash:
        pass
    finally:
        event.remove(database.engine, "before_cursor_execute", count)


def refresh(database: Database, *, worth: int = 1, now: datetime | None = None) -> Refreshed:
    """Refresh the rollups of a workspace's own database, where `worth` rows make a user rolled."""
    kept = Kept.own(database)
    steps = RollupRefresh(kept, database, own_catalog(), now or datetime.now(UTC), worth=worth)
    return sum(steps.run(), Refreshed())


def verified(database: Database) -> list[CellDifference]:
    return list(RollupVerification(Kept.own(database), database, own_catalog()).differences())


def statistics(
    database: Database,
    kept: Kept | None,
    user: str,
    dates: DateRange,
    now: datetime,
    catalog: Catalog | None = None,
) -> Statistics:
    """Everything a page shows, read from rollups or, where there is nothing kept, from rows."""
    side_by_side = SideBySide(database)
    try:
        repositories = Repositories.of(database, catalog or own_catalog(), kept)
        service = StatisticsService(repositories, side_by_side, lambda: now)
        return service.collect(Scope.user(user), Window(dates), compare=False).current
    finally:
        side_by_side.close()


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Raise where two answers differ by more than the order in which floats were added."""
    if isinstance(one, Statistics):
        one, other = asdict(one), asdict(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys(), f"{where}: {one} is not {other}"
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for n, (this, that) in enumerate(zip(one, other, strict=True)):
            assert_same(this, that, f"{where}[{n}]")
    elif isinstance(one, float) and isinstance(other, float):
        assert math.isclose(one, other, rel_tol=1e-9), f"{where}: {one} is not {other}"
    else:
        assert one == other, f"{where}: {one} is not {other}"
