"""What a kernel prints, and what it fails with, is not for its visitor."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.attacks.sessions import message, page_by_link
from tests.support.serving import start_notebook

# Prints for ever, and fails whenever its part is told something.
CELL = """
import asyncio
from ipywidgets import Box
async def talk():
    while True:
        print("printed 7f3a")
        await asyncio.sleep(0.02)
talking = asyncio.ensure_future(talk())
box = Box()
def fail(*told):
    raise RuntimeError("failed 7f3a")
box.on_msg(fail)
box
"""
HEARINGS = '{"@jupyter-widgets/controls.BoxModel": Hearing(takes=lambda told: told == "fail")}'


def test_a_visitor_hears_of_widgets_alone(tmp_path: Path) -> None:
    with start_notebook(tmp_path, CELL, hearings=HEARINGS) as server:
        page = page_by_link(server)
        box = page.widget("BoxModel")
        came = b""
        for _ in range(10):
            told = {"comm_id": box, "data": {"method": "custom", "content": "fail"}}
            page.socket.send_binary(message("comm_msg", told)[0])
            state, more = page.state_of(box)
            came += more
            time.sleep(0.05)
        page.close()
    assert state["_model_name"] == "BoxModel"
    assert b"comm_msg" in came
    assert b"7f3a" not in came
