"""`analytics export` writes the workspace's numbers, whole, and replaces nothing by surprise."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.cli import run
from tests.integration.conftest import MakeDatabase
from tests.support import rows

OCTOBER = datetime(2026, 10, 15, 12, tzinfo=UTC)
MARA = ["--user", "mara@example.com"]
IN_OCTOBER = [*MARA, "--period", "2026-10"]


@pytest.fixture(scope="module")
def url(make_database: MakeDatabase) -> str:
    """Mara with 3 renders in October, Nils with 2."""
    url = make_database("sqlite")
    renders = [rows.render(user, OCTOBER) for user in ("mara", "mara", "mara", "nils", "nils")]
    rows.insert(url, [rows.user("mara"), rows.user("nils"), *renders])
    return url


@pytest.fixture(autouse=True)
def _asked_of_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_DATABASE_URL", url)


def refused(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line with which an export is refused."""
    code = run(["export", *arguments])
    out, err = capfd.readouterr()
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    return line


def test_json_on_standard_output_is_what_the_workspace_answers(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = [*IN_OCTOBER, "--compare", "--format", "json", "--output", "-"]
    assert run(["export", *arguments]) == 0
    with Workspace.open(Settings.read(database_url=url), Scope.everyone()) as workspace:
        answer = workspace.get_analytics_data("mara", "2026-10", compare=True)
    assert json.loads(capfd.readouterr().out) == answer.to_dict()


def test_csv_is_what_standard_output_gets_unless_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["export", *IN_OCTOBER, "--what", "daily", "--output", "-"]) == 0
    found = list(csv.DictReader(io.StringIO(capfd.readouterr().out, newline="")))
    assert len(found) == 31
    assert [row["renders_created"] for row in found if row["date"] == "2026-10-15"] == ["3"]


@pytest.mark.parametrize("suffix", ["csv", "json", "xlsx", "parquet"])
def test_a_file_has_the_format_of_its_name(suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["export", *IN_OCTOBER, "--output", f"usage.{suffix}"]) == 0
    assert capfd.readouterr() == ("", "")
    start = {"csv": b"section,", "json": b"{", "xlsx": b"PK", "parquet": b"PAR1"}[suffix]
    assert Path(f"usage.{suffix}").read_bytes().startswith(start)


def test_an_explicit_format_wins_over_the_name() -> None:
    assert run(["export", *IN_OCTOBER, "--format", "parquet", "--output", "usage.csv"]) == 0
    assert len(pd.read_parquet("usage.csv")) > 0


@pytest.mark.parametrize(
    ("whom", "renders"), [(MARA, 3), (["--everyone"], 5), ([*MARA, "--user", "nils"], 5)]
)
def test_only_those_asked_for_are_counted(
    whom: list[str], renders: int, capfd: pytest.CaptureFixture[str]
) -> None:
    dates = ["--from", "2026-10-01", "--to", "2026-10-31"]
    assert run(["export", *whom, *dates, "--format", "json", "--output", "-"]) == 0
    assert json.loads(capfd.readouterr().out)["renders"]["total"] == renders


def test_a_file_that_is_there_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    Path("usage.csv").write_text("mine")
    assert "usage.csv: it is there already" in refused(
        [*IN_OCTOBER, "--output", "usage.csv"], capfd
    )
    assert Path("usage.csv").read_text() == "mine"


def test_a_file_that_is_there_is_replaced_on_request() -> None:
    Path("usage.csv").write_text("mine")
    assert run(["export", *IN_OCTOBER, "--force", "--output", "usage.csv"]) == 0
    assert Path("usage.csv").read_text().startswith("section,")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([*MARA, "--output", "usage.txt"], "say which --format it has"),
        ([*MARA, "--output", "-", "--format", "xlsx"], "xlsx needs a file"),
        (["--user", "nobody", "--output", "-"], "unknown user: 'nobody'"),
        (["--output", "-"], "say whose data"),
        ([*MARA, "--everyone", "--output", "-"], "say whose data"),
        ([*MARA, "--from", "2026-10-01", "--output", "-"], "--from and --to go together"),
        ([*IN_OCTOBER, "--from", "2026-10-01", "--output", "-"], "--period goes without"),
        ([*MARA, "--period", "October", "--output", "-"], "not a period: 'October'"),
        ([*MARA, "--tz", "Mars/Olympus", "--output", "-"], "unknown time zone"),
        ([*MARA, "--output", "missing/usage.csv"], "missing/usage.csv: No such file"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    arguments: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert line in refused(arguments, capfd)
