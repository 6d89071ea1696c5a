"""`analytics lab`: JupyterLab on the guides, for analysts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

_A_WEEK = timedelta(days=7)


def lab(
    port: Annotated[
        int | None, typer.Option(help="The port; without: the first free one.", show_default=False)
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser with it.")
    ] = True,
) -> None:
    """Open JupyterLab on the guides; notebooks in it may see everyone's data."""

    from analytics_core.cli import terminal
    from analytics_core.cli.asking import granted_scope
    from analytics_core.model.audited import Action
    from analytics_core.reports.template import notebooks_folder
    from analytics_core.serving.lab import serve_lab
    from analytics_core.settings import Settings
    from analytics_core.workspace import Workspace

    settings = Settings.read()
    scope = granted_scope(settings)
    with Workspace.open(settings, scope) as workspace:
        # A database that cannot be used is one line here and a traceback in a notebook.
        _ = workspace.repositories
        workspace.record_use(Action.READ, scope, "analytics lab")
        granted = workspace.for_reader(scope, datetime.now(UTC) + _A_WEEK)
    granted.replace_environment()
    folder = notebooks_folder(granted)

    def announce(link: str) -> None:
        whose = "everyone's data" if scope.is_everyone else "the data granted here and no other"
        terminal.notes().print(
            f"Notebooks here see {whose}. Only this machine can open the link, and whoever"
            " has it can run programs as you. Ctrl+C stops it."
        )
        typer.echo(link)

    serve_lab(
        folder,
        folder / "guides" / "first-steps.ipynb",
        port=port,
        open_browser=browser,
        on_ready=announce,
    )
