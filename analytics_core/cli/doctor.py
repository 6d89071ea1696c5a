"""`analytics doctor`: is everything there and in order, and what could be better."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from analytics_core.settings import Settings


class Mark(StrEnum):
    WELL = "ok"
    ADVICE = "advice"
    WRONG = "wrong"


Finding: TypeAlias = tuple[Mark, str]
_MOST_DIFFERENCES = 20


def doctor(
    verify: Annotated[
        bool, typer.Option("--verify", help="Recompute the stored daily aggregates; reads it all.")
    ] = False,
) -> None:
    """Check databases, schema and profile; suggest missing indexes as SQL for their owner.

    Exit code 1 where something is wrong, 0 otherwise, advice or not.
    """
    from analytics_core.settings import Settings

    marks = set()
    for mark, line in _findings(Settings.read(), verify):
        marks.add(mark)
        typer.echo(f"{mark:<7}{line}")
    raise typer.Exit(1 if Mark.WRONG in marks else 0)


def _findings(settings: Settings, verify: bool) -> Iterator[Finding]:
    from analytics_core.errors import AnalyticsError

    for check in (
        _looked_at,
        _state,
        _rollups,
        _recorded,
        *([_daily_aggregates] if verify else []),
    ):
        try:
            yield from check(settings)
        except AnalyticsError as problem:
            yield Mark.WRONG, str(problem)


def _looked_at(settings: Settings) -> Iterator[Finding]:
    """The database that pages read: reachable, of this schema or fitting its profile, indexed."""
    from analytics_core.dal.indexes import missing_indexes
    from analytics_core.dal.profile import read_profile
    from analytics_core.model.scope import Scope
    from analytics_core.workspace import Workspace

    with Workspace.open(settings, Scope.everyone()) as workspace:
        database = workspace.database
        yield Mark.WELL, f"{database.label} answers ({database.server()})"
        _ = workspace.repositories
        if settings.profile is None:
            yield Mark.WELL, "its tables are those of this version"
            return
        yield Mark.WELL, f"it fits the profile {settings.profile}"
        if database.may_write():
            yield Mark.ADVICE, "this role may write there; one that may only read is safer"
        suggestions = missing_indexes(database, read_profile(settings.profile))
        if not suggestions:
            yield Mark.WELL, "every index that pages need is there"
            return
        advice = "pages would be faster with these indexes (its owner may run this):"
        yield Mark.ADVICE, "\n".join([advice, *suggestions])


def _state(settings: Settings) -> Iterator[Finding]:
    """The database for what the workspace keeps beside a product's."""
    from analytics_core.dal import schema
    from analytics_core.dal.database import Database

    if settings.profile is None:
        return
    if settings.state_url is None:
        yield Mark.WELL, "no ANALYTICS_STATE_URL: nothing is kept, every read is direct"
        return
    state = Database(settings.state_url.get_secret_value())
    try:
        schema.check(state, schema.STATE)
        yield Mark.WELL, f"{state.label} keeps what the workspace keeps"
    finally:
        state.close()


def _rollups(settings: Settings) -> Iterator[Finding]:
    """How much of what pages read is added up, and what keeping it so costs a product."""
    from analytics_core.dal.indexes import missing_to_follow
    from analytics_core.dal.profile import read_profile
    from analytics_core.model.scope import Scope
    from analytics_core.workspace import Workspace

    if settings.profile is not None and settings.state_url is None:
        return
    with Workspace.open(settings, Scope.everyone()) as workspace:
        rolled, marked = workspace.rollups_kept()
        if rolled:
            yield Mark.WELL, f"rollups of {rolled} users, {marked} of their days to be renewed"
        if settings.profile is None:
            return
        missing = missing_to_follow(workspace.database, read_profile(settings.profile))
        if missing:
            told = "without these indexes `analytics rollup refresh` reads whole tables each time:"
            yield Mark.ADVICE, "\n".join([told, *missing])


def _recorded(settings: Settings) -> Iterator[Finding]:
    """Events on their way into the database, where anything was ever recorded."""
    from analytics_core.dal.database import Database
    from analytics_core.telemetry.health import findings

    if settings.profile is not None or not settings.spool_folder.exists():
        return
    database = Database(settings.database_url.get_secret_value())
    try:
        for is_well, line in findings(settings.spool_folder, database):
            yield Mark.WELL if is_well else Mark.ADVICE, line
    finally:
        database.close()


def _daily_aggregates(settings: Settings) -> Iterator[Finding]:
    """The stored aggregate of every user and UTC day against what its records add up to."""
    from analytics_core.model.scope import Scope
    from analytics_core.workspace import Workspace

    with Workspace.open(settings, Scope.everyone()) as workspace:
        found = workspace.repositories.usage_tracking.differences(
            workspace.scope, _MOST_DIFFERENCES
        )
    if not found:
        yield Mark.WELL, "the stored daily aggregates equal a recomputation"
    for day in found:
        off = day.amounts
        yield (
            Mark.WRONG,
            f"usage_tracking of {day.user_id} on {day.date} lacks {off.renders_created} renders,"
            f" {off.credits_spent} credits, {off.api_calls} API calls, {off.storage_used} bytes",
        )
    if len(found) == _MOST_DIFFERENCES:
        yield Mark.WRONG, "there may be more"
