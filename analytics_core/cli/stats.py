"""`analytics stats`: every number of a user and a range, for people and for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from analytics_core.cli.options import Compare, Everyone, Format, Users, Zone


def stats(
    user: Users = None,
    everyone: Everyone = False,
    from_: Annotated[
        str | None, typer.Option("--from", help="First date, YYYY-MM-DD; without: everything.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Last date, included.")] = None,
    tz: Zone = None,
    compare: Compare = False,
    format_: Annotated[Format, typer.Option("--format", help="For people or programs.")] = (
        Format.TABLE
    ),
) -> None:
    """Print the statistics of a user, a team or everyone."""
    from analytics_core.cli.asking import asked_dates, asked_scope, opened
    from analytics_core.model.audited import Action
    from analytics_core.settings import Settings

    settings = Settings.read()
    with opened(settings) as workspace:
        scope = asked_scope(workspace, user, everyone)
        dates = asked_dates(workspace, scope, from_, to, tz)
        workspace.record_use(Action.READ, scope, "analytics stats")
        answer = workspace.get_analytics_data(scope, dates, zone=tz, compare=compare)
    if format_ is Format.JSON:
        import json

        typer.echo(json.dumps(answer.to_dict(), ensure_ascii=False, indent=2))
    else:
        from analytics_core.cli.statistics_table import show

        show(answer)
