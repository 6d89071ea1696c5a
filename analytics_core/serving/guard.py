"""The guard between browsers and kernels: Jupyter's connection, passing on almost nothing.

Everything that reaches a kernel was written here, after what a browser said. What comes back is
about widgets and whether the kernel works; what a kernel prints, and what it fails with, is for the
log of the server.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import suppress
from typing import Any

import msgspec
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError

from analytics_core.serving.conversation import (
    CONNECTING,
    MOST_SOCKETS,
    NOT_OF_THIS_PAGE,
    Conversation,
    Unheard,
    conversation_with,
)
from analytics_core.serving.frames import MOST_BYTES, PROTOCOL, Malformed, read

log = logging.getLogger(__name__)

# What applications of tornado need to know of this: beyond it tornado cuts the connection off, so
# that the other side may never learn why.
SETTINGS: dict[str, Any] = {"websocket_max_message_size": 4 * MOST_BYTES}
# What a browser may leave unread: a page and all its figures have a tenth of that.
_MOST_UNREAD = 4 * 1024 * 1024
# Close codes of RFC 6455.
_NO_TEXT, _NO_MESSAGE, _TOO_LARGE = 1003, 1007, 1009
_SESSION = re.compile(r"[0-9A-Za-z_-]{1,64}")
_TOLD = frozenset({"status", "comm_open", "comm_msg", "comm_close"})


class _Kind(msgspec.Struct):
    msg_type: str


_kinds = msgspec.json.Decoder(_Kind)


class GuardedConnection(ZMQChannelsWebsocketConnection):
    """Lets a browser say to a kernel what its page needs to say, and no more.

    What widgets hear is the application's setting `hearings`; without it, nothing.
    """

    _unread = 0
    _logged: frozenset[str] = frozenset()

    @property
    def conversation(self) -> Conversation:
        return conversation_with(self.kernel_manager)

    async def prepare(self) -> None:
        """Turn away, before anything is connected, who does not come as the page does."""
        request, sockets = self.websocket_handler.request, self.conversation.sockets
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if PROTOCOL not in (name.strip() for name in offered.split(",")):
            raise HTTPError(400, "no protocol that this server speaks")
        if not _SESSION.fullmatch(self.session.session):
            raise HTTPError(400, "a session of no known form")
        if len(sockets) >= MOST_SOCKETS or not self._may_go_on(CONNECTING):
            raise HTTPError(429, "too many sockets of one page")
        sockets.add(self)
        try:
            await super().prepare()  # type: ignore[no-untyped-call]
        except BaseException:
            sockets.discard(self)
            raise

    def disconnect(self) -> None:  # type: ignore[override]
        self.conversation.sockets.discard(self)
        # It would hold the connection and all that it was told until the next ping.
        if (pinging := self.websocket_handler.ping_callback) is not None:
            pinging.stop()
        super().disconnect()  # type: ignore[no-untyped-call]

    def handle_incoming_message(self, incoming_msg: str | bytes) -> None:
        if not self.channels:
            return  # The socket is being closed.
        try:
            self._pass_on(incoming_msg)
        except Unheard as unheard:
            self._say(unheard.reason)
            if unheard.code is not None:
                self.websocket_handler.close(unheard.code)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Learn from a kernel which widgets there are, and pass on what is for pages."""
        if getattr(stream, "channel", stream) != "iopub":
            return
        parts: list[Any] = self.session.feed_identities(outgoing_msg)[1]
        kind = _kinds.decode(parts[1]).msg_type
        if kind not in _TOLD:
            return
        content = bytes(parts[4]) if kind != "status" else b""
        if kind == "comm_close" or b'"_model_name"' in content:
            self.conversation.announced(kind, msgspec.json.decode(content))
        # What a kernel says to a socket that has just been closed is said to nobody.
        with suppress(WebSocketClosedError):
            super().handle_outgoing_message(stream, outgoing_msg)

    def write_stderr(self, error_message: str, parent_header: Any) -> None:
        """What Jupyter has to tell an author of a notebook is of no use to visitors."""
        self._say("the kernel says more than a page can show")

    def write_message(self, message: bytes | str, binary: bool = False) -> None:
        """Send to a browser that reads; one that only asks would fill this server's memory."""
        size = len(message)

        def read(_: Any) -> None:
            self._unread -= size

        self._unread += size
        self.websocket_handler.write_message(message, binary).add_done_callback(read)
        if self._unread > _MOST_UNREAD:
            self._say("the page does not read what it asks for")
            # Without a word, which would wait behind the rest.
            connection = self.websocket_handler.ws_connection
            if connection is not None and connection.stream is not None:
                connection.stream.close()

    def _pass_on(self, frame: str | bytes) -> None:
        if not isinstance(frame, bytes):
            raise Unheard("it is text", _NO_TEXT)
        if len(frame) > MOST_BYTES:
            raise Unheard("it is too large", _TOO_LARGE)
        if not self._may_go_on():
            raise Unheard("too many messages of one page", NOT_OF_THIS_PAGE)
        try:
            said = read(frame)
        except Malformed:
            raise Unheard("it is no message", _NO_MESSAGE) from None
        hearings = self.websocket_handler.settings.get("hearings", {})
        content = self.conversation.heard(said, hearings)
        message = self.session.msg(said.kind, content, metadata={"version": "2.1.0"})
        # The page waits for the end of what it has asked for under its own id.
        message["header"]["msg_id"] = message["msg_id"] = said.id
        self.session.send(self.channels["shell"], message)

    def _may_go_on(self, cost: float = 1.0) -> bool:
        return self.conversation.may_go_on(time.monotonic(), cost)

    def _say(self, reason: str) -> None:
        # Once a socket: who is refused a thousand times fills no disk. Never what was sent.
        if reason not in self._logged:
            self._logged |= {reason}
            log.warning("not passed on to or from kernel %s: %s", self.kernel_id, reason)
