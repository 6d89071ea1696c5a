"""`analytics forget` and `analytics export --all`, as people run them."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics_core.dal.held import NOBODYS
from analytics_core.dal.tables import Base
from analytics_core.model.event import ApiCall, Credits, to_json
from analytics_core.telemetry.spool import Spool
from tests.support import rows
from tests.support.command import analytics, complaints, refusal

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


@pytest.fixture
def url(workspace_url: str) -> str:
    for user in ("mara", "noor"):
        theirs = [rows.render(user, NOON), rows.key(user, key_hash=f"secret-{user}")]
        rows.insert(workspace_url, [rows.user(user), *theirs])
    return workspace_url


def test_forgetting_lists_asks_removes_and_says_so_again(url: str) -> None:
    listed = analytics("forget", "--user", "mara@example.com", "--dry-run", database_url=url)
    assert "renders" in listed.stdout
    assert "Forgotten" not in listed.stdout
    asked = analytics("forget", "--user", "mara@example.com", database_url=url)
    assert asked.returncode == 130, "nobody typed anything"
    done = analytics("forget", "--user", "mara@example.com", "--yes", database_url=url)
    assert (done.returncode, complaints(done)) == (0, "")
    assert done.stdout.endswith("Forgotten: 3 rows are gone.\n")
    again = analytics("forget", "--user", "mara@example.com", database_url=url)
    assert again.returncode == 0
    assert "was forgotten on 20" in again.stdout
    assert "ok     1 people were forgotten" in analytics("doctor", database_url=url).stdout
    nobody = analytics("forget", "--user", "who", "--yes", database_url=url)
    assert refusal(nobody) == "unknown user: 'who'"


def test_everything_about_a_person_is_in_files_and_no_secret_is(url: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    told = [
        Credits(
            id=f"credits:{user}",
            user_id=user,
            transaction_id=user,
            direction="debit",
            amount=4,
            category="render",
            occurred_at=NOON,
        )
        for user in ("mara", "noor")
    ]
    call = ApiCall(
        id="by-key",
        key_hash="secret-mara",
        method="GET",
        route="/v1",
        status_code=200,
        duration=0.1,
        occurred_at=NOON,
    )
    waiting = Spool(spool)
    waiting.append_many(to_json(one) for one in (*told, call))
    waiting.close()
    person = ("export", "--all", "--user", "mara@example.com", "--output")
    settings = {"database_url": url, "spool": str(spool)}
    done = analytics(*person, "out", **settings)
    assert (done.returncode, complaints(done)) == (0, "")
    folder = {path.stem: json.loads(path.read_text()) for path in Path("out").iterdir()}
    assert folder.keys() == {"about", "waiting_events", *Base.metadata.tables} - NOBODYS
    assert [row["user_id"] for row in folder["renders"]] == ["mara"]
    assert len(folder["waiting_events"]) == 2
    assert folder["about"]["left_out"]["plugin_api_keys"] == ["key_hash"]
    assert folder["about"]["rows"]["renders"] == 1
    assert "secret-" not in json.dumps(folder)
    assert "noor" not in json.dumps(folder)
    assert "it is there already" in refusal(analytics(*person, "out", **settings))
    assert analytics(*person, "out.ZIP", **settings).returncode == 0
    with zipfile.ZipFile("out.ZIP") as archive:
        assert {Path(name).stem for name in archive.namelist()} == folder.keys()
        assert json.loads(archive.read("renders.json")) == folder["renders"]


def test_an_export_of_everything_is_about_one_person(url: str) -> None:
    for more in (
        ["--everyone"],
        ["--user", "mara", "--user", "noor"],
        ["--user", "x", "--compare"],
    ):
        done = analytics("export", "--all", *more, "--output", "out", database_url=url)
        assert "--all goes with one --user" in refusal(done)
    done = analytics("export", "--all", "--user", "who", "--output", "out", database_url=url)
    assert refusal(done) == "unknown user: 'who'"
