"""`analytics lab` is JupyterLab on the guides: with a token, on loopback, within a named scope."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.command import analytics, refusal


@pytest.fixture(scope="module")
def link(make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The one line that a running lab printed on standard output."""
    url = make_database("sqlite")
    rows.insert(url, [rows.user("mara"), rows.render("mara", datetime(2026, 10, 1, tzinfo=UTC))])
    with (tmp_path_factory.mktemp("lab") / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "analytics_core.cli", "lab", "--no-browser"],
            env={**os.environ, "ANALYTICS_DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        log.seek(0)
        assert line, log.read()
        yield line
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)
        assert rest == ""


def asked(link: str, path: str, *, token: str | None = None, body: object = None) -> dict:
    """What the lab's API answers."""
    parts = urlsplit(link)
    request = Request(
        f"http://{parts.netloc}{path}",
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"token {token or parts.query.removeprefix('token=')}"},
    )
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_the_link_opens_the_first_guide(link: str) -> None:
    parts = urlsplit(link)
    assert parts.hostname == "127.0.0.1"
    assert parts.path == "/lab/tree/guides/first-steps.ipynb"
    with urlopen(link, timeout=30) as page:
        assert page.status == 200


def test_the_guides_and_the_templates_are_there(link: str) -> None:
    names = {entry["name"] for entry in asked(link, "/api/contents")["content"]}
    assert names >= {"guides", "reports"}


def test_nobody_gets_in_without_the_token(link: str) -> None:
    with pytest.raises(HTTPError) as refused:
        asked(link, "/api/contents", token="guessed")
    assert refused.value.code == 403


def test_it_listens_on_loopback_alone(link: str) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("this system does not say who listens")
    port = f"{urlsplit(link).port:04X}"
    found = [line.split()[1] for line in listening.read_text().splitlines()[1:]]
    assert {address for address in found if address.endswith(f":{port}")} == {f"0100007F:{port}"}


def test_its_makers_are_not_asked_for_news(link: str) -> None:
    with urlopen(link, timeout=30) as page:
        settings = page.read().decode()
    assert '"news": {"disabled": true}' in settings


def test_notebooks_see_everyone_through_this_interpreter(link: str) -> None:
    kernel = asked(link, "/api/kernels", body={"name": "python3"})
    runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / f"kernel-{kernel['id']}.json"
    client = BlockingKernelClient(connection_file=str(runtime))
    client.load_connection_file()
    # Without the heartbeat: a kernel that is slow to start would count as dead after a second.
    client.start_channels(hb=False)
    printed: list[str] = []
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive(
            "import sys\n"
            "from analytics_core import Workspace\n"
            "ws = Workspace.current()\n"
            "print(ws.scope.is_everyone, ws.get_render_stats(None, 'all').total, sys.executable)",
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
            timeout=60,
        )
    finally:
        client.stop_channels()
    assert "".join(printed).split() == ["True", "1", sys.executable]


def test_a_taken_port_is_refused_in_one_line(make_database: MakeDatabase) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        database_url = make_database("sqlite")
        done = analytics("lab", "--no-browser", "--port", port, database_url=database_url)
    assert port in refusal(done)


def test_a_database_that_is_not_there_is_refused_in_one_line() -> None:
    refusal(analytics("lab", "--no-browser"))
