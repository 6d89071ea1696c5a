"""The dashboard command: one link on standard output, nothing to others, nothing left behind."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import studio
from tests.support.kernels import kernels
from tests.support.serving import Server, analytics, start, start_notebook, ticket


def get(server: Server, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, body and cookies of one request."""
    connection = http.client.HTTPConnection(server.host, timeout=120)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode(errors="replace")
    connection.close()
    cookies = [line.partition(";")[0] for line in answer.headers.get_all("Set-Cookie", [])]
    return answer.status, body, "; ".join(cookies)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/usage/kernel/a-ticket",
        "/usage/0123456789abcdef0123/bundle.js",
        "/voila/static/voila.js",
        "/voila/templates/lab/static/voila-style.js",
        "/api/kernels/00000000-0000-0000-0000-000000000000",
        "/api/kernels/00000000-0000-0000-0000-000000000000/channels",
        "/voila/files/usage.ipynb",
    ],
)
def test_without_the_token_everything_is_refused(server: Server, path: str) -> None:
    assert get(server, path)[0] == 403


@pytest.mark.parametrize("path", ["/", "/voila/static/voila.js"])
def test_another_host_name_is_refused_with_the_token_too(server: Server, path: str) -> None:
    assert get(server, f"{path}?token={server.token}", Host="evil.example")[0] == 403


def test_a_websocket_from_another_site_is_refused(server: Server) -> None:
    status, _, _ = get(
        server,
        f"/api/kernels/00000000-0000-0000-0000-000000000000/channels?token={server.token}",
        Origin="http://evil.example",
        Upgrade="websocket",
        Connection="Upgrade",
    )
    assert status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/voila/files/usage.ipynb",
        "/voila/files/model.py",
        "/voila/tree",
        "/voila/render/usage.ipynb",
        "/usage.ipynb",
        "/voila/api/contents/",
        "/voila/static/../../../../etc/passwd",
    ],
)
def test_no_file_and_no_folder_is_served(server: Server, path: str) -> None:
    status, body, _ = get(server, f"{path}?token={server.token}")
    assert status in (403, 404)
    assert "UsagePage" not in body
    assert "root:" not in body


def test_the_page_is_whole_and_a_cookie_goes_on_from_there(server: Server) -> None:
    status, body, cookie = get(server, f"/?token={server.token}")
    assert status == 200
    assert "usage-painted" in body
    assert "UsagePage" not in body
    assert "https://" not in body
    assert server.token not in body
    for script in re.findall(r'(?:src|href)="([^"]+\.js)"', body):
        assert get(server, f"/{script}", Cookie=cookie)[0] == 200
    status, opened, _ = get(server, ticket(body), Cookie=cookie)
    assert status == 200
    assert json.loads(opened)["root"] in opened
    assert "UsagePage" not in opened


def test_the_token_is_never_logged(server: Server) -> None:
    get(server, f"/nowhere?token={server.token}")
    log = server.log.read_text()
    assert "127.0.0.1" in log
    assert server.token not in log


def test_an_unknown_user_is_refused_before_anything_is_served(url: str) -> None:
    done = analytics("dashboard", "--user", "who@example.com", url=url)
    assert (done.returncode, done.stdout) == (2, "")
    assert "unknown user" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_one_clear_line(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = analytics("dashboard", "--user", studio.MARA, "--port", port, url=url)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"port {port} is taken" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("stopping", [signal.SIGTERM, signal.SIGHUP])
def test_stopping_leaves_no_kernel_and_prints_nothing_more(
    url: str, tmp_path: Path, stopping: signal.Signals
) -> None:
    with start(url, studio.MARA, tmp_path) as running:
        _, body, cookie = get(running, f"/?token={running.token}")
        assert get(running, ticket(body), Cookie=cookie)[0] == 200
        started = kernels(running.process.pid)
        assert started
        running.process.send_signal(stopping)
        assert running.process.communicate(timeout=20)[0] == ""
        deadline = time.monotonic() + 10
        while any(map(_runs, started)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(map(_runs, started))
        assert running.process.returncode == 0


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3])
def test_stopping_while_kernels_are_being_started_is_as_clean(
    url: str, tmp_path: Path, seconds: float
) -> None:
    with start(url, studio.MARA, tmp_path) as running:
        time.sleep(seconds)
        running.process.terminate()
        running.process.communicate(timeout=20)
        assert running.process.returncode == 0
        assert "unexpected" not in running.log.read_text()


def test_the_server_starts_without_compiling_a_grammar() -> None:
    # jsonschema 4.25 and later check addresses by one, which takes 3 seconds wherever it is read.
    code = "import sys, analytics_core.serving.server; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_a_port_a_second_server_takes_the_next_one(
    server: Server, url: str, tmp_path: Path
) -> None:
    with start(url, studio.MARA, tmp_path) as second:
        assert second.host != server.host


def test_a_notebook_that_fails_shows_plain_words_and_logs_the_reason(tmp_path: Path) -> None:
    with start_notebook(tmp_path, "raise RuntimeError('what went ' + 'wrong inside')") as failing:
        status, body, cookie = get(failing, f"/?token={failing.token}")
        assert (status, "<p>painted</p>" in body) == (200, True)
        status, body, _ = get(failing, ticket(body), Cookie=cookie)
    assert (status, json.loads(body)) == (500, {"problem": "failed"})
    assert "what went wrong inside" in failing.log.read_text()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
