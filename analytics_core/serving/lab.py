"""JupyterLab on this workspace's notebooks: this machine only, no call to the outside."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import zmq
from jupyterlab.labapp import LabApp
from tornado.ioloop import IOLoop
from traitlets.config import Config

from analytics_core.errors import PortTaken
from analytics_core.kernels.spec import OwnKernels

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8888
_PORTS_TO_TRY = 20


def serve_lab(
    folder: Path,
    first: Path,
    *,
    port: int | None,
    open_browser: bool,
    on_ready: Callable[[str], None],
) -> None:
    """Serve JupyterLab with `folder` as its root, `first` opened, until a signal stops the process.

    Kernels inherit the environment of this process. `on_ready` gets the link once it works. Raises
    `PortTaken` where a port that was asked for is not free.
    """
    token = secrets.token_urlsafe(24)
    free = _free_port(port)
    start = f"/lab/tree/{first.relative_to(folder).as_posix()}"
    config = Config()
    config.ServerApp.ip = LOOPBACK
    config.ServerApp.port = free
    config.ServerApp.port_retries = 0
    config.ServerApp.root_dir = str(folder)
    config.ServerApp.default_url = start
    config.ServerApp.open_browser = open_browser
    # Containers often have no other user, and whoever gets in here has the token.
    config.ServerApp.allow_root = True
    config.ServerApp.log_level = "WARN"
    config.ServerApp.kernel_spec_manager_class = OwnKernels
    config.IdentityProvider.token = token
    # Other users of this machine can listen on its loopback.
    config.KernelManager.transport_encryption = "auto" if zmq.has("curve") else "disabled"
    # JupyterLab asks its makers for news and for newer versions, and an index for extensions.
    config.LabApp.news_url = None
    config.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
    config.LabApp.extension_manager = "readonly"
    server = LabApp.initialize_server(config=config)
    IOLoop.current().add_callback(on_ready, f"http://{LOOPBACK}:{free}{start}?token={token}")
    server.start()


def _free_port(wanted: int | None) -> int:
    candidates = range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TO_TRY) if wanted is None else [wanted]
    for candidate in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PortTaken(wanted if wanted is not None else DEFAULT_PORT)
