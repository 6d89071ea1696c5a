"""`analytics serve`: the dashboard for many visitors, each within what is theirs."""

from __future__ import annotations


def serve() -> None:
    """Serve the dashboard to many visitors, who come by signed links or through a proxy.

    Where it listens, who may embed it and how visitors are known are settings; the address is
    printed once it answers.
    """
    import typer

    from analytics_core.cli.asking import granted_scope
    from analytics_core.serving.server import Limits, Place
    from analytics_core.serving.server import serve as serve_page
    from analytics_core.serving.ways import Entrance
    from analytics_core.settings import Settings
    from analytics_core.workspace import Workspace
    from dashboards.served import served

    settings = Settings.read()
    place = Place(
        settings.host,
        settings.port,
        settings.socket,
        tuple((settings.origins or "").split()),
        tuple((settings.frame_ancestors or "").split()),
    )
    with Workspace.open(settings, granted_scope(settings)) as workspace:
        # Before it listens: what is missing is one line, not a page that fails.
        Entrance.of(settings, place.cookies(settings.port), workspace.find_user)
        with served(workspace) as page:
            serve_page(
                page,
                lambda cookies: Entrance.of(settings, cookies, workspace.find_user),
                place=place,
                limits=Limits(
                    (settings.warm_kernels, settings.most_warm_kernels),
                    settings.most_pages,
                    settings.pages_per_visitor,
                ),
                on_ready=typer.echo,
            )
