"""`analytics token`: keys of tokens, and links for trying them out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analytics_core.cli.options import Zone

app = typer.Typer(help="Let people into a dashboard by signed links.", no_args_is_help=True)


@app.command()
def issue(
    user: Annotated[
        str | None, typer.Option(help="E-mail address or id of a user.", show_default=False)
    ] = None,
    team: Annotated[
        str | None,
        typer.Option(help="What a team is called; with --member.", show_default=False),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(help="E-mail address or id of one of its users.", show_default=False),
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option(help="What somebody is called who sees everyone.", show_default=False),
    ] = None,
    zone: Zone = None,
    seconds: Annotated[
        int, typer.Option(min=1, max=600, help="How long the link is good, which it is once.")
    ] = 120,
) -> None:
    """Print a link that lets somebody into `analytics serve`, once."""
    from analytics_core.cli.asking import asked_scope, opened
    from analytics_core.errors import ScopeError, SettingsError
    from analytics_core.identity.keys import Keys
    from analytics_core.identity.tokens import Tokens
    from analytics_core.identity.visitor import Claim, Kind
    from analytics_core.model.audited import Action
    from analytics_core.model.daterange import read_zone
    from analytics_core.settings import PREFIX, Settings

    if sum(one is not None for one in (user, team, operator)) != 1 or (team is None) != (
        not member
    ):
        raise ScopeError("say whose: --user, or --team with --member, or --operator")
    settings = Settings.read()
    keys = Keys.of(settings)
    if keys is None:
        raise SettingsError(f"{PREFIX}TOKEN_KEYS", "needed (`analytics token new-key FILE`)")
    known = read_zone(zone).key if zone else ""
    with opened(settings) as workspace:
        people = [user] if user else member
        scope = asked_scope(workspace, people, everyone=operator is not None)
        workspace.record_use(Action.TOKEN, scope, "analytics token issue")
    if operator is not None:
        claim = Claim(Kind.OPERATOR, operator, zone=known)
    elif team is not None:
        claim = Claim(Kind.TEAM, team, scope.user_ids or frozenset(), known)
    else:
        claim = Claim(Kind.USER, scope.only_user or "", zone=known)
    token = Tokens(keys, settings.token_audience).issue(claim, seconds)
    [origin, *_] = (settings.origins or f"http://{settings.host}:{settings.port}").split()
    typer.echo(f"{origin}/?token={token}")


@app.command("new-key")
def new_key(
    file: Annotated[Path, typer.Argument(help="The file of ANALYTICS_TOKEN_KEYS_FILE.")],
    kid: Annotated[
        str | None, typer.Option("--id", help="The key's id; else today's date.")
    ] = None,
) -> None:
    """Put a new key in front of those in a file, which it makes where there is none.

    The first key signs; the others go on being believed until you take them out.
    """
    from datetime import UTC, datetime

    from analytics_core.identity.keys import add_secret

    name = kid or f"{datetime.now(UTC):%Y-%m-%d}"
    add_secret(file, name)
    typer.echo(f"{file}: the key {name} signs from now on.", err=True)
