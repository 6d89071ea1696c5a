"""A JupyterHub that serves each of its users their own dashboard, and nothing else of Jupyter's.

The Hub's own environment has the settings of a launcher: `ANALYTICS_DATABASE_URL`,
`ANALYTICS_READER_URL` and `ANALYTICS_ORIGINS`, the address under which people reach the Hub. A
user's server gets the grant of that user and no key. `jupyter-standaloneproxy`, which comes with
jupyter-server-proxy, asks the Hub who is there; only then does it pass anything on, through a
socket in a folder of its own. Add an authenticator and a spawner as for any Hub; a user is called
by the id or e-mail address that the workspace knows.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from analytics_core import Scope, Settings, Workspace
from analytics_core.errors import AnalyticsError
from dashboards.plain_words import in_plain_words

# A server that runs for longer is to be started again.
GOOD_FOR = timedelta(days=7)

settings = Settings.read()


def environment_of(name: str) -> dict[str, str]:
    """What the server of a user needs to know, with a grant of what that user may see."""
    with Workspace.open(settings, Scope.everyone()) as workspace:
        scope = Scope.user(workspace.find_user(name).id)
        granted = workspace.for_reader(scope, datetime.now(UTC) + GOOD_FOR)
    return {
        **granted.to_environment(),
        "ANALYTICS_ORIGINS": settings.origins or "",
        "ANALYTICS_PROXY_HEADER": "X-Usage-Visitor",
    }


async def grant(spawner: Any) -> None:
    try:
        environment = await asyncio.to_thread(environment_of, spawner.user.name)
    except AnalyticsError as refused:
        # People read this; what it was exactly is in the Hub's log.
        refused.jupyterhub_message = f"There is no dashboard for you. {in_plain_words(refused)}"
        raise
    spawner.environment = {**spawner.environment, **environment}


c = get_config()  # noqa: F821 - given by traitlets
c.Spawner.pre_spawn_hook = grant
c.Spawner.cmd = [
    "jupyter-standaloneproxy",
    f"--config={Path(__file__).with_name('standaloneproxy_config.py')}",
]
c.Spawner.default_url = "/"
