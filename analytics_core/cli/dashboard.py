"""`analytics dashboard`: serve one user's live dashboard on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from analytics_core.cli.options import Everyone, Users


def dashboard(
    user: Users = None,
    everyone: Everyone = False,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The port; without: the first free one from 8866."),
    ] = None,
) -> None:
    """Serve the dashboard of a user, a team or everyone; prints the link to open."""
    from analytics_core.cli.asking import asked_scope, opened
    from analytics_core.identity.visitor import Visitor
    from analytics_core.model.audited import Action
    from analytics_core.serving.server import Limits, Place, announce, serve
    from analytics_core.serving.ways import LocalLink
    from analytics_core.settings import Settings
    from dashboards.served import served

    settings = Settings.read()
    with opened(settings) as workspace:
        # Before anything is served: whoever does not exist has no dashboard.
        visitor = Visitor.of_scope(asked_scope(workspace, user, everyone))
        workspace.record_use(Action.READ, visitor.scope, "analytics dashboard")
        with served(workspace, visitor) as page:
            serve(
                page,
                lambda cookies: LocalLink(visitor, cookies),
                place=Place(port=port),
                limits=Limits(
                    (settings.warm_kernels, settings.most_warm_kernels),
                    settings.most_pages,
                    settings.most_pages,
                ),
                on_ready=announce,
            )
