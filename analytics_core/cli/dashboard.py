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
    import os
    from pathlib import Path

    import dashboards
    from analytics_core.cli.asking import asked_scope, granted_scope
    from analytics_core.serving.server import announce, serve
    from analytics_core.settings import Settings
    from analytics_core.workspace import Workspace

    # Before anything is served: whoever does not exist has no dashboard.
    settings = Settings.read()
    with Workspace.open(settings, granted_scope(settings)) as workspace:
        scope = asked_scope(workspace, user, everyone)
    # Kernels run in the notebook's folder, where a relative path would mean another file.
    os.environ.update(Settings.read(grant=scope.to_text()).to_environment())
    home = Path(dashboards.__file__).parent
    serve(home / "usage.ipynb", home / "template", port=port, on_ready=announce)
