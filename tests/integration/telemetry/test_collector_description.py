"""What the collector says of itself is what it does: schemathesis finds no difference."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.collecting import KEY, RunningCollector, running_collector

# What a schema cannot say, as that an event is from these days, is refused with 422; and a body of
# application/json without ce- headers with 415.
_CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 415, 422]

# A batch with one event that is wrong is answered with 207, which says so of that event.
[checks.negative_data_rejection]
expected-statuses = [207, 400, 401, 413, 415, 422]
"""


@pytest.fixture
def collector(make_database: MakeDatabase, tmp_path: Path) -> Iterator[RunningCollector]:
    # Of either kind: no answer waits for it.
    url = make_database("sqlite")
    rows.insert(url, [rows.user("mara")])
    with running_collector(url, tmp_path / "spool") as running:
        yield running


def test_schemathesis_finds_nothing(collector: RunningCollector, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(_CONFIGURATION)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{collector.address}/openapi.json"),
            *("--checks", "all", "--mode", "all", "--max-examples", "40", "--no-color"),
            *("--header", f"Authorization: Bearer {KEY}", "--seed", "1"),
        ],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout
