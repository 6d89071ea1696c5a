"""`analytics report`: a user and a period as an executed notebook and one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analytics_core.cli.options import Zone


def report(
    user: Annotated[str, typer.Option(help="E-mail address or id.")],
    period: Annotated[str, typer.Option(help="2026-10, 2026, 2026-10-01..2026-10-31, 30d, all…")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder to write into, made if missing.")
    ],
    template: Annotated[
        str, typer.Option(help="A template that ships, by name, or a notebook, by path.")
    ] = "usage",
    tz: Zone = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="Another parameter of the template; may be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a report of one user and period: a notebook and an HTML file."""
    from analytics_core.cli.asking import granted_scope
    from analytics_core.reports.parameters import as_given
    from analytics_core.reports.report import make_report
    from analytics_core.reports.template import Template
    from analytics_core.settings import Settings
    from analytics_core.workspace import Workspace

    settings = Settings.read()
    with Workspace.open(settings, granted_scope(settings)) as workspace:
        made = make_report(
            workspace,
            Template.find(template, settings),
            user=user,
            period=period,
            folder=output,
            zone=tz,
            parameters=as_given(param or []),
        )
    typer.echo(made.document)
