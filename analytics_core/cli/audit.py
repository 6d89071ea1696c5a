"""`analytics audit`: who read whose data, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from analytics_core.cli.options import Format

if TYPE_CHECKING:
    from analytics_core.model.audited import Audited

app = typer.Typer(help="Who read, exported and reported whose data.", no_args_is_help=True)
_FORGOTTEN, _EVERYONE = "(forgotten)", "everyone"


@app.command("list")
def list_(
    since: Annotated[
        str | None, typer.Option(help="The first UTC date, YYYY-MM-DD; without: since ever.")
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="For people or programs.")] = (
        Format.TABLE
    ),
) -> None:
    """Print the audit log, oldest first.

    People are named by their ids, or not any more where they were forgotten.
    """
    from datetime import UTC, datetime, time

    from analytics_core.cli.asking import opened
    from analytics_core.model.daterange import read_date
    from analytics_core.settings import Settings

    first = datetime.combine(read_date(since), time(), UTC) if since else None
    with opened(Settings.read()) as workspace:
        entries = workspace.audited(first)
    if format_ is Format.JSON:
        import json

        typer.echo(json.dumps([_plain(one) for one in entries], ensure_ascii=False, indent=2))
    else:
        _show(entries)


def _plain(one: Audited) -> dict[str, object]:
    return {
        "at": one.at.isoformat(),
        "who": one.who,
        "action": one.action,
        "whose": _EVERYONE if one.whose is None else list(one.whose),
        "by": one.by,
    }


def _show(entries: list[Audited]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from analytics_core.cli.terminal import results

    if not entries:
        typer.echo("Nothing is in the audit log.")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("when (UTC)", "who", "what", "whose", "with"):
        table.add_column(heading)
    for one in entries:
        whose = _EVERYONE
        if one.whose is not None:
            whose = ", ".join(name or _FORGOTTEN for name in one.whose)
        cells = (f"{one.at:%Y-%m-%d %H:%M:%S}", one.who or _FORGOTTEN, one.action, whose, one.by)
        table.add_row(*map(escape, cells))
    results().print(table)
