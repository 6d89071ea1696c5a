"""`analytics storage scan`: what a bucket really holds beside what was recorded of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from analytics_core.cli.options import Format

if TYPE_CHECKING:
    from analytics_core.model.storage import StorageScan

app = typer.Typer(help="Look after what is stored.", no_args_is_help=True)


@app.callback()
def _storage() -> None:
    """Look after what is stored."""


@app.command("scan")
def scan(
    url: Annotated[
        str, typer.Argument(help="file:///folder, s3://bucket/folder, or what else fsspec opens.")
    ],
    user_from: Annotated[
        str, typer.Option("--user-from", help="Where in a path user and file stand.")
    ] = "{user_id}/{file_id}-{name}",
    format_: Annotated[Format, typer.Option("--format", help="For people or programs.")] = (
        Format.TABLE
    ),
) -> None:
    """Compare a bucket or folder with the files that were recorded, per user.

    Exit code 1 where they differ. Changes nothing.
    """
    from analytics_core.cli.asking import opened
    from analytics_core.model.audited import Action
    from analytics_core.model.scope import Scope
    from analytics_core.settings import Settings

    settings = Settings.read()
    with opened(settings) as workspace:
        workspace.record_use(Action.READ, Scope.everyone(), "analytics storage scan")
        found = workspace.scan_storage(url, user_from)
    if format_ is Format.JSON:
        import json

        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=2))
    else:
        _show(found)
    raise typer.Exit(0 if found.agrees else 1)


def _show(found: StorageScan) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from analytics_core.charts.formats import count, size
    from analytics_core.cli.terminal import results

    out = results()
    if found.users:
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("user")
        for name in ("only in bucket", "only in table", "other size (bucket / table)"):
            table.add_column(name, justify="right")
        for user in found.users:
            bucket, recorded = user.only_in_bucket, user.only_in_table
            table.add_row(
                "(unknown)" if user.user_id is None else escape(user.user_id),
                f"{count(bucket.files)}, {size(bucket.bytes)}",
                f"{count(recorded.files)}, {size(recorded.bytes)}",
                f"{count(user.other_size)}, {size(user.bucket_bytes)} / {size(user.table_bytes)}",
            )
        out.print(table)
    seen, unplaced = found.looked_at, found.unplaced
    out.print(f"{count(seen.files)} objects, {size(seen.bytes)}: ", end="")
    if found.agrees:
        out.print("all as recorded")
        return
    out.print(f"{count(len(found.users))} users differ")
    if unplaced.files:
        out.print(f"{count(unplaced.files)} objects, {size(unplaced.bytes)}, fit no user and file")
