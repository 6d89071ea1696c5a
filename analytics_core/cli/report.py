"""`analytics report`: a user and a period as an executed notebook and one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analytics_core.cli.options import Zone


def report(
    period: Annotated[str, typer.Option(help="2026-10, 2026, 2026-10-01..2026-10-31, 30d, all…")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder to write into, made if missing.")
    ],
    user: Annotated[
        list[str] | None,
        typer.Option(help="E-mail address or id; several get a report each.", show_default=False),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="A report for each of all users.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many reports are made at a time; without: one for each usable core."
        ),
    ] = None,
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
    """Make a report of a period for one user or many: a notebook and an HTML file each."""
    from analytics_core.cli import terminal
    from analytics_core.cli.asking import granted_scope, opened
    from analytics_core.errors import ScopeError
    from analytics_core.output import make_folder
    from analytics_core.reports.batch import Order, make_reports, usable_cores
    from analytics_core.reports.parameters import as_given
    from analytics_core.reports.report import check_order, make_report
    from analytics_core.reports.template import Template
    from analytics_core.settings import Settings

    settings = Settings.read()
    scope, given = granted_scope(settings), as_given(param or [])
    if bool(user) == everyone:
        raise ScopeError("say whose report: --user EMAIL_OR_ID, or --everyone")
    with opened(settings) as workspace:
        found = Template.find(template, settings)
        if user and len(user) == 1:
            made = make_report(
                workspace,
                found,
                user=user[0],
                period=period,
                folder=output,
                zone=tz,
                parameters=given,
            )
            typer.echo(made.document)
            return
        check_order(workspace, found, period, tz, given)
        # Each once, whatever they were called; whoever does not exist is said before anything runs.
        known = dict.fromkeys(workspace.find_user(one).id for one in user or ())
        users = workspace.user_ids() if everyone else list(known)
    make_folder(output)
    order = Order(settings, scope, str(found.path), period, output.absolute(), tz, given)
    failed = 0
    with terminal.progress() as bars:
        task = bars.add_task("Reports", total=len(users))
        for outcome in make_reports(order, users, workers=workers or len(usable_cores())):
            bars.advance(task)
            if outcome.report is None:
                failed += 1
                terminal.notes().print(outcome.error)
            else:
                typer.echo(output / outcome.report.document.name)
    if failed:
        terminal.notes().print(f"{failed} of {len(users)} reports failed.")
        raise typer.Exit(1)
