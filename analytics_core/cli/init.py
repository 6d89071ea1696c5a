"""`analytics init`: make or bring up to date the workspace's own databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analytics_core.dal.database import Database


def init(
    new_grant_key: Annotated[
        bool,
        typer.Option(
            "--new-grant-key",
            help="Make another key for grants, on PostgreSQL; the one before stays good.",
        ),
    ] = False,
) -> None:
    """Create the workspace's database, or bring it up to date. Safe to run again.

    On PostgreSQL, row-level security and the roles that read by it are part of that.
    """
    from analytics_core.dal import schema
    from analytics_core.dal.database import Database
    from analytics_core.dal.grants import GrantKey, renew_key
    from analytics_core.dal.state import StateRepository, keep_apart
    from analytics_core.errors import SettingsError
    from analytics_core.settings import Settings

    settings = Settings.read()
    keys = [GrantKey.from_text(key) for key in settings.grant_keys]
    is_host = settings.profile is not None
    looked_at = Database(
        settings.database_url.get_secret_value(), read_only=is_host, create=not is_host
    )
    state = settings.state_url and Database(settings.state_url.get_secret_value(), create=True)
    if state and is_host:
        keep_apart(state, looked_at)
    if is_host:
        typer.echo("A product's own database is read in place: nothing is created there.")
    else:
        schema.upgrade(looked_at, grant_keys=keys)
        typer.echo(f"{looked_at.label} is ready.")
        _tell_roles(looked_at)
    if state:
        schema.upgrade(state, schema.STATE, keys)
        number = StateRepository(state).source_number(looked_at, datetime.now(UTC))
        _tell_roles(state)
        typer.echo(f"{state.label} is ready; it knows {looked_at.label} as number {number}.")
    if new_grant_key:
        renewed = state if is_host else looked_at
        if keys or not renewed or renewed.dialect != "postgresql":
            raise SettingsError(
                "--new-grant-key", "it is for a PostgreSQL database that makes its own keys"
            )
        with renewed.write() as transaction:
            renew_key(transaction)
            transaction.commit()
        typer.echo("A new key signs grants; those that the last one signed stay good.")


def _tell_roles(database: Database) -> None:
    """Say what somebody who may make roles has to run, where ours may not."""
    from analytics_core.dal.row_security import missing_roles

    if database.dialect != "postgresql":
        return
    with database.read() as connection:
        missing = missing_roles(connection)
    if missing:
        wanted = "\n".join(f"{statement};" for statement in missing)
        typer.echo(
            "This role may not make others. Have somebody run this who may, then run"
            f" `analytics init` again:\n{wanted}"
        )
