"""Calls are counted for the user of their key, whose last use is kept without a write for each."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import text

from analytics_core.dal.database import Database
from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder
from analytics_core.telemetry.middleware import ASGIApiCalls, call
from analytics_core.telemetry.writer import Writer
from tests.support import rows
from tests.support.calls import told

CALLS = 300


async def product(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 201})
    await send({"type": "http.response.body"})


async def anything(*_: Any) -> None:
    """Take it."""


def test_calls_belong_to_the_keys_user_and_its_last_use_is_written_once_a_batch(
    workspace_url: str, tmp_path: Path
) -> None:
    keys = {f"rk_{name}": name for name in ("mara", "noor")}
    rows.insert(workspace_url, [rows.user(name) for name in keys.values()])
    rows.insert(
        workspace_url,
        [
            rows.key(name, id=name, key_hash=call.sha256_hex(key.encode()), last_used_at=None)
            for key, name in keys.items()
        ],
    )
    settings = Settings.read(database_url=workspace_url, spool=tmp_path / "spool")
    recorder = Recorder(settings, writer=None)
    app = ASGIApiCalls(product, recorder)

    async def calls() -> None:
        for n in range(CALLS):
            key = list(keys)[n % 2].encode()
            scope = {"type": "http", "method": "POST", "headers": [(b"x-api-key", key)]}
            await app(scope, anything, anything)

    asyncio.run(calls())
    last = {one.key_hash: one.occurred_at for one in told(recorder)}
    with closing(Database(workspace_url)) as database:
        if database.dialect == "sqlite":
            count_writes(database)
        with closing(Writer.open(settings)) as writer:
            done = writer.drain()
        recorder.close()
        assert done is not None
        assert done.counted == CALLS
        per_user = "SELECT user_id, count(*) FROM api_calls GROUP BY user_id ORDER BY user_id"
        assert database.rows(text(per_user)) == [("mara", CALLS // 2), ("noor", CALLS // 2)]
        used = "SELECT key_hash, last_used_at FROM plugin_api_keys"
        stored = dict(database.rows(text(used)))
        if database.dialect == "sqlite":
            assert stored == {name: int(at.timestamp() * 1e6 + 0.5) for name, at in last.items()}
            assert database.rows(text("SELECT count(*) FROM writes")) == [(len(keys),)]
        else:
            assert stored == last


def count_writes(database: Database) -> None:
    """Let the database itself say how often a key's row is written."""
    with database.write() as transaction:
        transaction.execute(text("CREATE TABLE writes (id TEXT)"))
        transaction.execute(
            text(
                "CREATE TRIGGER written AFTER UPDATE ON plugin_api_keys"
                " BEGIN INSERT INTO writes VALUES (new.id); END"
            )
        )
        transaction.commit()
