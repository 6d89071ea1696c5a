"""A running collector, started as people start it, and events to tell it of."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.reference import ROOT

KEY = "of-this-test-and-of-no-other-one-0123456789"
BATCH = "application/cloudevents-batch+json"
ONE = "application/cloudevents+json"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """Why not: an answer that says so is of the form that all such answers have."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        problem = self.json
        assert problem["status"] == self.status
        assert "Traceback" not in problem["detail"]
        return str(problem["detail"])


@dataclass
class RunningCollector:
    process: subprocess.Popen[str]
    address: str
    spool: Path

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 0

    def post(self, body: bytes, media_type: str = BATCH, **headers: str) -> Reply:
        """What is answered to a body; a header is left out by giving it as ""."""
        given = {
            "Content-Type": media_type,
            "Authorization": f"Bearer {KEY}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.ask("POST", "/events", body, given)

    def tell(self, *events: Any) -> Reply:
        return self.post(json.dumps(events).encode())

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, None, headers)

    def ask(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            given = {name: value for name, value in headers.items() if value}
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        self.process.communicate(timeout=30)
        return self.process.returncode


def start(
    url: str,
    spool: Path,
    *,
    port: int = 0,
    limits: dict[str, float] | None = None,
    largest_file: int | None = None,
    **settings: str,
) -> RunningCollector:
    """Start `analytics collect` and wait until it answers; its words are in a file by the spool.

    With `limits` it is one with limits of the test's own. No file of it grows beyond
    `largest_file`, as on a full disk.
    """
    environment = {
        **os.environ,
        "ANALYTICS_DATABASE_URL": url,
        "ANALYTICS_SPOOL": str(spool),
        "ANALYTICS_COLLECTOR_KEY": KEY,
        "PYTHONPATH": str(ROOT),
        **settings,
    }
    command = ["analytics_core.cli", "collect", "--port", str(port)]
    if limits is not None:
        command = ["tests.support.small_collector", json.dumps(limits)]

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    with log_of(spool).open("a") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            preexec_fn=limit,
        )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, log_of(spool).read_text()
    return RunningCollector(process, address, spool)


def log_of(spool: Path) -> Path:
    return spool.with_suffix(".log")


@contextmanager
def running_collector(url: str, spool: Path, **options: Any) -> Iterator[RunningCollector]:
    collector = start(url, spool, **options)
    try:
        yield collector
    finally:
        collector.stop()


def call(id: str, **changes: Any) -> dict[str, Any]:
    """A CloudEvent that tells of an API call."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": "/tests",
        "type": "usage.api_call",
        "time": datetime.now(UTC).isoformat(),
        "data": {
            "user_id": "mara",
            "method": "GET",
            "route": "/v1/renders",
            "status_code": 200,
            "duration": 0.1,
        },
    } | changes
