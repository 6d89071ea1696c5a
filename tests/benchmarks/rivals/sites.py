"""Servers of the page: ours as people start it, stock Voila on our notebook, and the rivals."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from analytics_core import Scope, Settings, Workspace
from analytics_core.charts.values import Kind
from analytics_core.drawing.palette import SHADES
from tests.benchmarks.processes import VARIABLE, Process, marked
from tests.support.serving import analytics

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
EMAIL = "mara@example.com"
# The whole of it, so that a series cannot be mistaken for that of another range.
PERIODS = {
    "7d": "7 d",
    "30d": "30 d",
    "90d": "90 d",
    "this-month": "This month",
    "last-month": "Last month",
}
FIRST = "30d"
TABS = ("Overview", "Renders", "Credits", "API usage", "Storage", "Projects")
_LONGEST_START = 60.0
_LONGEST_STOP = 20.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Data:
    """A filled database, what may be seen of it, and how its lines run in each period."""

    url: str
    grant: str
    series: dict[str, list[dict[str, object]]]

    @property
    def environment(self) -> dict[str, str]:
        return {"ANALYTICS_DATABASE_URL": self.url, "ANALYTICS_GRANT": self.grant}


@dataclass(frozen=True, slots=True)
class Site:
    """One way of serving the page.

    `marks` is where its lines are, in SVG or on a canvas; with `shadows`, within shadow roots.
    """

    name: str
    marks: str
    canvas: bool = False
    shadows: bool = False


OURS = Site("ours", "svg .mark.line, .bqplot .line")
VOILA = Site("stock Voila", OURS.marks)
PANEL = Site("Panel", "canvas", canvas=True, shadows=True)
DASH = Site("Dash", ".scatterlayer path.js-line")
STREAMLIT = Site("Streamlit", ".mark-line path")
RIVALS = (PANEL, DASH, STREAMLIT)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers at `link`, all of whose processes carry `mark`."""

    site: Site
    link: str
    mark: str
    process: subprocess.Popen[str]
    log: Path

    def stop(self) -> list[Process]:
        """Stop as a service manager would; the processes that outlived it, which are killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + _LONGEST_STOP
        while (left := marked(self.mark)) and time.monotonic() < until:
            self.process.poll()
            time.sleep(0.1)
        for process in left:
            process.kill()
        self.process.wait()
        return left


def fill(folder: Path, say: Say) -> Data:
    """The demo's database."""
    url = f"sqlite:///{folder / 'usage.db'}"
    for command in (("init",), ("demo-data",)):
        done = analytics(*command, url=url)
        assert done.returncode == 0, done.stderr
        say((done.stderr or done.stdout).strip())
    with Workspace(Settings.read(database_url=url), Scope.everyone()) as workspace:
        user = workspace.find_user(EMAIL)
        series = {
            period: [
                {"color": _rgb(SHADES[line.role].light), "values": line.values}
                for chart in workspace.page(EMAIL, period).tab("overview").charts
                if chart.kind is Kind.LINES
                for line in chart.series
            ]
            for period in PERIODS
        }
    return Data(url, Scope.team([user.id]).to_text(), series)


def _rgb(color: str) -> list[int]:
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]


@contextmanager
def serving(site: Site, data: Data, folder: Path, **settings: str) -> Iterator[Running]:
    """The site's server in a process of its own, stopped with all that it started.

    `settings` are further variables of its environment.
    """
    home = folder / f"{site.name.replace(' ', '-')}-{uuid.uuid4().hex[:6]}"
    home.mkdir()
    mark, port = str(home), _free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")},
        **data.environment,
        **settings,
        VARIABLE: mark,
        "PYTHONPATH": str(ROOT),
        # Nothing is shared with other servers of this user.
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
    }
    command, path = _command(site, port, home, environment)
    log = home / "log"
    with log.open("w") as written:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if site is OURS else written,
            stderr=written,
            text=True,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
    running = Running(site, f"http://127.0.0.1:{port}{path}", mark, process, log)
    try:
        if site is OURS:
            assert process.stdout is not None
            link = process.stdout.readline().strip()
            assert link, log.read_text()
            running = Running(site, link, mark, process, log)
        else:
            _wait_for_answer(running)
        yield running
    finally:
        running.stop()


def _end_with_parent() -> None:
    """Ask the system for a SIGTERM when the benchmark dies without having stopped its servers."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _command(
    site: Site, port: int, home: Path, environment: dict[str, str]
) -> tuple[list[str], str]:
    """How the server is started, and the path of its page."""
    if site is OURS:
        # The command grants the user's data itself.
        del environment["ANALYTICS_GRANT"]
        started = ["-m", "analytics_core.cli", "dashboard", "--user", EMAIL, "--port", str(port)]
        return [sys.executable, *started], "/"
    if site is VOILA:
        environment["JUPYTER_PATH"] = str(_stock_kernel(home))
        notebook = _stock_notebook(home)
        options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
        return [sys.executable, "-m", "voila", str(notebook), *options], "/"
    python = str(environment_of_rivals() / "bin" / "python")
    if site is PANEL:
        options = ["--address", "127.0.0.1", "--port", str(port), "--warm"]
        return [
            python,
            "-m",
            "panel",
            "serve",
            str(HERE / "panel_page.py"),
            *options,
        ], "/panel_page"
    if site is DASH:
        return [python, str(HERE / "dash_page.py"), str(port)], "/"
    options = ["--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true"]
    quiet = ["--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    return [
        *(python, "-m", "streamlit", "run", str(HERE / "streamlit_page.py")),
        *options,
        *quiet,
    ], "/"


def _stock_kernel(home: Path) -> Path:
    """A data path with a kernel that is started as ipykernel installs it."""
    folder = home / "share"
    (folder / "kernels" / "stock").mkdir(parents=True)
    launched = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": launched, "display_name": "Stock", "language": "python"}
    (folder / "kernels" / "stock" / "kernel.json").write_text(json.dumps(spec))
    return folder


def _stock_notebook(home: Path) -> Path:
    """Our notebook, but for the kernel it names."""
    notebook = json.loads((ROOT / "dashboards" / "usage.ipynb").read_text())
    notebook["metadata"]["kernelspec"]["name"] = "stock"
    copied = home / "usage.ipynb"
    copied.write_text(json.dumps(notebook))
    return copied


def environment_of_rivals() -> Path:
    """Where rivals are installed, which is done when they are first needed or pinned anew."""
    folder, pins = ROOT / "out" / "rivals", HERE / "requirements.txt"
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != pins.read_text():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        quietly = ["-qq", "--disable-pip-version-check"]
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", *quietly]
        subprocess.run([*pip, "-r", str(pins)], check=True)
        stamp.write_text(pins.read_text())
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_answer(running: Running) -> None:
    until = time.monotonic() + _LONGEST_START
    while time.monotonic() < until and running.process.poll() is None:
        try:
            # Any page of its own will do; that of stock Voila would start a kernel.
            urlopen(running.link.rpartition("/")[0] + "/favicon.ico", timeout=5).close()
        except HTTPError:
            return
        except (URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{running.site.name} did not start: {running.log.read_text()}")
