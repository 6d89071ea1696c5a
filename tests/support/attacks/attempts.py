"""The attempts: what is sent, and what has to become of it."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import websocket

from tests.support import studio
from tests.support.attacks.sessions import (
    PROTOCOL,
    Answer,
    Session,
    ask,
    message,
    packed,
)
from tests.support.serving import KEY, KID, ticket
from tests.support.visitors import token

# Nothing came of it: the socket is open, the page as it was.
DROPPED = "dropped"
_OWN = "the attacker's own page"


@dataclass
class Ground:
    """Two users' pages, which an attack must not bring together; `mine` is the attacker's."""

    mine: Session
    theirs: Session
    before: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """One attempt: who makes it, what is sent, what must come of it."""

    name: str
    group: str
    who: str
    expected: str
    make: Callable[[Ground], tuple[str, bytes]] = field(repr=False)


# --- over HTTP -----------------------------------------------------------------------------------

Fill = Callable[[Ground], str]


def http(
    group: str,
    who: str,
    name: str,
    expected: int | str,
    method: str,
    path: str | Fill,
    headers: Mapping[str, str | Fill] | None = None,
    body: bytes | Fill | None = None,
) -> Attempt:
    """A request of an `outsider`, who has nothing, or a `user`, who has a session of their own."""

    def make(ground: Ground) -> tuple[str, bytes]:
        def filled(value: Any) -> Any:
            return value(ground) if callable(value) else value

        given = {key: filled(value) for key, value in (headers or {}).items()}
        if who == "user":
            given.setdefault("Cookie", ground.mine.cookie)
        content = filled(body)
        content = content.encode() if isinstance(content, str) else content
        answer: Answer = ask(ground.mine.host, method, filled(path), given, content)
        return str(answer.status), answer.everything

    return Attempt(name, group, who, str(expected), make)


def raw(group: str, name: str, expected: int | str, sent: Fill) -> Attempt:
    """Bytes that no client would send; the expected status, or `closed` where nothing is said."""

    def make(ground: Ground) -> tuple[str, bytes]:
        host, port = ground.mine.host.split(":")
        came = b""
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(sent(ground).encode("latin-1"))
            connection.settimeout(3)
            with contextlib.suppress(TimeoutError, ConnectionError):
                while chunk := connection.recv(65536):
                    came += chunk
        line = came.partition(b"\r\n")[0].split()
        return (line[1].decode() if len(line) > 1 else "closed"), came

    return Attempt(name, group, "outsider", str(expected), make)


def their_kernel(path: str) -> Fill:
    return lambda ground: path.format(ground.theirs.kernel)


def my_kernel(path: str) -> Fill:
    return lambda ground: path.format(ground.mine.kernel)


def form(ground: Ground) -> str:
    return f"_xsrf={ground.mine.xsrf}"


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": PROTOCOL,
}
_NOBODY = "00000000-0000-0000-0000-000000000000"

_OUTSIDE = "without a session"
OUTSIDE = [
    http(_OUTSIDE, "outsider", f"{method} {told}", 403, method, path, headers)
    for method, told, path, headers in [
        ("GET", "the page", "/", {}),
        ("GET", "the page with a wrong token", "/?token=wrong", {}),
        ("GET", "the page with an empty token", "/?token=", {}),
        ("GET", "the page with two tokens", "/?token=a&token=b", {}),
        ("GET", "the page with a token in a header", "/", {"Authorization": "token wrong"}),
        ("GET", "the page with a guessed cookie", "/", {"Cookie": "usage-8866=a; _xsrf=b"}),
        ("GET", "the page under a name of a proxy", "/", {"X-Forwarded-User": "mara@example.com"}),
        ("GET", "what a kernel says", "/usage/kernel/a-ticket", {}),
        ("GET", "a script", "/usage/0123456789abcdef0123/bundle.js", {}),
        ("GET", "a file of Voila's", "/voila/static/voila.js", {}),
        ("GET", "the list of kernels", "/api/kernels", {}),
        ("GET", "somebody's kernel", their_kernel("/api/kernels/{}"), {}),
        ("DELETE", "somebody's kernel", their_kernel("/api/kernels/{}"), {}),
        ("POST", "the end of somebody's kernel", their_kernel("/voila/api/shutdown/{}"), {}),
        ("GET", "somebody's channels", their_kernel("/api/kernels/{}/channels"), _UPGRADE),
        ("GET", "the request-info socket", their_kernel("/voila/query/{}"), _UPGRADE),
        ("GET", "the notebook", "/voila/files/usage.ipynb", {}),
    ]
]

_TOKENS = "tokens"
_ME = studio.MARA


def by_token(name: str, made: Fill, path: str = "/", header: str | None = None) -> Attempt:
    """A token that lets nobody in, in the address of the page or in a header."""

    def make(ground: Ground) -> tuple[str, bytes]:
        sent = made(ground)
        if header is None:
            answer = ask(ground.mine.host, "GET", f"{path}?token={quote(sent)}")
        else:
            answer = ask(ground.mine.host, "GET", path, {header: sent})
        return str(answer.status), answer.everything

    return Attempt(name, _TOKENS, "outsider", "403", make)


def _unsigned(_: Ground) -> str:
    head, body, _ = token(_THEM).split(".")
    del head
    nothing = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT","kid":"%s"}' % KID.encode())
    return f"{nothing.decode().rstrip('=')}.{body}."


def _changed(_: Ground) -> str:
    head, body, signature = token(_ME).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = json.dumps({**claims, "sub": _THEM}).encode()
    return f"{head}.{base64.urlsafe_b64encode(forged).decode().rstrip('=')}.{signature}"


def _replayed(ground: Ground) -> tuple[str, bytes]:
    used = token(_ME)
    first, second = (ask(ground.mine.host, "GET", f"/?token={used}") for _ in range(2))
    return f"{first.status} {second.status}", second.everything


def _session_cookie(change: Callable[[str], str]) -> Fill:
    def made(ground: Ground) -> str:
        pairs = [pair.partition("=") for pair in ground.mine.cookie.split("; ")]
        return "; ".join(f"{name}={change(value)}" for name, _, value in pairs)

    return made


def _own_cookie(value: Callable[[], str]) -> Fill:
    return lambda ground: _session_cookie(lambda _: value())(ground)


_NOW = int(time.time())
TOKENS = [
    by_token("one that is not signed (alg=none)", _unsigned),
    by_token("one whose subject was changed", _changed),
    by_token("one of a wrong key", lambda g: token(_THEM, key="b" * 40)),
    by_token("one of a key that nobody knows", lambda g: token(_THEM, kid="other")),
    by_token("one of no key at all", lambda g: token(_THEM, kid=None)),
    by_token(
        "one of another algorithm", lambda g: token(_THEM, algorithm="HS512", key=KEY * 3)
    ),
    by_token(
        "one whose key's id is a path", lambda g: token(_THEM, kid="../dev/null", key="b" * 40)
    ),
    by_token("one that has expired", lambda g: token(_ME, iat=_NOW - 900, exp=_NOW - 600)),
    by_token("one that is not good yet", lambda g: token(_ME, nbf=_NOW + 9_000, exp=_NOW + 9_060)),
    by_token("one from the future", lambda g: token(_ME, iat=_NOW + 9_000, exp=_NOW + 9_060)),
    by_token("one for another audience", lambda g: token(_ME, aud="billing")),
    by_token("one for several audiences", lambda g: token(_ME, aud=["usage-analytics", "billing"])),
    by_token("one for no audience", lambda g: token(_ME, aud=None)),
    by_token("one that names nobody", lambda g: token(None)),
    by_token("one that names a nobody", lambda g: token("")),
    by_token("one that names somebody unknown", lambda g: token("nobody@example.com")),
    by_token("one that never ends", lambda g: token(_ME, exp=None)),
    by_token("one that is good for years", lambda g: token(_ME, exp=_NOW + 10**8)),
    by_token("one without an id", lambda g: token(_ME, jti=None)),
    by_token("one that ends at a text", lambda g: token(_ME, exp="soon")),
    by_token("one without end", lambda g: "a" * 9_000 + "." + "b" * 9_000 + ".c"),
    by_token("noise", lambda g: "..\u0000\xff."),
    by_token("a good one elsewhere than at the page", lambda g: token(_ME), "/usage/kernel/a"),
    by_token(
        "a good one as its bearer's", lambda g: f"Bearer {token(_ME)}", header="Authorization"
    ),
    by_token("a good one as another cookie", lambda g: f"token={token(_ME)}", header="Cookie"),
    by_token("a good one as the session", _own_cookie(lambda: token(_ME)), header="Cookie"),
    by_token("a session that was changed", _session_cookie(
        lambda value: value[:-2] + ("AA" if value[-2:] != "AA" else "BB")), header="Cookie"),
    by_token("a session without its signature", _session_cookie(
        lambda value: value.rpartition(".")[0] + "."), header="Cookie"),
    Attempt("a good one twice", _TOKENS, "outsider", "200 403", _replayed),
]  # fmt: skip

_ADDRESSES = "addresses and origins"
ADDRESSES = [
    http(_ADDRESSES, "user", name, 403, "GET", "/", headers)
    for name, headers in [
        ("another host name", {"Host": "evil.example"}),
        ("the right name with another's port", {"Host": "127.0.0.1:1"}),
        ("a name that begins right", {"Host": "127.0.0.1.evil.example"}),
        ("a page of another site", {"Origin": "http://evil.example"}),
        ("a page without an origin", {"Origin": "null"}),
    ]
] + [
    http(
        _ADDRESSES, "user", "a socket from another site", 403, "GET",
        my_kernel("/api/kernels/{}/channels?session_id=a"),
        {**_UPGRADE, "Origin": "http://evil.example"},
    ),
    raw(_ADDRESSES, "two host names", 400, lambda g: (
        f"GET / HTTP/1.1\r\nHost: {g.mine.host}\r\nHost: evil.example\r\n"
        f"Cookie: {g.mine.cookie}\r\n\r\n"
    )),
    raw(_ADDRESSES, "no host name", 403, lambda g: (
        f"GET / HTTP/1.0\r\nCookie: {g.mine.cookie}\r\n\r\n"
    )),
    raw(_ADDRESSES, "a whole address of another host", 403, lambda g: (
        f"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n"
        f"Cookie: {g.mine.cookie}\r\nConnection: close\r\n\r\n"
    )),
]  # fmt: skip

_FORGED = "forged requests"
FORGED = [
    http(
        _FORGED, "user", f"the end of a kernel {name}", 403, "POST",
        my_kernel("/voila/api/shutdown/{}"), headers, body,
    )
    for name, headers, body in [
        ("without the page's word (XSRF)", {}, None),
        ("with a wrong word", _FORM, b"_xsrf=wrong"),
        ("with the word in its address alone", {"Cookie": lambda g: g.mine.cookie}, b""),
        ("from another site's form", {**_FORM, "Origin": "http://evil.example"}, form),
    ]
] + [
    http(_FORGED, "user", "the end of a kernel by a link", 405, "GET",
         my_kernel("/voila/api/shutdown/{}")),
]  # fmt: skip

_UNSERVED = "what no page asks for"
UNSERVED = [
    http(_UNSERVED, "user", f"{method} {path}", expected, method, my_kernel(path), headers)
    for method, path, expected, headers in [
        ("GET", "/api/kernels", 404, {}),
        ("POST", "/api/kernels", 404, {}),
        ("GET", "/api/kernels/{}", 404, {}),
        ("DELETE", "/api/kernels/{}", 404, {}),
        ("POST", "/api/kernels/{}/interrupt", 404, {}),
        ("POST", "/api/kernels/{}/restart", 404, {}),
        ("GET", "/api/sessions", 404, {}),
        ("GET", "/api/contents", 404, {}),
        ("GET", "/api/me", 404, {}),
        ("GET", "/terminals/websocket/1", 404, _UPGRADE),
        ("GET", "/voila/query/{}", 404, _UPGRADE),
        ("GET", "/voila/execution/{}", 404, _UPGRADE),
        ("GET", "/voila/tree", 404, {}),
        ("GET", "/voila/render/usage.ipynb", 404, {}),
        ("GET", "/voila/files/usage.ipynb", 404, {}),
        ("GET", "/voila/files/model.py", 404, {}),
        ("GET", "/voila/api/themes/x", 404, {}),
        ("GET", "/usage.ipynb", 404, {}),
        ("GET", "/login", 404, {}),
        ("GET", "/metrics", 404, {}),
        ("POST", "/", 403, {}),
        ("PUT", "/", 403, {}),
        ("OPTIONS", "/", 405, {}),
        ("TRACE", "/", 405, {}),
        ("HACK", "/", 405, {}),
        ("GET", "/usage/kernel/a-ticket-of-nobody", 410, {}),
    ]
]

_TRAVERSAL = "paths to files"
TRAVERSAL = [
    http(_TRAVERSAL, "user", path, expected, "GET", path)
    for path, expected in [
        ("/voila/static/../../../../../../../../etc/passwd", 403),
        ("/voila/static/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", 403),
        ("/voila/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/app.py", 403),
        ("/voila/static//etc/passwd", 403),
        ("/voila/static/..%5c..%5cusage.ipynb", 403),
        ("/voila/static/usage.ipynb%00.js", 403),
        ("/voila/labextensions/bqplot/../../../../../../../etc/passwd", 404),
        ("/voila/labextensions/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/usage/../usage.ipynb", 404),
        ("/usage/..%2fmodel.py", 404),
        ("/usage/%2e%2e/%2e%2e/analytics_core/settings.py", 404),
    ]
]

_OTHER = "the other user"
_THEM = "victoria-7f3a@example.com"
# The page of whoever asked, whomever they named.
OWN_PAGE = "their own page"


def named(name: str, path: str, headers: Mapping[str, str] | None = None) -> Attempt:
    """A request for the page that names the other user."""

    def make(ground: Ground) -> tuple[str, bytes]:
        given = {"Cookie": ground.mine.cookie, **(headers or {})}
        if "Cookie" in (headers or {}):
            given["Cookie"] = f"{ground.mine.cookie}; {given['Cookie']}"
        answer = ask(ground.mine.host, "GET", path, given)
        is_own = answer.status == 200 and b'class="who" title="&lt;img' in answer.body
        # What was sent does not count as what came back: the page repeats nothing of it.
        return (OWN_PAGE if is_own else str(answer.status)), answer.everything

    return Attempt(name, _OTHER, "user", OWN_PAGE, make)


def _with_kernel(ground: Ground) -> tuple[str, bytes]:
    """A page for the other user by its address, with the kernel behind it; its ticket twice."""
    mine, query = ground.mine, f"user={_THEM}&grant=*&scope=*&QUERY_STRING=user={_THEM}"
    page = ask(mine.host, "GET", f"/?{query}", {"Cookie": mine.cookie})
    opening = ticket(page.body.decode())
    first, second = (ask(mine.host, "GET", opening, {"Cookie": mine.cookie}) for _ in range(2))
    kernel = json.loads(first.body)["kernel"]
    ended = ask(
        mine.host, "POST", f"/voila/api/shutdown/{kernel}", {"Cookie": mine.cookie, **_FORM},
        form(ground).encode(),
    )  # fmt: skip
    statuses = " ".join(str(answer.status) for answer in (page, first, second, ended))
    return statuses, page.everything + first.everything + second.everything


OTHER = [
    named("their address in the query", f"/?user={_THEM}"),
    named("their id in the query", "/?user_id=u-victim-7f3a&scope=user:u-victim-7f3a"),
    named("everybody in the query", "/?scope=*&grant=*&everyone=1"),
    named("them among the choices", f"/?tab=overview&range=30d&zone={_THEM}&who={_THEM}"),
    named("them in headers of proxies", "/", {
        "X-Forwarded-User": _THEM, "X-Forwarded-Email": _THEM, "X-Remote-User": _THEM,
        "Remote-User": _THEM, "X-Auth-Request-Email": _THEM, "X-JupyterHub-User": _THEM,
    }),
    named("them as whom basic authentication names", "/", {
        "Authorization": "Basic dmljdG9yaWEtN2YzYUBleGFtcGxlLmNvbTp4"}),
    named("them in a header for kernels", "/", {
        "ANALYTICS_GRANT": "*", "ANALYTICS-GRANT": "*", "X-Voila-Env": "ANALYTICS_GRANT=*"}),
    named("them in cookies", "/", {"Cookie": f"user={_THEM}; username={_THEM}; grant=*"}),
    Attempt(
        "them in the address of a page, with its kernel and a ticket twice", _OTHER, "user",
        "200 200 410 204", _with_kernel,
    ),
    http(_OTHER, "user", "their kernel", 404, "GET", their_kernel("/api/kernels/{}")),
    http(_OTHER, "user", "the end of their kernel", 404, "DELETE",
         their_kernel("/api/kernels/{}")),
    http(_OTHER, "user", "the end of their page", 404, "POST",
         their_kernel("/voila/api/shutdown/{}"), _FORM, form),
    http(_OTHER, "user", "an interrupt of their kernel", 404, "POST",
         their_kernel("/api/kernels/{}/interrupt"), _FORM, form),
    http(_OTHER, "user", "a restart of their kernel", 404, "POST",
         their_kernel("/api/kernels/{}/restart"), _FORM, form),
    http(_OTHER, "user", "their channels", 404, "GET",
         their_kernel("/api/kernels/{}/channels?session_id=a"), _UPGRADE),
    http(_OTHER, "user", "their request-info socket", 404, "GET",
         their_kernel("/voila/query/{}"), _UPGRADE),
    http(_OTHER, "user", "what their kernel executes", 404, "GET",
         their_kernel("/voila/execution/{}"), _UPGRADE),
    http(_OTHER, "user", "their kernel as a ticket", 410, "GET",
         their_kernel("/usage/kernel/{}")),
]  # fmt: skip

_SMUGGLED = "requests that are no requests"
SMUGGLED = [
    raw(_SMUGGLED, "two lengths that differ", 400, lambda g: (
        f"POST / HTTP/1.1\r\nHost: {g.mine.host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n"
        "\r\nhello"
    )),
    raw(_SMUGGLED, "a length and chunks", 400, lambda g: (
        f"POST / HTTP/1.1\r\nHost: {g.mine.host}\r\nContent-Length: 4\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    )),
    raw(_SMUGGLED, "a negative length", 400, lambda g: (
        f"POST / HTTP/1.1\r\nHost: {g.mine.host}\r\nContent-Length: -1\r\n\r\n"
    )),
    raw(_SMUGGLED, "a body that is too large", 400, lambda g: (
        f"POST / HTTP/1.1\r\nHost: {g.mine.host}\r\nContent-Length: 104857600\r\n\r\n"
    )),
    raw(_SMUGGLED, "headers that are too large", "closed", lambda g: (
        f"GET / HTTP/1.1\r\nHost: {g.mine.host}\r\nX-Much: {'a' * 70_000}\r\n\r\n"
    )),
    raw(_SMUGGLED, "a header that ends another", 403, lambda g: (
        f"GET /%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: {g.mine.host}\r\nConnection: close\r\n\r\n"
    )),
    raw(_SMUGGLED, "no HTTP at all", 400, lambda g: "\x16\x03\x01 hello\r\n\r\n"),
]  # fmt: skip


# --- over websockets -----------------------------------------------------------------------------


def refused_socket(name: str, expected: int, path: Fill, **headers: str) -> Attempt:
    """A socket that must not open."""
    return http(
        "sockets", "user", name, expected, "GET", path,
        {**_UPGRADE, "Origin": lambda g: f"http://{g.mine.host}", **headers},
    )  # fmt: skip


def _too_many(ground: Ground) -> tuple[str, bytes]:
    ground.mine.close()
    held: list[websocket.WebSocket] = []
    try:
        for _ in range(8):
            held.append(ground.mine.connect())
    except websocket.WebSocketBadStatusException as refused:
        return str(refused.status_code), refused.resp_body or b""
    finally:
        for one in held:
            one.close()
        time.sleep(0.5)
    return "connected", b""


SOCKETS = [
    refused_socket(
        "a kernel that nobody has", 404, lambda g: f"/api/kernels/{_NOBODY}/channels?session_id=a"
    ),
    refused_socket(
        "another protocol", 400, lambda g: g.mine.channels(session_id="a"),
        **{"Sec-WebSocket-Protocol": "legacy"},
    ),
    refused_socket(
        "a session with a line of its own", 400,
        lambda g: g.mine.channels(session_id="a%0d%0aERROR%20forged%20line"),
    ),
    refused_socket(
        "a session without end", 400, lambda g: g.mine.channels(session_id="a" * 4000)
    ),
    Attempt("more sockets than a page has", "sockets", "user", "429", _too_many),
]  # fmt: skip


def _outcome(connection: websocket.WebSocket) -> tuple[str, bytes]:
    """The code with which a socket is closed, and every byte that came before."""
    came = b""
    while True:
        try:
            opcode, data = connection.recv_data()
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return "cut off", came
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return f"closed {struct.unpack('!H', data[:2])[0]}", came
        came += data


def closing(group: str, name: str, expected: str, send: Callable[[Any, Ground], None]) -> Attempt:
    """What closes the socket that it is sent on."""

    def make(ground: Ground) -> tuple[str, bytes]:
        connection = ground.mine.connect(timeout=5)
        try:
            send(connection, ground)
            return _outcome(connection)
        finally:
            connection.shutdown()

    return Attempt(name, group, "user", expected, make)


def of_kind(kind: str, content: Any, channel: str = "shell") -> Attempt:
    """A message of a kind that no page sends."""
    return closing(
        "kinds of messages", f"{kind} over {channel}", "closed 1008",
        lambda connection, ground: connection.send_binary(
            message(kind, content, channel=channel)[0]
        ),
    )  # fmt: skip


_CODE = "open('/tmp/owned', 'w').write('owned')"
KINDS = [
    of_kind("execute_request", {"code": _CODE, "silent": True}),
    of_kind("execute_request", {"code": _CODE}, "control"),
    of_kind("inspect_request", {"code": "page", "cursor_pos": 4, "detail_level": 1}),
    of_kind("complete_request", {"code": "pa", "cursor_pos": 2}),
    of_kind("history_request", {"hist_access_type": "tail", "n": 100, "output": True}),
    of_kind("is_complete_request", {"code": "1"}),
    of_kind("input_reply", {"value": "yes"}, "stdin"),
    of_kind("debug_request", {"command": "evaluate", "arguments": {}}, "control"),
    of_kind("shutdown_request", {"restart": False}),
    of_kind("shutdown_request", {"restart": True}, "control"),
    of_kind("interrupt_request", {}, "control"),
    of_kind("create_subshell_request", {}, "control"),
    of_kind("kernel_info_request", {}),
    of_kind("comm_info_request", {}),
    of_kind("connect_request", {}),
    of_kind("status", {"execution_state": "dead"}, "iopub"),
    of_kind("comm_close", {"comm_id": "a", "data": {}}),
    of_kind("comm_msg", {"comm_id": "a", "data": {"method": "request_state"}}, "control"),
    of_kind("comm_msg", {"comm_id": "a", "data": {"method": "request_state"}}, "iopub"),
]


def opened(target: str, data: Any, told: str) -> Attempt:
    return closing(
        "comms", f"to open {told}", "closed 1008",
        lambda connection, ground: connection.send_binary(
            message(
                "comm_open", {"comm_id": uuid4().hex, "target_name": target, "data": data}
            )[0]
        ),
    )  # fmt: skip


def _twice(connection: Any, ground: Ground) -> None:
    for _ in range(2):
        content = {"comm_id": uuid4().hex, "target_name": "jupyter.widget.control", "data": {}}
        connection.send_binary(message("comm_open", content)[0])


def _over(connection: Any, ground: Ground) -> None:
    content = {
        "comm_id": ground.mine.widget("Header"), "target_name": "jupyter.widget.control", "data": {}
    }  # fmt: skip
    connection.send_binary(message("comm_open", content)[0])


_WIDGET = {
    "state": {
        "_model_module": "@jupyter-widgets/controls", "_model_module_version": "2.0.0",
        "_model_name": "TextModel", "_view_module": "@jupyter-widgets/controls",
        "_view_module_version": "2.0.0", "_view_name": "TextView",
    },
    "buffer_paths": [],
}  # fmt: skip
COMMS = [
    opened("nowhere", {}, "a comm to an unknown target"),
    opened("jupyter.widget", _WIDGET, "a widget of one's own"),
    opened("jupyter.widget.version", {}, "a comm of older widgets"),
    opened("", {}, "a comm without a target"),
    closing("comms", "to open a second line of control", "closed 1008", _twice),
    closing("comms", "to open the line of control in a widget's place", "closed 1008", _over),
]


def dropped(group: str, name: str, comm: Fill, data: Any, **options: Any) -> Attempt:
    """A message to a comm of which nothing must come."""

    def make(ground: Ground) -> tuple[str, bytes]:
        told = data(ground) if callable(data) else data
        frame, _ = message("comm_msg", {"comm_id": comm(ground), "data": told}, **options)
        before = ground.mine.choices()[0]
        ground.mine.socket.send_binary(frame)
        after, came = ground.mine.choices()
        changed = {name: after[name] for name in after if after[name] != before[name]}
        return (f"changed {json.dumps(changed)}" if changed else DROPPED), came

    return Attempt(name, group, "user", DROPPED, make)


def header(ground: Ground) -> str:
    return ground.mine.widget("Header")


def tabs(ground: Ground) -> str:
    return ground.mine.widget("Tabs")


def frame(ground: Ground) -> str:
    return ground.mine.widget("ChartFrame")


def box(ground: Ground) -> str:
    return ground.mine.widget("BoxModel")


def update(**state: Any) -> dict[str, Any]:
    return {"method": "update", "state": state, "buffer_paths": []}


def custom(content: Any) -> dict[str, Any]:
    return {"method": "custom", "content": content}


_STATE = "hostile states"
STATES = [
    dropped(_STATE, name, comm, data)
    for name, comm, data in [
        ("whose data is shown", header, update(who="victoria-7f3a@example.com")),
        ("a user", header, update(user="victoria-7f3a@example.com")),
        ("a scope", header, update(scope="*")),
        ("a grant", header, update(grant="*")),
        ("a choice together with a scope", header, update(period="7d", scope="*")),
        ("a script of one's own", header, update(_esm="https://evil.example/a.js")),
        ("a style of one's own", header, update(_css="@import 'https://evil.example'")),
        ("a layout", header, update(layout="IPY_MODEL_a")),
        ("an address", header, update(address={"tab": "javascript:alert(1)"})),
        ("other presets", header, update(presets=[["all", "<img src=x onerror=alert(1)>"]])),
        ("an own zone", header, update(own_zone="Mars/Olympus")),
        ("no state at all", header, update()),
        ("a period that is none", header, update(period="'; DROP TABLE renders; --")),
        ("a period without end", header, update(period="9" * 5000)),
        ("a period that is a list", header, update(period=["7d"])),
        ("a zone that is a path", header, update(zone="../../../../etc/passwd")),
        ("a zone that is nothing", header, update(zone=None)),
        ("a comparison that is a text", header, update(compare="yes")),
        ("to refresh every second", header, update(refresh=1)),
        ("to refresh backwards", header, update(refresh=-1)),
        ("to refresh truly", header, update(refresh=True)),
        ("a tab that is not there", tabs, update(selected="../../secrets")),
        ("a tab that is an object", tabs, update(selected={"a": 1})),
        ("other tabs", tabs, update(tabs=[["a", "b"]])),
        ("children of a box", box, update(children=[])),
        ("classes of a box", box, update(_dom_classes=["usage-notice"])),
        ("a chart of one's own", frame, update(chart={"title": "<script>"})),
        ("a method of the kernel's", header, {"method": "echo_update", "state": {"period": "7d"}}),
        ("no method", header, {"state": {"period": "7d"}}),
        ("an unknown request", header, custom({"ask": "execute", "code": _CODE})),
        ("a request with more in it", header, custom({"ask": "refetch", "user": "*"})),
        ("a download of a file", header, custom({"ask": "download", "what": "../../etc/passwd"})),
        ("a download for another", header,
         custom({"ask": "download", "what": "tab", "user": "victoria-7f3a@example.com"})),
        ("a width of nothing", frame, custom({"width": 0})),
        ("a width without end", frame, custom({"width": 10**15})),
        ("a width that is true", frame, custom({"width": True})),
        ("a width that is a text", frame, custom({"width": "640px"})),
        ("a message to cards", lambda g: g.mine.widget("Cards"), custom({"ask": "refetch"})),
        ("a widget that is not there", lambda g: uuid4().hex, update(period="7d")),
        ("a widget of another's page", lambda g: g.theirs.widget("Header"), update(period="7d")),
        ("another's state", lambda g: g.theirs.widget("Header"), {"method": "request_state"}),
    ]
]  # fmt: skip


def framed(name: str, expected: str, made: Callable[[Ground], bytes]) -> Attempt:
    return closing(
        "frames", name, expected, lambda connection, ground: connection.send_binary(made(ground))
    )


def _told(content: Any, **options: Any) -> bytes:
    return message("comm_msg", content, **options)[0]


def _numbers(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)


def _asked(ground: Ground) -> dict[str, Any]:
    return {"comm_id": header(ground), "data": {"method": "request_state"}}


def _many(connection: Any, ground: Ground) -> None:
    one = _told(_asked(ground))
    with contextlib.suppress(OSError, websocket.WebSocketException):
        for _ in range(2_000):
            connection.send_binary(one)


def _unmasked(connection: Any, ground: Ground) -> None:
    connection.sock.sendall(b"\x82\x05hello")


def _announced(connection: Any, ground: Ground) -> None:
    # The length alone: what comes after it would be thrown away with the connection, and the
    # reason for closing might be lost with it.
    connection.sock.sendall(b"\x82\xff" + (2_000_000).to_bytes(8, "big"))


FRAMES = [
    closing("frames", "text", "closed 1003", lambda c, g: c.send(json.dumps({"channel": "shell"}))),
    framed("nothing", "closed 1007", lambda g: b""),
    framed("noise", "closed 1007", lambda g: bytes(range(256))),
    framed("a frame that ends early", "closed 1007", lambda g: _told(_asked(g))[:-10]),
    framed("offsets beyond the end", "closed 1007", lambda g: _numbers(6, 56, 60, 61, 62, 63, 999)),
    framed("offsets that go back", "closed 1007", lambda g: _numbers(6, 56, 60, 50, 60, 70, 56)),
    framed("more offsets than memory", "closed 1007", lambda g: _numbers(2**63, 56) + b"a" * 100),
    framed("no JSON", "closed 1007", lambda g: packed([b"shell", b"{", b"{}", b"{}", b"{}"])),
    framed("JSON without end", "closed 1007", lambda g: packed(
        [b"shell", b'{"msg_id":"a","msg_type":"comm_msg"}', b"{}", b"{}", b"[" * 60_000])),
    framed("a number that is none", "closed 1007", lambda g: _told(
        b'{"comm_id":"a","data":{"method":"update","state":{"refresh":NaN}}}')),
    framed("text that is no text", "closed 1007", lambda g: _told(b'{"comm_id":"\xff\xfe"}')),
    framed("an id with a line of its own", "closed 1007", lambda g: _told(
        _asked(g), header={"msg_id": "a\r\nERROR forged line"})),
    framed("a comm's id that is a path", "closed 1007", lambda g: _told(
        {"comm_id": "../../a", "data": {"method": "request_state"}})),
    framed("data that is a list", "closed 1007", lambda g: _told(
        {"comm_id": header(g), "data": ["update"]})),
    framed("buffers", "closed 1007", lambda g: _told(_asked(g), buffers=(b"a" * 100,))),
    framed("more than a message has", "closed 1009", lambda g: b"a" * 100_000),
    closing("frames", "more than the server holds", "closed 1009", _announced),
    closing("frames", "a frame without a mask", "closed 1007", _unmasked),
    closing("frames", "too many messages", "closed 1008", _many),
]  # fmt: skip

ATTEMPTS: list[Attempt] = [
    *OUTSIDE, *TOKENS, *OTHER, *ADDRESSES, *FORGED, *UNSERVED, *TRAVERSAL, *SMUGGLED, *SOCKETS,
    *KINDS, *COMMS, *STATES, *FRAMES,
]  # fmt: skip
