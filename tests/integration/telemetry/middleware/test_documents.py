"""The examples of docs/recording.md run, and what they record is what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder
from tests.support.calls import BEARER, summary
from tests.support.reference import ROOT

EXAMPLES = {
    re.findall(r"^from (\w+)", block, re.MULTILINE)[0]: block
    for block in re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/recording.md").read_text(), re.DOTALL
    )
    if "analytics_core.telemetry.middleware" in block
}
# A process of its own, as a product is; Django is configured once in each.
OVER_ASGI = """
from starlette.testclient import TestClient
print(TestClient(app).get("/v1/renders/5", headers=HEADERS).json()["id"])
"""
OVER_WSGI = """
from werkzeug.test import Client
with Client(app).get("/v1/renders/5", headers=HEADERS) as answer:
    print(answer.json["id"])
"""
TRIALS = {
    "fastapi": (OVER_ASGI, "/v1/renders/{render_id}"),
    "starlette": (OVER_ASGI, "/v1/renders/{render_id}"),
    "flask": (OVER_WSGI, "/v1/renders/<int:render_id>"),
    "django": (OVER_WSGI, "/v1/renders/<int:render_id>"),
}


def test_there_is_an_example_for_each_framework() -> None:
    assert EXAMPLES.keys() == TRIALS.keys()


@pytest.mark.parametrize("framework", TRIALS)
def test_the_example_records_a_call(tmp_path: Path, framework: str) -> None:
    trial, route = TRIALS[framework]
    file = tmp_path / "product.py"
    # Left as SIGKILL leaves it: what was answered is in the spool, and nobody writes it meanwhile.
    end = "import os, sys; sys.stdout.flush(); os._exit(0)"
    file.write_text(f"{EXAMPLES[framework]}\nHEADERS = {BEARER}\n{trial}\n{end}\n")
    settings = Settings.read(
        database_url=f"sqlite:///{tmp_path / 'no' / 'such.db'}", spool=tmp_path / "spool"
    )
    done = subprocess.run(
        [sys.executable, file],
        env=os.environ | settings.to_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "5"
    recorder = Recorder(settings, writer=None)
    recorder._closed = True
    assert summary(recorder) == [("GET", route, 200)]
