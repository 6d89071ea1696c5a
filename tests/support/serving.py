"""A running dashboard server, started as people start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


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
    """A running `analytics dashboard`."""

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
        rest, _ = self.process.communicate(timeout=20)
        return rest


def start(url: str, user: str, folder: Path, *arguments: str) -> Server:
    """Start a server in a folder of its own and wait for its link."""
    log = folder / "dashboard.log"
    process = subprocess.Popen(
        [sys.executable, "-m", "analytics_core.cli", "dashboard", "--user", user, *arguments],
        env={**os.environ, "ANALYTICS_DATABASE_URL": url},
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


def children(process: int) -> list[int]:
    """The processes that this one started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == process and state != "Z":
                found.append(int(entry.name))
    return found
