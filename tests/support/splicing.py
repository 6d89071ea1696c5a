"""A JupyterHub's proxy in the Hub's own process, as its usual one needs Node: it splices bytes."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.proxy import Proxy

_MOST_HEAD = 64 * 1024
_CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)


class SplicingProxy(Proxy):  # type: ignore[misc]
    """Reads the first line of a request to see whose it is, and passes on all that follows."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._routes: dict[str, dict[str, Any]] = {}

    async def start(self) -> None:
        place = urlsplit(self.app.bind_url)
        self._server = await asyncio.start_server(
            self._serve, place.hostname, place.port, limit=_MOST_HEAD
        )

    async def stop(self) -> None:
        self._server.close()

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        self._routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec: str) -> None:
        self._routes.pop(routespec, None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        return dict(self._routes)

    async def _serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            head = await client.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode() + "/"
            route = max((one for one in self._routes if path.startswith(one)), key=len)
            target = urlsplit(self._routes[route]["target"])
            reader, writer = await asyncio.open_connection(target.hostname, target.port)
            if b"\r\nupgrade: websocket" not in head.lower():
                # The next request may be for somebody else's server.
                head = _CONNECTION.sub(b"", head).replace(
                    b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
                )
            writer.write(head)
            await asyncio.gather(_splice(client, writer), _splice(reader, answer))
        answer.close()


async def _splice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(_MOST_HEAD):
            writer.write(block)
            await writer.drain()
    writer.close()
