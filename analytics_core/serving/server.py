"""A Voila server for exactly one notebook, on this machine only."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.log import access_log
from tornado.netutil import bind_sockets
from tornado.web import RequestHandler
from traitlets.config import Config
from voila.app import Voila
from voila.static_file_handler import AllowListFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from analytics_core.errors import PortTaken
from analytics_core.serving.gate import Gate, GatedApplication
from analytics_core.serving.kernels import OwnKernels, QuietKernels

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8866
_PORTS_TO_TRY = 20
# Each page that is open has a process of its own, of some 150 MB.
_MOST_PAGES = 40
# What the page needs of JupyterLab's extensions; anything else that happens to be installed is not
# the visitor's business.
_EXTENSIONS = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
    "bqplot",
    "bqscales",
]


class Page(TornadoVoilaHandler):  # type: ignore[misc]
    """The notebook as a page, which also lets the browser's next requests through the gate."""

    async def get(self, path: str | None = None) -> None:
        if len(self.kernel_manager) >= _MOST_PAGES:
            self.set_status(503)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish("Too many pages are open. Close one, or try again in some minutes.\n")
            return
        gate: Gate = self.application.gate
        self.set_cookie(gate.cookie_name, gate.cookie_value, httponly=True, samesite="Strict")
        # Reading it sets its cookie, without which a page that is left could not end its kernel.
        _ = self.xsrf_token
        await super().get(path)


class _OneNotebook(LargeFileManager):
    """Where the notebook is read from; trust is about stored outputs, and it has none."""

    def mark_trusted_cells(self, nb: Any, path: str = "") -> None:
        """Without a word: there is nobody who could have trusted it before."""


class DashboardServer(Voila):  # type: ignore[misc]
    """Serves one notebook to whoever has the link; `link` is known once the server listens."""

    link = ""
    on_ready: Callable[[str], None] | None = None
    sockets: list[socket.socket]

    def start(self) -> None:
        """Answer until SIGINT, SIGTERM or SIGHUP, then leave no kernel behind."""
        gate = Gate(self.port)
        self.link = f"http://{LOOPBACK}:{self.port}/?token={gate.token}"
        self.connection_dir = tempfile.mkdtemp(prefix="usage-")
        self.app = GatedApplication(gate, **{**self.init_settings(), **_app_settings(self.port)})
        self.app.add_handlers(".*$", self.init_handlers())
        server = HTTPServer(self.app)
        server.add_sockets(self.sockets)
        self.ioloop = IOLoop.current()
        for stopping in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stopping, self._handle_signal_stop)
        # The terminal was closed, which is of no concern to what nohup started.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._handle_signal_stop)
        if self.on_ready is not None:
            # From within the loop: when this runs, requests are being answered.
            self.ioloop.add_callback(self.on_ready, self.link)
        try:
            self.ioloop.start()
        finally:
            server.stop()
            self.stop()

    def stop(self) -> None:
        run_sync(self.kernel_manager.shutdown_all)(now=True)
        shutil.rmtree(self.connection_dir, ignore_errors=True)

    def init_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = super().init_settings()
        self.contents_manager = settings["contents_manager"] = _OneNotebook(parent=self)
        return settings

    def init_handlers(self) -> list[Any]:
        """Voila's handlers without its files, its login and its tree, and the page at / alone."""
        kept = []
        for pattern, handler, *options in super().init_handlers():
            if handler is TornadoVoilaHandler:
                kept.append(("/", Page, *options))
            elif handler is not AllowListFileHandler and not pattern.startswith("/log"):
                kept.append((pattern, handler, *options))
        return kept


def serve(
    notebook: Path,
    templates: Path,
    *,
    port: int | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve `notebook` with the template "usage" until a signal stops the process.

    `templates` is a folder on Jupyter's data path; `on_ready` gets the link once it works. Without
    a port the first free one from `DEFAULT_PORT` is taken; raises `PortTaken` where a port that was
    asked for is not free.
    """
    sockets = _bind(port)
    # Jupyter looks templates up by name on this path; kernels inherit it, which does no harm.
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        filter(None, [str(templates), os.environ.get("JUPYTER_PATH")])
    )
    # The instance, not just one: what Voila logs without knowing its server goes to its log.
    server = DashboardServer.instance(config=_config(), config_file_paths=[])
    server.sockets = sockets
    server.port = sockets[0].getsockname()[1]
    server.notebook_path = str(notebook)
    server.root_dir = str(notebook.parent)
    server.on_ready = on_ready
    server.initialize([])
    server.start()


def _bind(port: int | None) -> list[socket.socket]:
    candidates = range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TO_TRY) if port is None else [port]
    for candidate in candidates:
        try:
            return bind_sockets(candidate, LOOPBACK, reuse_port=False)
        except OSError as refused:
            if refused.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise PortTaken(port if port is not None else DEFAULT_PORT)


def _config() -> Config:
    config = Config()
    config.Voila.open_browser = False
    config.Voila.log_level = "WARN"
    config.VoilaConfiguration.template = "usage"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.extension_allowlist = _EXTENSIONS
    config.VoilaConfiguration.kernel_spec_manager_class = OwnKernels
    config.VoilaConfiguration.multi_kernel_manager_class = QuietKernels
    # A phone that goes away never says goodbye: kernels without a connection end after a while.
    config.KernelManager.transport = "ipc"
    config.MappingKernelManager.cull_idle_timeout = 600
    config.MappingKernelManager.cull_interval = 60
    config.MappingKernelManager.cull_connected = False
    return config


def _app_settings(port: int) -> dict[str, Any]:
    sockets = f"ws://{LOOPBACK}:{port} ws://localhost:{port}"
    # Widgets come as modules from blobs and templates of Jupyter's bundle are compiled at run time,
    # hence blob: and 'unsafe-eval'; what matters is that nothing may be fetched from elsewhere.
    policy = (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        f"style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        f"connect-src 'self' {sockets} data: blob:; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'; object-src 'none'"
    )
    return {
        "log_function": _log_request,
        "ws_ping_interval": 30_000,
        "ws_ping_timeout": 30_000,
        "headers": {
            "Content-Security-Policy": policy,
            # Never to others; "no-referrer" would take the origin from the page's own requests.
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    }


def _log_request(handler: RequestHandler) -> None:
    """One line for what went wrong, without the query, which may carry somebody's data."""
    status = handler.get_status()
    if status >= 500:
        access_log.error("%d %s %s", status, handler.request.method, handler.request.path)


def announce(link: str) -> None:
    """Print the link, alone on standard output, and say on standard error who can use it."""
    print(  # noqa: T201
        "Only this machine can open the link (it listens on 127.0.0.1). Ctrl+C stops it.",
        file=sys.stderr,
    )
    print(link, flush=True)  # noqa: T201
