"""How commands read whose data and which dates are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from analytics_core.dal.grants import scope_of
from analytics_core.errors import RangeError, ScopeError
from analytics_core.model.daterange import DateRange, read_date
from analytics_core.model.scope import Scope
from analytics_core.settings import Settings
from analytics_core.workspace import Workspace


def granted_scope(settings: Settings) -> Scope:
    """The scope a command works within: everyone, except in a process that was granted less.

    A notebook's shell hands its grant on to the commands it runs, which must not widen it.
    """
    return Scope.everyone() if settings.grant is None else scope_of(settings.grant)


@contextmanager
def opened(settings: Settings) -> Iterator[Workspace]:
    """The workspace of a command; where row-level security does not hold it, that is said.

    At the end: a command that fails says why, in one line.
    """
    with Workspace.open(settings, granted_scope(settings)) as workspace:
        yield workspace
        if role := workspace.bypassing_role():
            typer.echo(f"warning: row-level security does not hold back {role}", err=True)


def asked_scope(workspace: Workspace, users: Sequence[str] | None, everyone: bool) -> Scope:
    """The scope of `--user` (several make a team) or `--everyone`, one of which must be given."""
    if bool(users) == everyone:
        raise ScopeError("say whose data: --user EMAIL_OR_ID, or --everyone")
    if everyone:
        return workspace.scope.narrow(Scope.everyone())
    return Scope.team(workspace.find_user(user).id for user in users or ())


def asked_dates(
    workspace: Workspace, scope: Scope, first: str | None, last: str | None, zone: str | None
) -> DateRange | None:
    """The range of `--from` and `--to` in the zone that counts; None where neither is given."""
    user = workspace.find_user(scope.only_user) if scope.only_user else None
    dates_zone = workspace.zone_of(user, zone)
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise RangeError("--from and --to go together; leave out both for everything")
    return DateRange(read_date(first), read_date(last), dates_zone)
