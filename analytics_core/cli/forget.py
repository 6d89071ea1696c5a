"""`analytics forget`: a person, removed from everything that the workspace keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analytics_core.dal.forgetting import Remembered


def forget(
    user: Annotated[str, typer.Option("--user", help="E-mail address or id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, for scripts.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
) -> None:
    """Remove a person from everything the workspace keeps, for good.

    Lists what will go and asks. Events of theirs that come later are not taken. A product's own
    database is not written: what it still has is named, and read no more.
    """
    from analytics_core.cli.asking import opened
    from analytics_core.settings import Settings

    settings = Settings.read()
    with opened(settings) as workspace:
        who = workspace.find_person(user)
        if who.forgotten_at is not None:
            typer.echo(f"{user} was forgotten on {who.forgotten_at:%Y-%m-%d}.")
        held = workspace.held_about(who)
        _show(f"The workspace keeps of {user}:", held)
        if not dry_run:
            if who.forgotten_at is None and not yes:
                _confirm(who, user)
            gone = workspace.forget(who, "analytics forget")
            again = " again" if who.forgotten_at is not None else ""
            typer.echo(f"Forgotten{again}: {sum(gone.values())} rows are gone.")
        left = workspace.left_at_host(who)
    if left:
        _show("The product's database has, for its owner to delete:", left)


def _confirm(who: Remembered, user: str) -> None:
    from analytics_core.errors import NotConfirmed

    typed = typer.prompt(f"This cannot be undone. Type {user} to forget them", err=True)
    if typed.strip() not in (user, who.email, who.id):
        raise NotConfirmed("that is not whom you asked to forget; nothing was done")


def _show(heading: str, rows: Mapping[str, int]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from analytics_core.charts.formats import count
    from analytics_core.cli.terminal import results

    found = {name: number for name, number in rows.items() if number}
    if not found:
        typer.echo(f"{heading} nothing.")
        return
    typer.echo(heading)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, number in found.items():
        table.add_row(escape(name), count(number))
    results().print(table)
