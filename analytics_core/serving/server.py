"""A Voila server for exactly one notebook: for one user on this machine, or for many visitors."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
from jupyter_server.base.handlers import FileFindHandler
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.log import access_log
from tornado.netutil import bind_sockets, bind_unix_socket
from tornado.web import RequestHandler
from traitlets.config import Config
from voila.app import Voila
from voila.static_file_handler import MultiStaticFileHandler

from analytics_core.errors import PortTaken, SocketTaken
from analytics_core.kernels.address import transport_beside
from analytics_core.kernels.spec import OwnKernels
from analytics_core.serving import answers, guard
from analytics_core.serving.assets import AssetHandler, Assets
from analytics_core.serving.conversation import Hearings
from analytics_core.serving.cookies import Cookies
from analytics_core.serving.gate import Gate, GatedApplication
from analytics_core.serving.guard import GuardedConnection
from analytics_core.serving.health import Healthz, Readiness, Readyz
from analytics_core.serving.identities import Identities
from analytics_core.serving.kernels import QuietKernels
from analytics_core.serving.painting import Painter
from analytics_core.serving.pool import WarmPool
from analytics_core.serving.refusing import Designed, Nowhere
from analytics_core.serving.turns import Turns
from analytics_core.serving.visits import (
    Channels,
    Desk,
    Easel,
    Here,
    Leaving,
    Live,
    Opening,
    Page,
    Tickets,
)
from analytics_core.serving.ways import LocalLink, Ways

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = (LOOPBACK, "localhost", "[::1]")
DEFAULT_PORT = 8866
_PORTS_TO_TRY = 20
# What the page needs of JupyterLab's extensions; anything else that happens to be installed is not
# the visitor's business.
_EXTENSIONS = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
    "bqplot",
    "bqscales",
]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """What is served: a notebook, its template and scripts, and who paints it beforehand."""

    notebook: Path
    # A folder on Jupyter's data path, with the template "usage".
    templates: Path
    # The modules of the page's parts.
    parts: Path
    painter: Painter
    # What every kernel runs before it has a visitor, given the address of the parts.
    preparation: Callable[[str], str]
    # What its widgets hear from browsers.
    hearings: Hearings = field(default_factory=dict)


class _OneNotebook(LargeFileManager):
    """Where the notebook is read from; trust is about stored outputs, and it has none."""

    def mark_trusted_cells(self, nb: Any, path: str = "") -> None:
        """Without a word: there is nobody who could have trusted it before."""


class _Files(Designed, MultiStaticFileHandler):  # type: ignore[misc]
    """Files of Voila's bundle that are not in the page's own, should another version need them."""


class _ExtensionFiles(Designed, FileFindHandler):
    """The same of the extensions."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens, and what visitors and other sites know it by.

    Without origins it is reached on this machine alone; `frames` are the sites that may embed it.
    """

    host: str = LOOPBACK
    # Without one, the first free one from `DEFAULT_PORT`; 0 is any.
    port: int | None = None
    socket: Path | None = None
    origins: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()

    def reached_at(self, port: int) -> tuple[str, ...]:
        """The addresses under which it answers, once it listens."""
        if self.origins:
            return self.origins
        colon = "" if port == 80 else f":{port}"
        return tuple(f"http://{name}{colon}" for name in LOOPBACK_NAMES)

    def cookies(self, port: int) -> Cookies:
        is_secure = bool(self.origins) and all(o.startswith("https:") for o in self.origins)
        return Cookies(port, is_secure, is_embedded=bool(self.frames))


@dataclass(frozen=True, slots=True)
class Limits:
    """How many kernels wait at least and at most, and how many pages may be open."""

    warm: tuple[int, int] = (2, 8)
    pages: int = 40
    pages_per_visitor: int = 8


class DashboardServer(Voila):  # type: ignore[misc]
    """Serves one notebook to whoever finds a way in; `link` is known once the server listens."""

    link = ""
    on_ready: Callable[[str], None] | None = None
    sockets: list[socket.socket]
    dashboard: Dashboard
    place: Place
    limits: Limits
    make_ways: Callable[[Cookies], Ways]

    def start(self) -> None:
        """Answer until SIGINT, SIGTERM or SIGHUP, then leave no kernel behind."""
        origins, cookies = self.place.reached_at(self.port), self.place.cookies(self.port)
        self.ways = self.make_ways(cookies)
        self.link = f"{origins[0]}/"
        if isinstance(self.ways, LocalLink):
            self.link += f"?token={self.ways.token}"
        self.connection_dir = tempfile.mkdtemp(prefix="usage-")
        # Files are named after kernels.
        one = os.path.join(self.connection_dir, f"kernel-{uuid4()}.json")
        self.config.KernelManager.transport = transport_beside(one)
        settings = {
            **self.init_settings(),
            **_app_settings(origins, self.place.frames, self.dashboard.hearings),
        }
        template = settings["voila_jinja2_env"].get_template("index.html.j2")
        self.app = GatedApplication(
            Gate(origins, self.ways),
            {
                "/healthz": (Healthz, {}),
                "/readyz": (Readyz, {"readiness": Readiness(self.dashboard.painter.problem)}),
            },
            **{**settings, "cookies": cookies, "page_template": template},
        )
        self.app.add_handlers(".*$", self.init_handlers())
        server = HTTPServer(self.app, **answers.LIMITS)
        server.add_sockets(self.sockets)
        self.ioloop = IOLoop.current()
        for stopping in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stopping, self._handle_signal_stop)
        # The terminal was closed, which is of no concern to what nohup started.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._handle_signal_stop)
        # From within the loop: when this runs, requests are being answered.
        self.ioloop.add_callback(self._begin)
        try:
            self.ioloop.start()
        finally:
            server.stop()
            self.stop()

    def _begin(self) -> None:
        if self.on_ready is not None:
            self.on_ready(self.link)
        self.desk.pool.open()
        self.desk.turns.open()
        # The first question is the slowest; nobody has to wait for it.
        if isinstance(self.ways, LocalLink):
            self.desk.easel.paint(self.ways.only, "")
        else:
            self.ioloop.run_in_executor(None, self.dashboard.painter.problem)

    def stop(self) -> None:
        # In the loop that started the kernels: nothing is waited for from within another.
        self.ioloop.run_sync(self._end)
        shutil.rmtree(self.connection_dir, ignore_errors=True)

    async def _end(self) -> None:
        await self.desk.pool.close()
        self.desk.easel.close()
        self.desk.turns.close()
        await self.kernel_manager.shutdown_all(now=True)

    def init_settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = super().init_settings()
        self.contents_manager = settings["contents_manager"] = _OneNotebook(parent=self)
        return settings

    def init_handlers(self) -> list[Any]:
        """What the page asks for, and nothing else that Jupyter or Voila would serve."""
        dashboard, template = self.dashboard, self.voila_configuration.template
        notebook = nbformat.read(dashboard.notebook, as_version=4)
        self.desk = Desk(
            assets := Assets(
                dashboard.templates / "voila/templates" / template,
                dashboard.parts,
                self.static_paths,
            ),
            Easel(dashboard.painter),
            Tickets(),
            WarmPool(
                self.kernel_manager,
                dashboard.preparation(assets.parts),
                {"kernel_name": notebook.metadata.kernelspec.name, "path": "."},
                least=self.limits.warm[0],
                most=self.limits.warm[1],
            ),
            self.kernel_manager,
            Turns(),
            [cell.source for cell in notebook.cells if cell.cell_type == "code"],
            self.app.settings["page_template"],
            notebook.metadata.get("title", "Usage"),
            self.limits.pages,
            self.limits.pages_per_visitor,
        )
        kernel = r"(?P<kernel_id>[\w-]+)"
        extensions = f"(?:{'|'.join(map(re.escape, _EXTENSIONS))})/static/[^?]+"
        return [
            ("/", Page, {"desk": self.desk}),
            (r"/usage/kernel/([\w-]+)", Opening, {"desk": self.desk}),
            (r"/usage/live/([\w-]+)", Live, {"desk": self.desk}),
            (f"/usage/here/{kernel}", Here),
            (f"/api/kernels/{kernel}/channels", Channels),
            (f"/voila/api/shutdown/{kernel}", Leaving),
            ("/usage/.*", AssetHandler, {"assets": assets}),
            *((f"/{address}", AssetHandler, {"assets": assets}) for address in assets.containers),
            ("/voila/static/(.*)", _Files, {"paths": self.static_paths}),
            (
                f"/voila/labextensions/({extensions})",
                _ExtensionFiles,
                {"path": self.labextensions_path},
            ),
        ]


def serve(
    dashboard: Dashboard,
    make_ways: Callable[[Cookies], Ways],
    *,
    place: Place | None = None,
    limits: Limits | None = None,
    on_ready: Callable[[str], None],
) -> None:
    """Serve a dashboard until a signal stops the process.

    `make_ways` says who may come in, given how this server writes cookies; `on_ready` gets the link
    once it works. Raises `PortTaken` where a port that was asked for is not free, `SocketTaken`
    where a socket is not.
    """
    place, limits = place or Place(), limits or Limits()
    sockets = _bind(place)
    # Jupyter looks templates up by name on this path; kernels inherit it, which does no harm.
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        filter(None, [str(dashboard.templates), os.environ.get("JUPYTER_PATH")])
    )
    # The instance, not just one: what Voila logs without knowing its server goes to its log.
    server = DashboardServer.instance(config=_config(), config_file_paths=[])
    server.sockets = sockets
    server.port = sockets[0].getsockname()[1] if place.socket is None else DEFAULT_PORT
    server.dashboard, server.limits = dashboard, limits
    server.place, server.make_ways = place, make_ways
    server.notebook_path = str(dashboard.notebook)
    server.root_dir = str(dashboard.notebook.parent)
    server.on_ready = on_ready
    server.initialize([])
    server.start()


def _bind(place: Place) -> list[socket.socket]:
    if place.socket is not None:
        try:
            # For the proxy, which is another account in the same group.
            return [bind_unix_socket(str(place.socket), mode=0o660)]
        except (OSError, ValueError) as refused:
            why = getattr(refused, "strerror", None) or str(refused)
            raise SocketTaken(place.socket, why) from None
    port = place.port
    candidates = range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TO_TRY) if port is None else [port]
    for candidate in candidates:
        try:
            return bind_sockets(candidate, place.host, reuse_port=False)
        except OSError as refused:
            if refused.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise PortTaken(port if port is not None else DEFAULT_PORT)


def _config() -> Config:
    config = Config()
    config.Voila.open_browser = False
    config.Voila.log_level = "WARN"
    config.Voila.kernel_websocket_connection_class = GuardedConnection
    config.VoilaConfiguration.template = "usage"
    config.VoilaConfiguration.allow_template_override = "NO"
    config.VoilaConfiguration.allow_theme_override = "NO"
    config.VoilaConfiguration.file_allowlist = []
    config.VoilaConfiguration.extension_allowlist = _EXTENSIONS
    config.Voila.identity_provider_class = Identities
    config.VoilaConfiguration.kernel_spec_manager_class = OwnKernels
    config.VoilaConfiguration.multi_kernel_manager_class = QuietKernels
    # A phone that goes away never says goodbye: kernels without a connection end after a while.
    # One that died knows its page no more: the page asks for another.
    config.KernelRestarter.restart_limit = 0
    # For so long a connection is kept whose browser left before the kernel answered.
    config.MappingKernelManager.kernel_info_timeout = 5
    config.MappingKernelManager.cull_idle_timeout = 600
    config.MappingKernelManager.cull_interval = 60
    config.MappingKernelManager.cull_connected = False
    return config


def _app_settings(
    origins: Sequence[str], frames: Sequence[str], hearings: Hearings
) -> dict[str, Any]:
    return {
        **guard.SETTINGS,
        "hearings": hearings,
        "headers": answers.headers(origins, frames),
        "default_handler_class": Nowhere,
        "log_function": _log_request,
        "compress_response": True,
        # Channels have Tornado's own.
        "ws_ping_interval": 0,
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
