"""What a visitor sees before any kernel: their own numbers, whatever becomes of the kernel."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.serving.test_server import get
from tests.support import studio
from tests.support.kernels import kernels
from tests.support.serving import Server, analytics, start, ticket

# The command without any kernel that could be started.
NO_KERNELS = """
from analytics_core.serving.kernels import QuietKernels
async def none(self, **options):
    raise OSError("no kernels today")
QuietKernels.start_kernel = none
"""


@pytest.fixture(scope="module")
def without_kernels(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("without")
    with start(url, studio.MARA, folder, prelude=NO_KERNELS) as server:
        yield server


def cards(body: str) -> dict[str, str]:
    return dict(re.findall(r'data-key="([\w-]+)" data-value="([^"]*)"', body))


def stats(url: str, *arguments: str) -> dict[str, dict[str, float]]:
    done = analytics("stats", "--user", studio.MARA, *arguments, "--format", "json", url=url)
    answer: dict[str, dict[str, float]] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("days", [1, 7, 30, 400])
def test_the_numbers_are_those_of_analytics_stats_where_no_kernel_can_start(
    without_kernels: Server, days: int
) -> None:
    last = datetime.now(UTC).date()
    first, token = last - timedelta(days - 1), without_kernels.token
    status, body, cookie = get(without_kernels, f"/?token={token}&range={first}..{last}")
    shown, told = cards(body), stats(without_kernels.url, "--from", str(first), "--to", str(last))
    assert status == 200
    assert '<svg class="plot"' in body
    assert float(shown["renders"]) == told["renders"]["total"]
    assert float(shown["credits"]) == told["credits"]["spent"]
    assert float(shown["api"]) == told["api"]["total_calls"]
    assert float(shown["storage"]) == told["storage"]["stored_bytes"]
    assert float(shown["projects"]) == told["projects"]["total"]
    assert get(without_kernels, ticket(body), Cookie=cookie)[0] == 500


def test_the_painting_comes_before_its_kernel_is_asked_for(server: Server) -> None:
    before = kernels(server.process.pid)
    for _ in range(5):
        status, body, _ = get(server, f"/?token={server.token}")
        assert (status, '<svg class="plot"' in body) == (200, True)
    # Whoever only reads HTML costs no process; those are kernels that wait for anybody.
    assert len(kernels(server.process.pid)) <= max(2, len(before))


def test_two_visitors_get_what_each_asked_for_in_the_page_and_in_the_kernel(
    server: Server,
) -> None:
    asked = ["range=7d&tab=credits", "range=90d&tab=renders&zone=Asia/Tokyo"]

    def visit(query: str) -> tuple[str, str]:
        _, body, cookie = get(server, f"/?token={server.token}&{query}")
        return body, get(server, ticket(body), Cookie=cookie)[1]

    with ThreadPoolExecutor(2) as both:
        (first, first_kernel), (second, second_kernel) = both.map(visit, asked)
    assert "panel-of-credits-by-day" in first or "panel-of-credits" in first
    assert "Asia/Tokyo" in second
    assert "Asia/Tokyo" not in first
    kernel_ids = [json.loads(text)["kernel"] for text in (first_kernel, second_kernel)]
    assert len(set(kernel_ids)) == 2
    assert '"zone": "Asia/Tokyo"' in second_kernel
    assert '"zone": "Asia/Tokyo"' not in first_kernel
    for body, kernel in ((first, first_kernel), (second, second_kernel)):
        exact = {
            card["key"]: card["exact"]
            for message in json.loads(kernel)["messages"]
            for card in message["content"]["data"].get("state", {}).get("cards", [])
        }
        assert exact["renders"] == float(cards(body)["renders"])


def test_a_ticket_is_good_once(server: Server) -> None:
    _, body, cookie = get(server, f"/?token={server.token}")
    assert get(server, ticket(body), Cookie=cookie)[0] == 200
    assert get(server, ticket(body), Cookie=cookie)[0] == 410
    assert get(server, "/usage/kernel/another", Cookie=cookie)[0] == 410


@pytest.mark.parametrize(
    "query",
    [
        "tab=%3Cscript%3Ealert(1)%3C/script%3E",
        "range=%27;DROP%20TABLE%20renders;--",
        "zone=../../../etc/passwd&range=" + "9" * 3000,
        "%00=%ff&compare=1%0d%0aSet-Cookie:%20a=b",
    ],
)
def test_a_hostile_address_is_the_usual_page(server: Server, query: str) -> None:
    usual = cards(get(server, f"/?token={server.token}")[1])
    status, body, cookie = get(server, f"/?token={server.token}&{query}")
    assert status == 200
    assert cards(body) == usual
    assert not re.search(r"alert\(|DROP|passwd|9{99}", body)
    assert "a=b" not in cookie


def test_scripts_are_compressed_kept_for_good_and_named_by_their_content(server: Server) -> None:
    _, body, cookie = get(server, f"/?token={server.token}")
    # Where the machine is busy they are named, and fetched when it is the page's turn.
    addresses = set(re.findall(r'"([^"]+\.js)"', body))
    assert 5 <= len(addresses) <= 10
    if '"isBusy": false' in body:
        assert addresses == set(re.findall(r'(?:src|href)="([^"]+\.js)"', body))
    received = 0
    for address in addresses:
        connection = http.client.HTTPConnection(server.host, timeout=30)
        connection.request(
            "GET", f"/{address}", headers={"Cookie": cookie, "Accept-Encoding": "gzip"}
        )
        answer = connection.getresponse()
        received += len(answer.read())
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert re.search(r"[0-9a-f]{16}", address)
        connection.close()
    assert received < 500_000


def test_many_readers_at_once_all_get_their_first_chart(server: Server) -> None:
    with ThreadPoolExecutor(40) as crowd:
        bodies = list(crowd.map(lambda _: get(server, f"/?token={server.token}")[1], range(40)))
    assert all('<svg class="plot"' in body for body in bodies)
    assert len({str(cards(body)) for body in bodies}) == 1


def test_too_many_pages_are_told_in_a_page_of_its_own(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYTICS_MOST_PAGES", "1")
    with start(url, studio.MARA, tmp_path) as full:
        _, body, cookie = get(full, f"/?token={full.token}")
        _, second, _ = get(full, f"/?token={full.token}")
        opened = json.loads(get(full, ticket(body), Cookie=cookie)[1])
        assert "kernel" in opened, full.log.read_text()
        status, third, _ = get(full, f"/?token={full.token}", Accept="text/html")
        assert status == 503
        assert "Too many pages are open" in third
        assert "Try again" in third
        assert get(full, ticket(second), Cookie=cookie)[:2] == (429, '{"problem": "many"}')
        # Room again once a page is left.
        xsrf = re.search(r"_xsrf=([^;]+)", cookie)
        assert xsrf
        connection = http.client.HTTPConnection(full.host, timeout=30)
        connection.request(
            "POST",
            f"/voila/api/shutdown/{opened['kernel']}",
            body=f"_xsrf={xsrf[1]}",
            headers={"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"},
        )
        assert connection.getresponse().status == 204
        deadline = time.monotonic() + 10
        while get(full, f"/?token={full.token}")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert get(full, f"/?token={full.token}")[0] == 200


def test_a_kernel_that_dies_while_it_becomes_a_page_is_followed_by_another(
    url: str, tmp_path: Path
) -> None:
    # The first that is given away is killed in that moment.
    dying = (
        "import os, signal\n"
        "from analytics_core.serving.pool import WarmPool\n"
        "take, taken = WarmPool.take, []\n"
        "async def took(self):\n"
        "    kernel = await take(self)\n"
        "    if not taken:\n"
        "        os.kill(kernel.process, signal.SIGKILL)\n"
        "    taken.append(kernel)\n"
        "    return kernel\n"
        "WarmPool.take = took\n"
    )
    with start(url, studio.MARA, tmp_path, prelude=dying) as running:
        _, body, cookie = get(running, f"/?token={running.token}")
        started = time.monotonic()
        status, opened, _ = get(running, ticket(body), Cookie=cookie)
        assert status == 200
        assert json.loads(opened)["root"]
        assert time.monotonic() - started < 30
        assert "another kernel for a page: KernelGone" in running.log.read_text()
