"""A visitor's kernel knows no key, no token and nothing else of its server's environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.serving.test_server import get
from tests.support.serving import start_notebook, ticket

SECRETS = {
    "ANALYTICS_COLLECTOR_KEY": "key-7f3a-of-the-collector-which-is-long",
    "ANALYTICS_SOMETHING_NEW": "key-7f3a-of-a-setting-that-is-not-known-yet",
    "JUPYTER_TOKEN": "key-7f3a-of-jupyter",
    "AWS_SECRET_ACCESS_KEY": "key-7f3a-of-a-cloud",
    "SECRET_KEY_BASE": "key-7f3a-of-a-product",
    "HTTP_COOKIE": "key-7f3a-of-somebody",
}
GIVEN = {"ANALYTICS_DATABASE_URL": "sqlite:////nowhere.db"}
GRANT = {"ANALYTICS_GRANT": "user:key-7f3a-of-the-server"}
TELL = """
import json, os
with open({path!r}, "w") as file:
    json.dump({{
        "environ": dict(os.environ),
        "block": open("/proc/self/environ").read(),
        "parent": open(f"/proc/{{os.getppid()}}/environ").read(),
    }}, file)
"""


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "ordinary"])
def test_a_kernel_is_given_what_it_needs_and_no_secret(tmp_path: Path, forked: bool) -> None:
    told = tmp_path / "told.json"
    with start_notebook(
        tmp_path,
        TELL.format(path=str(told)),
        prelude=f"from analytics_core.kernels import client\nclient.is_possible = lambda: {forked}",
        environment=SECRETS | GIVEN | GRANT,
    ) as server:
        _, body, cookie = get(server, f"/?token={server.token}")
        status, _, _ = get(server, ticket(body), Cookie=cookie)
    assert status == 200, server.log.read_text()
    everything = json.loads(told.read_text())
    # An ordinary kernel's parent is the server, which has what it was started with.
    seen = [everything["environ"], everything["block"]] + [everything["parent"]] * forked
    assert "key-7f3a" not in str(seen)
    assert server.token not in str(everything)
    assert everything["environ"].items() >= GIVEN.items()
    assert everything["environ"]["ANALYTICS_GRANT"] == '{"users": ["u1"]}'
    assert ("kernels start slowly" in server.log.read_text().lower()) != forked
