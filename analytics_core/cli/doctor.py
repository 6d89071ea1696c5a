"""`analytics doctor`: is everything there and in order, and what could be better."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from analytics_core.dal.database import Database
    from analytics_core.dal.schema import Schema
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
    print_sql: Annotated[
        bool,
        typer.Option(
            "--print-sql",
            help="Only print row-level security for a product's database, for its owner to run.",
        ),
    ] = False,
) -> None:
    """Check databases, schema and profile; suggest missing indexes as SQL for their owner.

    Exit code 1 where something is wrong, 0 otherwise, advice or not.
    """
    from analytics_core.settings import Settings

    settings = Settings.read()
    if print_sql:
        typer.echo(_host_sql(settings))
        return
    marks = set()
    for mark, line in _findings(settings, verify):
        marks.add(mark)
        typer.echo(f"{mark:<7}{line}")
    raise typer.Exit(1 if Mark.WRONG in marks else 0)


def _findings(settings: Settings, verify: bool) -> Iterator[Finding]:
    from analytics_core.errors import AnalyticsError

    told: set[str] = set()
    for check in (
        _looked_at,
        _row_security,
        _state,
        _rollups,
        _recorded,
        _forgotten,
        *([_daily_aggregates] if verify else []),
    ):
        try:
            yield from check(settings)
        except AnalyticsError as problem:
            # A state database that is not in order keeps more than one check from its work.
            if str(problem) not in told:
                yield Mark.WRONG, str(problem)
            told.add(str(problem))


def _host_sql(settings: Settings) -> str:
    from analytics_core.dal.host_security import host_sql
    from analytics_core.dal.profile import read_profile
    from analytics_core.errors import SettingsError

    if settings.profile is None:
        raise SettingsError(
            "ANALYTICS_PROFILE",
            "--print-sql is for a product's database; in the workspace's own `analytics init` does"
            " what is needed",
        )
    return host_sql(read_profile(settings.profile))


def _row_security(settings: Settings) -> Iterator[Finding]:
    """Whether rows are held back by the databases themselves, on PostgreSQL."""
    from analytics_core.dal import schema
    from analytics_core.dal.database import Database

    looked_at = Database(settings.database_url.get_secret_value())
    state_url = settings.state_url if settings.profile is not None else None
    state = state_url and Database(state_url.get_secret_value())
    try:
        if looked_at.dialect == "postgresql":
            if settings.profile is not None:
                yield from _held_at_host(looked_at, settings)
            else:
                yield from _held(looked_at, schema.WORKSPACE)
            yield from _readers(looked_at, settings)
        if state and state.dialect == "postgresql":
            yield from _held(state, schema.STATE)
    finally:
        looked_at.close()
        if state:
            state.close()


def _held(database: Database, which: Schema) -> Iterator[Finding]:
    """Whether policies are on every table of ours that holds rows of people."""
    from analytics_core.dal.row_security import missing_roles, unprotected

    if not database.standing().checks:
        yield Mark.WRONG, f"row-level security is not set up in {database.label}: `analytics init`"
        return
    with database.engine.connect() as connection:
        tables, roles = unprotected(connection, which.metadata), missing_roles(connection)
    if tables:
        off = ", ".join(tables)
        yield Mark.WRONG, f"row-level security is not forced on {off}: run `analytics init`"
    else:
        yield Mark.WELL, f"row-level security is forced in {database.label}"
    if roles:
        wanted = [f"{statement};" for statement in roles]
        told = "roles are missing; have somebody run this who may, then `analytics init`:"
        yield Mark.ADVICE, "\n".join([told, *wanted])


def _held_at_host(database: Database, settings: Settings) -> Iterator[Finding]:
    """Whether a product's owner has put policies on what the profile reads."""
    from analytics_core.dal.host_security import not_held_back
    from analytics_core.dal.profile import read_profile

    if not database.standing().checks:
        yield (
            Mark.ADVICE,
            "this database does not hold rows back itself; `analytics doctor --print-sql` prints"
            " row-level security for its owner",
        )
        return
    with database.engine.connect() as connection:
        tables = not_held_back(connection, read_profile(str(settings.profile)))
    if tables:
        off = ", ".join(tables)
        yield Mark.WRONG, f"row-level security is not on for {off}: `analytics doctor --print-sql`"
    else:
        yield Mark.WELL, "row-level security is on for the tables of the profile"
    if not settings.grant_keys:
        yield (
            Mark.WRONG,
            "this database checks grants: ANALYTICS_GRANT_KEY needs the key its owner was shown",
        )


def _readers(database: Database, settings: Settings) -> Iterator[Finding]:
    """Whether dashboards and reports have a role that is held back."""
    from analytics_core.dal.database import Database

    ours = database.standing()
    if ours.bypasses:
        yield Mark.ADVICE, f"{ours.role} is not held back by row-level security: for commands only"
    if settings.reader_url is None:
        if not ours.is_held_back:
            yield (
                Mark.ADVICE,
                f"dashboards and reports do not run as {ours.role}: set ANALYTICS_READER_URL",
            )
        return
    reader = Database(settings.reader_url.get_secret_value())
    try:
        theirs = reader.standing()
    finally:
        reader.close()
    if theirs.is_held_back:
        yield Mark.WELL, f"dashboards and reports read as {theirs.role}"
    else:
        yield Mark.WRONG, f"ANALYTICS_READER_URL is {theirs.role}, which no grant holds back"


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


def _forgotten(settings: Settings) -> Iterator[Finding]:
    """How many people nothing is shown or taken of any more."""
    from analytics_core.model.scope import Scope
    from analytics_core.workspace import Workspace

    if settings.profile is not None and settings.state_url is None:
        return
    with Workspace.open(settings, Scope.everyone()) as workspace:
        if people := workspace.forgotten():
            yield Mark.WELL, f"{people} people were forgotten"


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
