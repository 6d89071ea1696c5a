"""Who attacks and who is attacked: pages that were opened as browsers open them."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import websocket

from tests.support import studio
from tests.support.serving import Server, ticket
from tests.support.visitors import token

PROTOCOL = "v1.kernel.websocket.jupyter.org"
# A page may connect only so often; whoever attacks in earnest waits a little.
_BETWEEN_SOCKETS = 0.3
_PATIENCE = 20


@dataclass
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def everything(self) -> bytes:
        return repr(list(self.headers.items())).encode() + self.body


def ask(
    host: str,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request, its path as it is given: nothing is made tidy before it is sent."""
    connection = http.client.HTTPConnection(host, timeout=_PATIENCE)
    try:
        given = dict(headers or {})
        connection.putrequest(method, path, skip_host="Host" in given, skip_accept_encoding=True)
        for name, value in given.items():
            connection.putheader(name, value)
        if body is not None and "Content-Length" not in given:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.headers.items()), answer.read())
    finally:
        connection.close()


@dataclass
class Session:
    """A page of somebody's: the server, what lets them in, and their kernel with its widgets."""

    host: str
    cookie: str
    kernel: str
    widgets: dict[str, dict[str, Any]]
    _socket: websocket.WebSocket | None = field(default=None, repr=False)

    @property
    def xsrf(self) -> str:
        found = re.search(r"_xsrf=([^;]+)", self.cookie)
        assert found
        return found[1]

    def widget(self, kind: str, which: int = 0) -> str:
        """The id of a widget of this class or model."""
        ids = [
            id_
            for id_, state in self.widgets.items()
            if kind in (str(state.get("_anywidget_id")).rpartition(".")[2], state["_model_name"])
        ]
        return ids[which]

    def channels(self, **query: str) -> str:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return f"/api/kernels/{self.kernel}/channels?{asked}"

    def connect(self, **options: Any) -> websocket.WebSocket:
        """A new socket to the kernel, as the page opens one."""
        time.sleep(_BETWEEN_SOCKETS)
        return websocket.create_connection(
            f"ws://{self.host}{self.channels(session_id=uuid4().hex)}",
            **{
                "cookie": self.cookie,
                "origin": f"http://{self.host}",
                "subprotocols": [PROTOCOL],
                "timeout": _PATIENCE,
                **options,
            },
        )

    @property
    def socket(self) -> websocket.WebSocket:
        """The one that stays open as long as nothing closes it."""
        if self._socket is None or not self._socket.connected:
            self._socket = self.connect()
        return self._socket

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def state_of(self, comm: str) -> tuple[dict[str, Any], bytes]:
        """What the kernel says a widget's state is, and every byte that came until then."""
        frame, id_ = message("comm_msg", {"comm_id": comm, "data": {"method": "request_state"}})
        self.socket.send_binary(frame)
        state: dict[str, Any] = {}
        came = b""
        while True:
            received = self.socket.recv()
            came += received if isinstance(received, bytes) else received.encode()
            told = unpacked(received)
            if told["parent"].get("msg_id") != id_:
                continue
            if told["type"] == "comm_msg" and told["content"]["comm_id"] == comm:
                state = told["content"]["data"]["state"]
            if told["type"] == "status" and told["content"]["execution_state"] == "idle":
                return state, came

    def choices(self) -> tuple[dict[str, Any], bytes]:
        """All that could have been changed from outside: the parts' own values."""
        header, came = self.state_of(self.widget("Header"))
        tabs, more = self.state_of(self.widget("Tabs"))
        box, rest = self.state_of(self.widget("BoxModel"))
        volatile = ("loading", "attempts", "updated", "as_of", "error")
        kept = {name: value for name, value in header.items() if name not in volatile}
        kept |= {"selected": tabs["selected"], "children": box["children"]}
        return kept, came + more + rest


def open_page(server: Server, headers: Mapping[str, str], path: str) -> Session:
    """Open a page and the kernel behind it."""
    connection = http.client.HTTPConnection(server.host, timeout=60)
    connection.request("GET", path, headers=dict(headers))
    page = connection.getresponse()
    body = page.read().decode()
    assert page.status == 200, body
    cookies = [line.partition(";")[0] for line in page.headers.get_all("Set-Cookie", [])]
    cookie = "; ".join(cookies)
    opened = json.loads(ask(server.host, "GET", ticket(body), {"Cookie": cookie}).body)
    widgets = {
        told["content"]["comm_id"]: told["content"]["data"]["state"]
        for told in opened["messages"]
        if told["type"] == "comm_open"
    }
    return Session(server.host, cookie, opened["kernel"], widgets)


def session_of(server: Server, user: str = studio.MARA) -> Session:
    """The page of somebody at a server for many visitors, opened by a link of their own."""
    return open_page(server, {}, f"/?token={token(user)}")


def page_by_link(server: Server) -> Session:
    """The page of the one user of a server that prints a link."""
    return open_page(server, {}, f"/?token={server.token}")


def message(
    kind: str,
    content: Any,
    *,
    channel: str = "shell",
    header: Mapping[str, Any] | None = None,
    buffers: tuple[bytes, ...] = (),
) -> tuple[bytes, str]:
    """A message as a frame of the websocket protocol v1, and its id."""
    id_ = uuid4().hex
    full = {
        "msg_id": id_,
        "msg_type": kind,
        "session": uuid4().hex,
        "username": "",
        "version": "5.3",
        "date": "2026-01-01T00:00:00Z",
        **(header or {}),
    }
    parts = [full, {}, {}, content]
    texts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
    return packed([channel.encode(), *texts, *buffers]), id_


def packed(parts: list[bytes]) -> bytes:
    """Offsets, then the parts they point at."""
    end = 8 * (len(parts) + 2)
    offsets = [end]
    for part in parts:
        end += len(part)
        offsets.append(end)
    numbers = [len(offsets), *offsets]
    return b"".join(number.to_bytes(8, "little") for number in numbers) + b"".join(parts)


def unpacked(frame: bytes) -> dict[str, Any]:
    count = int.from_bytes(frame[:8], "little")
    at = [int.from_bytes(frame[8 * n : 8 * n + 8], "little") for n in range(1, count + 1)]
    header, parent, _, content = (json.loads(frame[at[n] : at[n + 1]]) for n in range(1, 5))
    return {"type": header["msg_type"], "parent": parent, "content": content}
