"""Running a notebook in a kernel that is ready, and what its widgets said of themselves meanwhile.

The messages with which widgets make themselves known go to the browser together with the page's
first request for them, instead of being asked for widget by widget.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient

log = logging.getLogger(__name__)

_VIEW = "application/vnd.jupyter.widget-view+json"
_COMMS = ("comm_open", "comm_msg", "comm_close")
# A kernel that does not say a word this long is not going to.
_SILENCE_SECONDS = 60


class CellFailed(Exception):
    """A cell raised; what and where is in the server's log."""


@dataclass
class Opened:
    """What a browser needs to show what the notebook showed: the view, and its widgets."""

    root: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)


async def get_ready(client: AsyncKernelClient) -> None:
    """Wait until the kernel answers and its messages arrive here."""
    deadline = asyncio.get_running_loop().time() + _SILENCE_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        client.kernel_info()
        try:
            # Whatever comes: the subscription works, and the kernel with it.
            await client.get_iopub_msg(timeout=0.25)
        except Empty:
            continue
        return
    raise TimeoutError("a kernel did not answer")


async def run(client: AsyncKernelClient, sources: Sequence[str]) -> Opened:
    """Run these cells one after the other; raises `CellFailed` at the first that raises."""
    opened = Opened()
    for source in sources:
        asked = client.execute(source, store_history=False, allow_stdin=False)
        failure = await _follow(client, asked, opened)
        if failure is not None:
            raise CellFailed(failure)
    return opened


async def _follow(client: AsyncKernelClient, asked: str, opened: Opened) -> str | None:
    """Gather what a request leads to until it is done; returns the traceback where it raised."""
    failure = None
    while True:
        try:
            message = await client.get_iopub_msg(timeout=_SILENCE_SECONDS)
        except Empty:
            raise TimeoutError("a kernel fell silent") from None
        if message["parent_header"].get("msg_id") != asked:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind in _COMMS:
            opened.messages.append(
                {
                    "type": kind,
                    "content": content,
                    "buffers": [base64.b64encode(b).decode() for b in message["buffers"]],
                }
            )
        elif kind in ("display_data", "execute_result") and _VIEW in content["data"]:
            opened.root = content["data"][_VIEW]["model_id"]
        elif kind == "error":
            failure = "\n".join(content["traceback"])
        elif kind == "stream":
            log.info("%s", content["text"].rstrip())
        elif kind == "status" and content["execution_state"] == "idle":
            return failure
