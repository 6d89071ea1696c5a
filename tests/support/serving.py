"""A running dashboard server, started as people start it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import nbformat

import dashboards
from tests.support import studio

# What the tokens of tests are signed with.
KID, KEY = "2026-11", "a-secret-of-tests-that-nobody-else-knows-and-long-enough-for-each-of-them"


def analytics(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "analytics_core.cli", *arguments],
        env={**os.environ, "ANALYTICS_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
    )


@dataclass
class Server:
    """A running `analytics dashboard` or `analytics serve`, stopped where its block ends."""

    process: subprocess.Popen[str]
    link: str
    url: str
    log: Path

    @property
    def host(self) -> str:
        return urlsplit(self.link).netloc

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]

    def stop(self) -> str:
        """Stop as a service manager would; returns what else was printed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            rest, _ = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return rest

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def ticket(body: str) -> str:
    """Where a page asks for its kernel."""
    found = re.search(r"usage/kernel/[\w-]+", body)
    assert found, body
    return f"/{found[0]}"


def studio_in(folder: Path) -> str:
    """The URL of a new database with a studio's history."""
    url = f"sqlite:///{folder / 'analytics.db'}"
    assert analytics("init", url=url).returncode == 0
    studio.fill(url)
    return url


def start(url: str, user: str, folder: Path, *arguments: str, prelude: str = "") -> Server:
    """Start a server in a folder of its own and wait for its link; `prelude` is run before."""
    return _started(url, folder, ["dashboard", "--user", user, *arguments], prelude, {})


def start_for_many(
    url: str, folder: Path, *, prelude: str = "", environment: Mapping[str, str] | None = None
) -> Server:
    """Start a server for many visitors at a free port, whose tokens are signed with `KEY`."""
    usual = {
        "ANALYTICS_PORT": "0",
        "ANALYTICS_TOKEN_KEYS": f"{KID}={KEY}",
        "ANALYTICS_USED_LINKS": str(folder / "used-links"),
    }
    return _started(url, folder, ["serve"], prelude, {**usual, **(environment or {})})


def _started(
    url: str, folder: Path, command: list[str], prelude: str, environment: Mapping[str, str]
) -> Server:
    log = folder / "dashboard.log"
    script = f"{prelude}\nfrom analytics_core.cli import main\nmain()\n"
    program = ["-c", script] if prelude else ["-m", "analytics_core.cli"]
    told = {"ANALYTICS_DATABASE_URL": url, **{k: v for k, v in environment.items() if v}}
    return _launched([*program, *command], folder, log, told, url)


def start_notebook(
    folder: Path,
    cell: str,
    *,
    hearings: str = "{}",
    prelude: str = "",
    environment: Mapping[str, str] | None = None,
) -> Server:
    """Serve a notebook of one cell, whose painted page says `painted`; for `serve` by itself.

    `hearings` is Python for what its widgets hear; `prelude` is run before.
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(notebook, folder / "one.ipynb")
    script = _SERVE.format(
        prelude=prelude, home=str(Path(dashboards.__file__).parent), hearings=hearings
    )
    return _launched(["-c", script], folder, folder / "log", environment or {}, "")


_SERVE = """
from pathlib import Path
from analytics_core.identity.visitor import Visitor
from analytics_core.model.scope import Scope
from analytics_core.serving.conversation import Hearing
from analytics_core.serving.painting import Painted
from analytics_core.serving.server import Dashboard, Limits, Place, announce, serve
from analytics_core.serving.ways import LocalLink
class Painter:
    def paint(self, visitor, query):
        return Painted('<p>painted</p>', 'given = 1', visitor.scope.to_text())
    def problem(self):
        return ''
{prelude}
home, visitor = Path({home!r}), Visitor.of_scope(Scope.user('u1'))
serve(Dashboard(Path('one.ipynb').absolute(), home / 'template', home / 'frontend', Painter(),
    'address = {{!r}}'.format, {hearings}), lambda cookies: LocalLink(visitor, cookies),
    place=Place(port=0), limits=Limits((1, 1)), on_ready=announce)
"""


def _launched(
    command: list[str], folder: Path, log: Path, environment: Mapping[str, str], url: str
) -> Server:
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, **environment},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=log.open("w"),
        text=True,
        # As from a terminal, also where the tests themselves were started with nohup.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert process.stdout is not None
    link = process.stdout.readline().strip()
    assert link, log.read_text()
    return Server(process, link, url, log)
