"""`analytics spool`: events on their way into the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analytics_core.dal.database import Database
    from analytics_core.dal.ingest import Ingested
    from analytics_core.settings import Settings

app = typer.Typer(help="Look after events on their way into the database.", no_args_is_help=True)


@app.command()
def status(
    openmetrics: Annotated[
        bool, typer.Option("--openmetrics", help="Print it as OpenMetrics text.")
    ] = False,
) -> None:
    """Show what waits, since when, why, and what could not be counted."""
    from analytics_core.telemetry import health

    settings, database = own_database()
    try:
        if openmetrics:
            typer.echo(health.openmetrics(settings.spool_folder, database), nl=False)
            return
        for _, line in health.findings(settings.spool_folder, database):
            typer.echo(line)
    finally:
        database.close()


@app.command()
def drain(
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until Ctrl+C or SIGTERM.")
    ] = False,
) -> None:
    """Write what waits in the spool into the database, as long as that takes.

    Only one process at a time does so; where another is at it, nothing is left to do.
    """
    import signal

    from analytics_core.telemetry.writer import Writer

    settings, database = own_database()
    writer = Writer(database, settings.spool_folder)
    signal.signal(signal.SIGTERM, lambda *_: writer.stop())
    try:
        if follow:
            writer.follow()
            return
        done = writer.drain()
        typer.echo("Another process is writing already." if done is None else told(done))
    finally:
        writer.close()


@app.command()
def retry() -> None:
    """Try again what was set aside, after its reason is gone."""
    from datetime import UTC, datetime

    from analytics_core.dal.ingest import IngestRepository

    _, database = own_database()
    try:
        typer.echo(told(IngestRepository(database).retry(datetime.now(UTC))))
    finally:
        database.close()


def told(done: Ingested) -> str:
    forgotten = f", {done.forgotten} of people who were forgotten" if done.forgotten else ""
    return (
        f"{done.counted} events counted, {done.repeated} had been before,"
        f" {done.set_aside} set aside{forgotten}."
    )


def own_database() -> tuple[Settings, Database]:
    from analytics_core.dal.database import Database
    from analytics_core.errors import ReadOnlyDatabase
    from analytics_core.settings import Settings

    settings = Settings.read()
    if settings.profile is not None:
        raise ReadOnlyDatabase(
            "ANALYTICS_PROFILE names a product's own database, where nothing is recorded"
        )
    return settings, Database(settings.database_url.get_secret_value())
