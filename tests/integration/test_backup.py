"""What docs/operations.md says of backups: a copy is the whole workspace, with who may see what."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics_core import Scope, Settings, Workspace
from analytics_core.serving.granting import Granting
from tests.support import rows, studio
from tests.support.guarded import guarded
from tests.support.postgres import PostgresServer
from tests.support.serving import studio_in

RENDERS = {"mara": 3, "noor": 5}


def totals(workspace: Workspace) -> tuple[int, object]:
    answer = workspace.get_analytics_data(studio.MARA, "30d").current
    return answer.renders.total, answer.credits


def test_a_copy_of_a_file_that_is_in_use_shows_the_same_numbers(tmp_path: Path) -> None:
    url = studio_in(tmp_path)
    copy = tmp_path / "copy.db"
    with Workspace.open(Settings.read(database_url=url), Scope.everyone()) as workspace:
        before = totals(workspace)
        with closing(sqlite3.connect(tmp_path / "analytics.db")) as there:
            there.execute("VACUUM INTO ?", [str(copy)])
    restored = Settings.read(database_url=f"sqlite:///{copy}")
    with Workspace.open(restored, Scope.everyone()) as workspace:
        assert totals(workspace) == before


@pytest.mark.parametrize("who", RENDERS)
def test_a_dump_brings_back_rows_rules_and_keys(
    postgres_server: PostgresServer, tmp_path: Path, who: str
) -> None:
    made = guarded(postgres_server)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    rendered = [rows.render(name, yesterday) for name, n in RENDERS.items() for _ in range(n)]
    rows.insert(made.url, [*map(rows.user, RENDERS), *rendered])
    signer = Settings.read(database_url=made.owner, reader_url=made.reader)
    with Workspace.open(signer, Scope.everyone()) as workspace:
        grant = workspace.grant(Scope.user(who), datetime.now(UTC) + timedelta(hours=1))

    dump, empty = tmp_path / "dump", postgres_server.create_database()
    name, other = map(postgres_server.name_of, (made.url, empty))
    at = ["--host", str(postgres_server.sockets), "--username", "postgres"]
    for program, *more in (
        ("pg_dump", "--format=custom", f"--file={dump}", name),
        ("pg_restore", f"--dbname={other}", "--exit-on-error", str(dump)),
    ):
        subprocess.run([postgres_server.programs / program, *at, *more], check=True)

    owner, reader = (one.replace(f"/{name}?", f"/{other}?") for one in (made.owner, made.reader))
    restored = Settings.read(database_url=owner, reader_url=reader)
    with Workspace.open(restored, Scope.everyone()) as workspace:
        settings = Granting(workspace).reader()
    with Workspace.open(settings, Scope.everyone()) as workspace:
        assert workspace.get_render_stats(period="7d").total == 0
        # Signed before the dump, by a key that is in it.
        with workspace.within(Scope.user(who), grant=grant):
            assert workspace.get_render_stats(period="7d").total == RENDERS[who]
