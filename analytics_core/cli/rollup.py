"""`analytics rollup`: what users with many rows have, added up beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analytics_core.dal.rollup.verify import CellDifference

app = typer.Typer(help="Keep what pages read of large users added up.", no_args_is_help=True)


@app.command()
def refresh() -> None:
    """Bring the rollups up to date. Safe to run at any time, twice at once, and to kill.

    Pages are current without it, too; they are only slower where much has changed since.
    """
    from analytics_core.cli.asking import opened
    from analytics_core.settings import Settings

    users = days = 0
    with opened(Settings.read()) as workspace:
        for step in workspace.refresh_rollups():
            users, days = users + step.users, days + step.days
    typer.echo(f"{users} more users are kept added up; {days} days of users were renewed.")


@app.command()
def verify(
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Only so many months of users, taken at random."),
    ] = None,
) -> None:
    """Recompute the rollups from the rows and print each difference.

    Exit code 1 where there is any, 0 otherwise.
    """
    from analytics_core.cli.asking import opened
    from analytics_core.settings import Settings

    found = 0
    with opened(Settings.read()) as workspace:
        for difference in workspace.verify_rollups(sample):
            found += 1
            typer.echo(_line(difference))
    typer.echo(f"{found} differences." if found else "The rollups equal a recomputation.")
    raise typer.Exit(1 if found else 0)


def _line(one: CellDifference) -> str:
    where = (
        f"{one.user_id} {one.dimension} {one.member!r}"
        f" {one.start:%Y-%m-%dT%H:%M}Z for {one.width // 60} minutes"
    )
    return f"{where}: kept {_told(one.kept)}, the rows say {_told(one.recomputed)}"


def _told(measures: tuple[object, ...] | None) -> str:
    if measures is None:
        return "nothing"
    count, amount, timed, seconds = measures
    return f"{count} (amount {amount}, {timed} timed, {seconds} seconds)"
