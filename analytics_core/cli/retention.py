"""`analytics retention`: letting go of what is kept for a time only."""

from __future__ import annotations

from collections import Counter

import typer

app = typer.Typer(help="Keep records only as long as settings say.", no_args_is_help=True)


@app.command()
def show() -> None:
    """Show what is kept for how long, and how much would go now."""
    from rich import box
    from rich.table import Table

    from analytics_core.charts.formats import count
    from analytics_core.cli.asking import opened
    from analytics_core.cli.terminal import results
    from analytics_core.model.keeping import Kind
    from analytics_core.settings import Settings

    settings = Settings.read()
    with opened(settings) as workspace:
        found = {one.kind: one for one in workspace.retention()}
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("kind", "kept", "since"):
        table.add_column(name)
    table.add_column("would go", justify="right")
    for kind in Kind:
        one = found.get(kind)
        if one is None:
            table.add_row(kind, "for good", "", "")
        else:
            table.add_row(kind, str(one.keep), str(one.first_day), count(one.older))
    results().print(table)


@app.command()
def apply() -> None:
    """Let go of what is kept long enough. Safe to kill, to run again, and to run twice at once."""
    from analytics_core.charts.formats import count
    from analytics_core.cli.asking import opened
    from analytics_core.settings import Settings

    settings = Settings.read()
    gone: Counter[str] = Counter()
    with opened(settings) as workspace:
        for kind, rows in workspace.apply_retention():
            gone[kind] += rows
    for kind in settings.keeping:
        typer.echo(f"{kind}: {count(gone[kind])} records are gone.")
    if not settings.keeping:
        typer.echo("Everything is kept for good.")
