"""The examples of docs/collector.md do what they say, against a collector that runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from analytics_core.dal.database import Database
from analytics_core.settings import Settings
from analytics_core.telemetry.collector.cloudevents import PREFIX
from analytics_core.telemetry.writer import Writer
from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.collecting import KEY, RunningCollector, running_collector
from tests.support.reference import ROOT
from tests.support.requirements import missing

PAGE = (ROOT / "docs/collector.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def url(make_database: MakeDatabase) -> str:
    made = make_database("sqlite")
    rows.insert(made, [rows.user("mara")])
    return made


@pytest.fixture
def collector(url: str, tmp_path: Path) -> Iterator[RunningCollector]:
    with running_collector(url, tmp_path / "spool") as running:
        yield running


def run(command: list[str], collector: RunningCollector, folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "COLLECTOR": collector.address, "ANALYTICS_COLLECTOR_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def counted(url: str, collector: RunningCollector) -> dict[str, int]:
    """How many rows there are of each kind, once all that waits is written."""
    collector.stop()
    with closing(Writer.open(Settings.read(database_url=url, spool=collector.spool))) as writer:
        while writer.drain() is None:
            pass
    tables = ("renders", "api_calls", "files", "account_activity", "set_aside_events")
    with closing(Database(url)) as database:
        return {
            table: database.rows(text(f"SELECT count(*) FROM {table}"))[0][0] for table in tables
        }


def test_the_examples_with_curl_are_answered_as_the_page_says(
    collector: RunningCollector, url: str, tmp_path: Path
) -> None:
    if not shutil.which("curl"):
        missing("curl", "apt-get install curl")
    one, several, in_headers = [
        json.loads(run(["sh", "-c", block], collector, tmp_path)) for block in blocks("sh")
    ]
    assert [one, several] == [json.loads(block) for block in blocks("json")]
    assert in_headers["accepted"] == 1
    assert counted(url, collector) == {
        "renders": 1,
        "api_calls": 1,
        "files": 1,
        "account_activity": 0,
        "set_aside_events": 0,
    }


# What Next.js brings: work that is done once the response is on its way.
_NEXT = "export const waiting = []; export const after = (work) => waiting.push(work());\n"
_REQUEST = """
import { POST } from "./route.mjs";
import { waiting } from "next/server";
const asked = { method: "POST", body: JSON.stringify({ userId: "mara", prompt: "a house" }) };
const response = await POST(new Request("http://studio.example/api/renders", asked));
const [told] = await Promise.all(waiting);
console.log(JSON.stringify({ status: response.status, told }));
"""


def test_the_examples_in_javascript_record(
    collector: RunningCollector, url: str, tmp_path: Path
) -> None:
    if not shutil.which("node"):
        pytest.skip("node is missing: the examples in JavaScript were not run")
    usage, route = blocks("js")
    server = tmp_path / "node_modules" / "next"
    server.mkdir(parents=True)
    (server / "package.json").write_text(
        '{"name": "next", "type": "module", "exports": {"./server": "./server.js"}}'
    )
    (server / "server.js").write_text(_NEXT)
    (tmp_path / "usage.mjs").write_text(usage)
    # Next.js knows this alias of its own accord.
    (tmp_path / "route.mjs").write_text(route.replace("@/lib/", "./"))
    (tmp_path / "request.mjs").write_text(_REQUEST)
    done = json.loads(run(["node", "request.mjs"], collector, tmp_path))
    assert done["status"] == 201
    assert (done["told"]["accepted"], done["told"]["refused"]) == (2, 0)
    assert counted(url, collector) == {
        "renders": 1,
        "api_calls": 1,
        "files": 0,
        "account_activity": 0,
        "set_aside_events": 0,
    }


def test_javascript_tells_again_while_the_collector_is_away(
    collector: RunningCollector, url: str, tmp_path: Path
) -> None:
    if not shutil.which("node"):
        pytest.skip("node is missing: the examples in JavaScript were not run")
    (tmp_path / "usage.mjs").write_text(blocks("js")[0])
    (tmp_path / "away.mjs").write_text(
        'import { event, record } from "./usage.mjs";\n'
        'const told = [event("activity", { user_id: "mara", event: "login" })];\n'
        "console.log(await record(told, 2).catch((problem) => problem.name));\n"
    )
    collector.stop()
    assert run(["node", "away.mjs"], collector, tmp_path).strip() == "TypeError"


def test_every_kind_and_field_is_on_the_page(url: str, collector: RunningCollector) -> None:
    schemas = collector.get("/openapi.json").json["components"]["schemas"]
    rows_of = dict(re.findall(rf"^\| `{re.escape(PREFIX)}(\w+)` \| (.*) \|$", PAGE, re.MULTILINE))
    kinds = {
        schema["properties"]["type"]["enum"][0].removeprefix(PREFIX): schemas[f"{name[:-4]}Data"]
        for name, schema in schemas.items()
        if name.endswith("Told")
    }
    assert rows_of.keys() == kinds.keys()
    for kind, data in kinds.items():
        assert set(re.findall(r"`(\w+)`", rows_of[kind])) == set(data["properties"])
