"""`analytics init`: make or bring up to date the workspace's own databases."""

from __future__ import annotations

from datetime import UTC, datetime

import typer


def init() -> None:
    """Create the workspace's database, or bring it up to date. Safe to run again."""
    from analytics_core.dal import schema
    from analytics_core.dal.database import Database
    from analytics_core.dal.state import StateRepository, keep_apart
    from analytics_core.settings import Settings

    settings = Settings.read()
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
        schema.upgrade(looked_at)
        typer.echo(f"{looked_at.label} is ready.")
    if state:
        schema.upgrade(state, schema.STATE)
        number = StateRepository(state).source_number(looked_at, datetime.now(UTC))
        typer.echo(f"{state.label} is ready; it knows {looked_at.label} as number {number}.")
