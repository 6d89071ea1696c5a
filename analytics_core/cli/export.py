"""`analytics export`: the statistics of a user and a range as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analytics_core.cli.options import Compare, Everyone, Users, Zone
from analytics_core.services.export import FileFormat, Part


def export(
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="The file to write; - prints CSV or JSON. A folder with --all."
        ),
    ],
    user: Users = None,
    everyone: Everyone = False,
    period: Annotated[
        str | None, typer.Option(help="2026-10, 2026, 30d, last-month…; without: everything.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="First date, YYYY-MM-DD, instead of a period.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Last date, included.")] = None,
    tz: Zone = None,
    what: Annotated[Part, typer.Option(help="Which part of the statistics.")] = Part.ALL,
    compare: Compare = False,
    format_: Annotated[
        FileFormat | None,
        typer.Option("--format", help="Without: what the file's name ends in.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    held: Annotated[
        bool,
        typer.Option(
            "--all", help="All that is held about one user, as JSON: a folder, or a .zip."
        ),
    ] = False,
) -> None:
    """Write statistics as CSV, JSON, XLSX or Parquet; or all that is held about a user."""
    from analytics_core.cli.asking import asked_dates, asked_scope, opened
    from analytics_core.errors import OutputError, RangeError
    from analytics_core.model.audited import Action
    from analytics_core.output import refuse_to_replace, write_file
    from analytics_core.services.export import to_bytes
    from analytics_core.settings import Settings

    path = Path(output)
    printed = output == "-"
    if held:
        others = (everyone, period, from_, to, tz, compare, format_, what is not Part.ALL, printed)
        if any(others) or len(user or ()) != 1:
            raise OutputError(path, "--all goes with one --user, and a folder or a .zip")
        _export_person((user or [""])[0], path, force)
        return
    chosen = format_ or _format_of(path, printed)
    if printed and chosen in (FileFormat.XLSX, FileFormat.PARQUET):
        raise OutputError(path, f"{chosen} needs a file")
    if not printed and not force:
        refuse_to_replace(path)
    if period is not None and (from_ is not None or to is not None):
        raise RangeError("--period goes without --from and --to")
    settings = Settings.read()
    with opened(settings) as workspace:
        scope = asked_scope(workspace, user, everyone)
        when = period or asked_dates(workspace, scope, from_, to, tz)
        workspace.record_use(Action.EXPORT, scope, "analytics export")
        answer = workspace.get_analytics_data(scope, when, zone=tz, compare=compare)
    content = to_bytes(answer, what, chosen)
    if printed:
        typer.echo(content, nl=False)
    else:
        write_file(path, content)


def _export_person(user: str, path: Path, force: bool) -> None:
    from analytics_core.charts.formats import count
    from analytics_core.cli.asking import opened
    from analytics_core.model.audited import Action
    from analytics_core.model.scope import Scope
    from analytics_core.output import refuse_to_replace
    from analytics_core.settings import Settings

    if not force:
        refuse_to_replace(path)
    settings = Settings.read()
    with opened(settings) as workspace:
        whose = Scope.user(workspace.find_user(user).id)
        workspace.record_use(Action.EXPORT, whose, "analytics export --all")
        rows = workspace.export_person(user, path)
    typer.echo(f"{count(sum(rows.values()))} rows of {len(rows)} tables are in {path}")


def _format_of(path: Path, printed: bool) -> FileFormat:
    from analytics_core.errors import OutputError

    if printed:
        return FileFormat.CSV
    try:
        return FileFormat(path.suffix.lower().removeprefix("."))
    except ValueError:
        known = ", ".join(FileFormat)
        raise OutputError(path, f"say which --format it has: {known}") from None
