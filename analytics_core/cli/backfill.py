"""`analytics backfill`: events that are older than recording takes, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def backfill(
    file: Annotated[
        Path, typer.Argument(help="Events as JSON, one a line.", exists=True, dir_okay=False)
    ],
) -> None:
    """Count old events from a file; what is there already is not counted again.

    Exit code 1 where some could not be counted; they are set aside, as `analytics spool` shows.
    """
    from datetime import UTC, datetime

    from analytics_core.cli.spool import own_database, told
    from analytics_core.dal import schema
    from analytics_core.dal.ingest import Ingested
    from analytics_core.telemetry.backfill import backfill

    _, database = own_database()
    try:
        schema.check(database)
        with file.open("rb") as lines:
            done = sum(backfill(database, lines, datetime.now(UTC)), Ingested())
    finally:
        database.close()
    typer.echo(told(done))
    raise typer.Exit(1 if done.set_aside else 0)
