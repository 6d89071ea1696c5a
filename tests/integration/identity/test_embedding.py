"""The examples of docs/embedding.md let their visitors in."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

from tests.support.reference import ROOT
from tests.support.requirements import missing
from tests.support.serving import KEY, KID, Server
from tests.support.visitors import THEOS_RENDERS, Client


def example(language: str) -> str:
    page = (ROOT / "docs/embedding.md").read_text()
    [block] = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(block)


def lets_in(server: Server, frame: str) -> None:
    found = re.search(r'src="https://usage\.example\.com(/\?token=[\w.-]+)"', frame)
    assert found
    page = Client(server).ask(found[1])
    assert page.card["renders"] == str(THEOS_RENDERS)
    assert "Europe/Madrid" in page.body


def test_the_one_in_python(server: Server) -> None:
    names: dict[str, Any] = {}
    exec(example("python"), names)
    lets_in(server, names["usage_frame"]("u3", KID, KEY))


def test_the_one_in_javascript(server: Server) -> None:
    if shutil.which("node") is None:
        missing("Node", "apt-get install nodejs")
    script = f"{example('js')}\nconsole.log(usageFrame('u3', '{KID}', '{KEY}'))"
    done = subprocess.run(
        ["node", "-e", script], capture_output=True, text=True, check=True, timeout=60
    )
    lets_in(server, done.stdout)
