"""The usage dashboard as a server takes it: its notebook, its page and who paints it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analytics_core.identity.visitor import Visitor
from analytics_core.serving.granting import Granting
from analytics_core.serving.server import Dashboard
from analytics_core.workspace import Workspace
from dashboards.first_paint import FirstPaint
from dashboards.heard import HEARINGS

_HOME = Path(__file__).parent


@contextmanager
def served(workspace: Workspace, only: Visitor | None = None) -> Iterator[Dashboard]:
    """The dashboard of this workspace for many visitors, or for one alone.

    What paints it and its kernels read as `ANALYTICS_READER_URL` says, within what each visitor is
    granted by `workspace`. Raises `NotHeldBack`.
    """
    granting = Granting(workspace, only)
    settings = granting.reader()
    # Kernels run in the notebook's folder, where a relative path would mean another file.
    settings.replace_environment()
    with Workspace.open(settings, only.scope if only else workspace.scope) as reader:
        yield Dashboard(
            _HOME / "usage.ipynb",
            _HOME / "template",
            _HOME / "frontend",
            FirstPaint(reader, granting),
            "import dashboards.page\nfrom dashboards import chrome\nchrome.serve_from({!r})".format,
            HEARINGS,
        )
