"""A kernel is one visitor's, from the moment it is given away until it is gone."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import websocket

from analytics_core import Scope, Settings
from analytics_core.identity.keys import Keys
from analytics_core.identity.sessions import LONGEST_SECONDS, Session, Sessions
from analytics_core.identity.tokens import LEEWAY_SECONDS
from analytics_core.identity.visitor import Visitor
from tests.support.kernels import kernels
from tests.support.serving import KEY, KID, Server, start_for_many, ticket
from tests.support.visitors import AUDIENCE, THEOS_RENDERS, Answer, Client, come, token

NOBODYS = str(uuid.uuid4())
EVERY = [
    ("GET", "/usage/here/{}"),
    ("GET", "/api/kernels/{}/channels"),
    ("GET", "/api/kernels/{}"),
    ("DELETE", "/api/kernels/{}"),
    ("POST", "/api/kernels/{}/interrupt"),
    ("POST", "/api/kernels/{}/restart"),
    ("POST", "/voila/api/shutdown/{}"),
    ("GET", "/voila/query/{}"),
    ("GET", "/voila/execution/{}"),
    ("GET", "/voila/files/{}/usage.ipynb"),
    ("GET", "/files/{}"),
]


def opened(server: Server, sub: str) -> tuple[Client, str]:
    client = come(server, sub)
    kernel, _ = client.open_kernel(client.ask("/"))
    return client, kernel


def connect(client: Client, kernel: str) -> websocket.WebSocket:
    """The kernel's channels; raises where the handshake is answered with anything but 101."""
    return websocket.create_connection(
        f"ws://{client.server.host}/api/kernels/{kernel}/channels?session_id=a",
        cookie=client.cookie or None,
        origin=f"http://{client.server.host}",
        subprotocols=["v1.kernel.websocket.jupyter.org"],
        timeout=30,
    )


def refused(client: Client, kernel: str) -> int:
    with pytest.raises(websocket.WebSocketBadStatusException) as told:
        connect(client, kernel)
    status: int = told.value.status_code
    return status


def leave(client: Client, kernel: str) -> Answer:
    return client.ask(
        f"/voila/api/shutdown/{kernel}",
        "POST",
        f"_xsrf={client.jar['_xsrf']}",
        Content_Type="application/x-www-form-urlencoded",
    )


def eventually(holds: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return holds()


@pytest.fixture(scope="module")
def people(server: Server) -> tuple[Client, str, Client]:
    """Mara, her kernel, and Theo, who has one too."""
    mara, kernel = opened(server, "u1")
    theo, _ = opened(server, "u3")
    return mara, kernel, theo


@pytest.mark.parametrize(("method", "path"), EVERY, ids=lambda value: value.strip("/"))
def test_to_others_a_kernel_is_as_if_there_were_none(
    people: tuple[Client, str, Client], method: str, path: str
) -> None:
    mara, kernel, theo = people
    form = {"Content_Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
    body = f"_xsrf={theo.jar['_xsrf']}" if form else ""
    of_mara = theo.ask(path.format(kernel), method, body, **form)
    of_nobody = theo.ask(path.format(NOBODYS), method, body, **form)
    assert (of_mara.status, of_mara.body) == (404, of_nobody.body)
    assert of_nobody.status == 404
    outsider = Client(mara.server).ask(path.format(kernel), method, body, **form)
    assert outsider.status == 403
    # It is none the worse for it.
    assert mara.ask(f"/usage/here/{kernel}").status == 204


def test_only_its_owner_can_connect(people: tuple[Client, str, Client]) -> None:
    mara, kernel, theo = people
    connect(mara, kernel).close()
    assert refused(theo, kernel) == 404
    assert refused(theo, NOBODYS) == 404
    assert refused(Client(mara.server), kernel) == 403


def test_what_the_owner_does_not_need_is_not_there_for_them_either(
    people: tuple[Client, str, Client],
) -> None:
    mara, kernel, _ = people
    for method, path in EVERY:
        if "/here/" in path or "/channels" in path or "/shutdown/" in path:
            continue
        body = f"_xsrf={mara.jar['_xsrf']}" if method == "POST" else ""
        assert mara.ask(path.format(kernel), method, body).status in (403, 404), path
    assert mara.ask(f"/usage/here/{kernel}").status == 204


def test_the_end_of_a_kernel_is_asked_for_by_its_own_page_alone(server: Server) -> None:
    mara, kernel = opened(server, "u1")
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for body in ("", "_xsrf=", f"_xsrf={come(server, 'u1').jar['_xsrf']}"):
        assert mara.ask(f"/voila/api/shutdown/{kernel}", "POST", body, **form).status == 403
    assert mara.ask(f"/usage/here/{kernel}").status == 204
    assert leave(mara, kernel).status == 204
    assert eventually(lambda: mara.ask(f"/usage/here/{kernel}").status == 404)


def test_the_same_person_in_another_browser_is_its_owner_and_with_another_scope_is_not(
    people: tuple[Client, str, Client],
) -> None:
    mara, kernel, _ = people
    assert come(mara.server, "u1").ask(f"/usage/here/{kernel}").status == 204
    for said in ({"users": ["u1"]}, {"users": ["u1", "u3"]}, {"role": "operator"}):
        other = come(mara.server, "u1", **said)
        assert other.ask(f"/usage/here/{kernel}").status == 404


def test_a_ticket_is_its_visitors_alone(server: Server) -> None:
    mara, theo = come(server, "u1"), come(server, "u3")
    address = ticket(mara.ask("/").body)
    answer = theo.ask(address)
    assert (answer.status, json.loads(answer.body)) == (410, {"problem": "gone"})
    assert Client(server).ask(address).status == 403
    assert mara.ask(address).status == 200
    assert mara.ask(address).status == 410


def test_kernels_say_their_visitors_numbers_whatever_the_address_and_headers_say(
    server: Server,
) -> None:
    theo = come(server, "u3")
    said = {
        "X_Forwarded_User": "u1", "X_Grant": '{"everyone": true}', "Remote_User": "u1",
        "Cookie": f"{theo.cookie}; ANALYTICS_GRANT=everyone; user=u1",
    }  # fmt: skip
    query = "user=u1&grant=everyone&ANALYTICS_GRANT=%7B%22everyone%22:true%7D&scope=u1"
    page = theo.ask(f"/?{query}", **said)
    assert page.card["renders"] == str(THEOS_RENDERS)
    _, told = theo.open_kernel(page)
    exact = {
        card["key"]: card["exact"]
        for message in json.loads(told)["messages"]
        for card in message["content"]["data"].get("state", {}).get("cards", [])
    }
    assert exact["renders"] == THEOS_RENDERS


@pytest.fixture
def small(people_url: str, tmp_path: Path) -> Iterator[Server]:
    with start_for_many(
        people_url,
        tmp_path,
        environment={"ANALYTICS_PAGES_PER_VISITOR": "2", "ANALYTICS_MOST_PAGES": "3"},
    ) as running:
        yield running


def test_limits_are_told_in_words_and_leave_others_their_pages(small: Server) -> None:
    mara, theo = come(small, "u1"), come(small, "u3")
    first, _ = mara.open_kernel(mara.ask("/"))
    mara.open_kernel(mara.ask("/"))
    page = mara.ask("/")
    # The numbers are there; they stay as they are.
    assert page.status == 200
    address = ticket(page.body)
    answer = mara.ask(address)
    assert (answer.status, json.loads(answer.body)) == (429, {"problem": "many"})
    theo.open_kernel(theo.ask("/"))
    full = come_to_full(small)
    assert full.status == 503
    assert "Too many pages are open" in full.body
    # Room again once one is left.
    assert leave(mara, first).status == 204
    assert eventually(lambda: theo.ask("/").status == 200)
    theo.open_kernel(theo.ask("/"))


def come_to_full(server: Server) -> Answer:
    return Client(server).come("u1")


def test_a_kernel_that_died_is_gone_and_never_started_anew(small: Server) -> None:
    mara, kernel = opened(small, "u1")
    socket = connect(mara, kernel)
    for process in kernels(small.process.pid):
        os.kill(process, signal.SIGKILL)
    # Jupyter looks every three seconds.
    time.sleep(5)
    assert mara.ask(f"/usage/here/{kernel}").status == 404
    assert refused(mara, kernel) == 404
    socket.close()
    # Another one is given to the same page's next request.
    again, _ = mara.open_kernel(mara.ask("/"))
    assert again != kernel


def of_a_session(server: Server, end: int) -> dict[str, str]:
    """The cookie of a session that has been renewed for as long as one may be."""
    settings = Settings.read(token_keys=f"{KID}={KEY}")
    sessions = Sessions(Keys.of(settings), 28_800, AUDIENCE)  # type: ignore[arg-type]
    visitor = Visitor.of_scope(Scope.user("u3"))
    session = Session(visitor, "", end - LONGEST_SECONDS, int(time.time()), end)
    return {f"usage-{urlsplit(server.link).port}": sessions.write(session)}


def of_the_product(_: Server, end: int) -> dict[str, str]:
    return {"usage-token": token("u3", jti=None, iat=end - 900, exp=end)}


@pytest.mark.parametrize("kept", [of_a_session, of_the_product])
def test_a_socket_is_closed_when_its_visitor_is_not_known_any_more(
    by_cookie: Server, kept: Callable[[Server, int], dict[str, str]]
) -> None:
    before = Client(by_cookie, kept(by_cookie, int(time.time()) + 600))
    kernel, _ = before.open_kernel(before.ask("/"))
    # Only now: what takes a loaded machine long is done.
    end = int(time.time()) - LEEWAY_SECONDS + 6
    theo = Client(by_cookie, kept(by_cookie, end))
    socket = connect(theo, kernel)
    while socket.recv_data(control_frame=True)[0] != websocket.ABNF.OPCODE_CLOSE:
        """It goes on until then."""
    assert 0 <= time.time() - end - LEEWAY_SECONDS < 20
    socket.close()
    # Nor does it come back.
    assert refused(theo, kernel) == 403


def test_a_kernel_answers_where_a_sockets_path_would_be_too_long(
    people_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / ("temporary" * 9)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with start_for_many(people_url, tmp_path) as running:
        connect(*opened(running, "u1")).close()


# An interval in which answers of a busy machine still come.
IMPATIENT = """
import analytics_core.serving.visits as visits
visits._PING_SECONDS = 1
"""


def test_a_socket_that_answers_stays_and_one_that_does_not_is_closed(
    people_url: str, tmp_path: Path
) -> None:
    with start_for_many(people_url, tmp_path, prelude=IMPATIENT) as running:
        # Both pages first: opening one takes a busy machine longer than a ping may go unanswered.
        kernels = [opened(running, user) for user in ("u1", "u2")]
        answering, silent = (connect(*kernel) for kernel in kernels)
        pings = 0
        while pings < 6:
            # Answers pings by itself.
            kind, _ = answering.recv_data(control_frame=True)
            assert kind != websocket.ABNF.OPCODE_CLOSE
            pings += kind == websocket.ABNF.OPCODE_PING
        kinds = []
        while websocket.ABNF.OPCODE_CLOSE not in kinds:
            kinds.append(silent.recv_frame().opcode)
        assert kinds.count(websocket.ABNF.OPCODE_PING) == 1
        answering.close()
        silent.close()


@pytest.fixture(scope="module")
def by_cookie(people_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that believes the product's own cookie, too."""
    folder = tmp_path_factory.mktemp("by_cookie")
    environment = {"ANALYTICS_TOKEN_COOKIE": "usage-token"}
    with start_for_many(people_url, folder, environment=environment) as running:
        yield running


# What is asked of a kernel can come before the painting is there.
SLOW = """
import time
from dashboards.first_paint import FirstPaint
paint = FirstPaint.paint
def slowly(self, visitor, query):
    time.sleep(1)
    if query == "fail=1":
        raise RuntimeError("nothing is painted")
    return paint(self, visitor, query)
FirstPaint.paint = slowly
"""
ONE = {"ANALYTICS_MOST_PAGES": "1", "ANALYTICS_WARM_KERNELS": "1"}


def ask_at_once(client: Client, path: str) -> Answer:
    """What a page's kernel says, asked for while the page is being painted."""
    connection = http.client.HTTPConnection(client.server.host, timeout=60)
    connection.request("GET", path, headers={"Cookie": client.cookie})
    page, head = connection.getresponse(), ""
    while "</head>" not in head:
        head += page.read1().decode()
    answer = client.ask(ticket(head))
    connection.close()
    return answer


@pytest.fixture
def copied(people_url: str, tmp_path: Path) -> Path:
    """A database that may go away."""
    copy = tmp_path / "copy.db"
    shutil.copy(people_url.removeprefix("sqlite:///"), copy)
    return copy


def test_where_nothing_can_be_granted_no_kernel_is_taken(copied: Path, tmp_path: Path) -> None:
    with start_for_many(f"sqlite:///{copied}", tmp_path, environment=ONE) as running:
        assert eventually(lambda: len(kernels(running.process.pid)) == 1)
        waiting = kernels(running.process.pid)
        away = copied.rename(tmp_path / "away.db")
        operator = Client(running)
        page = operator.come("ops", role="operator")
        assert "does not answer right now" in page.body
        answer = operator.ask(ticket(page.body))
        assert (answer.status, json.loads(answer.body)) == (503, {"problem": "unavailable"})
        assert kernels(running.process.pid) == waiting
        away.rename(copied)
        operator.open_kernel(operator.ask("/"))


def test_whoever_asks_for_a_kernel_before_it_is_known_that_nothing_can_be_granted_takes_none(
    copied: Path, tmp_path: Path
) -> None:
    with start_for_many(f"sqlite:///{copied}", tmp_path, prelude=SLOW, environment=ONE) as running:
        away = copied.rename(tmp_path / "away.db")
        operator = come(running, "ops", role="operator")
        answer = ask_at_once(operator, "/")
        assert (answer.status, json.loads(answer.body)) == (503, {"problem": "unavailable"})
        away.rename(copied)
        # The one page that may be open is this one.
        operator.open_kernel(operator.ask("/"))


def test_a_painting_that_fails_leaves_no_kernel_behind(people_url: str, tmp_path: Path) -> None:
    with start_for_many(people_url, tmp_path, prelude=SLOW, environment=ONE) as running:
        theo = come(running, "u3")
        answer = ask_at_once(theo, "/?fail=1")
        assert (answer.status, json.loads(answer.body)) == (500, {"problem": "failed"})
        theo.open_kernel(theo.ask("/"))


SLOW_KERNELS = """
import asyncio
from analytics_core.serving import visits
run = visits.run
async def slowly(client, sources):
    await asyncio.sleep(1)
    return await run(client, sources)
visits.run = slowly
"""


@pytest.mark.parametrize("prelude", [SLOW, SLOW_KERNELS], ids=["painting", "opening"])
def test_a_page_that_is_left_before_it_knows_its_kernel_leaves_none_behind(
    people_url: str, tmp_path: Path, prelude: str
) -> None:
    with start_for_many(people_url, tmp_path, prelude=prelude, environment=ONE) as running:
        theo = come(running, "u3")
        page, opening = (http.client.HTTPConnection(running.host, timeout=60) for _ in range(2))
        page.request("GET", "/", headers={"Cookie": theo.cookie})
        answer, head = page.getresponse(), ""
        while "</head>" not in head:
            head += answer.read1().decode()
        opening.request("GET", ticket(head), headers={"Cookie": theo.cookie})
        time.sleep(0.3)
        opening.close()
        page.close()
        time.sleep(1.5)
        # The one page that may be open is another.
        assert eventually(lambda: theo.ask("/").status == 200)
        theo.open_kernel(theo.ask("/"))


def test_pages_that_were_lost_make_room_for_others_on_a_full_server(
    people_url: str, tmp_path: Path
) -> None:
    soon = "from analytics_core.serving import kernels; kernels._LOST_SECONDS = 1.0"
    with start_for_many(people_url, tmp_path, prelude=soon, environment=ONE) as running:
        theo, mara = come(running, "u3"), come(running, "u1")
        address = ticket(mara.ask("/").body)
        # Nothing ever connects to it.
        theo.open_kernel(theo.ask("/"))
        assert come_to_full(running).status == 503
        time.sleep(1.1)
        assert mara.ask(address).status == 200
        time.sleep(1.1)
        assert come_to_full(running).status == 200


def test_who_has_all_pages_of_a_full_server_is_told_of_their_own(
    people_url: str, tmp_path: Path
) -> None:
    environment = {"ANALYTICS_PAGES_PER_VISITOR": "1", "ANALYTICS_MOST_PAGES": "1"}
    with start_for_many(people_url, tmp_path, environment=environment) as running:
        theo, mara = come(running, "u3"), come(running, "u1")
        more = [ticket(theo.ask("/").body), ticket(mara.ask("/").body)]
        theo.open_kernel(theo.ask("/"))
        said = [one.ask(address) for one, address in zip((theo, mara), more, strict=True)]
        assert [json.loads(one.body)["problem"] for one in said] == ["many", "full"]
