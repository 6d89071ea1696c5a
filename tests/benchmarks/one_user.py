"""All statistics of one user with 60,000 renders in range, out of a million of 1,000 users."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.demo import DemoShape, load
from analytics_core.model.daterange import DateRange, Preset, read_zone
from tests.benchmarks.in_pandas import PandasBaseline
from tests.benchmarks.measurement import Measurement, compared
from tests.support.host import connect, create_host_tables
from tests.support.postgres import PostgresServer, running_server

NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
EMAIL = "mara@example.com"
# Hers; a host has no column for it.
ZONE = read_zone("Europe/Madrid")
SHAPE = DemoShape(users=1_000, renders=1_000_000, seed=1, now=NOW, first_users_last_30_days=60_000)
# What anybody sets who runs PostgreSQL on a small machine with an SSD; the rest is as it ships.
SERVER_SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "2GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
}
PANDAS = "rows loaded into pandas"

Say = Callable[[str], None]


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`, one after the other."""
    wanted = {
        place: name
        for place in (
            *("SQLite", "PostgreSQL", "PostgreSQL with rollups"),
            "PostgreSQL host without indexes",
        )
        if only.lower() in (name := f"statistics of one user, {place}").lower()
    }
    if "SQLite" in wanted:
        url = f"sqlite:///{folder / 'analytics.db'}"
        _fill(url, say)
        yield _measured(wanted["SQLite"], Settings.read(database_url=url))
    if any(place.startswith("PostgreSQL") for place in wanted):
        with running_server(SERVER_SETTINGS) as server:
            say(f"PostgreSQL with {', '.join(f'{k} = {v}' for k, v in SERVER_SETTINGS.items())}")
            own = server.create_database()
            _fill(own, say)
            if "PostgreSQL" in wanted:
                yield _measured(wanted["PostgreSQL"], Settings.read(database_url=own))
            if "PostgreSQL host without indexes" in wanted:
                settings = Settings.read(database_url=_host(server, own, say), profile="renderiq")
                yield _measured(wanted["PostgreSQL host without indexes"], settings)
            if "PostgreSQL with rollups" in wanted:
                _refresh(own, say)
                name = wanted["PostgreSQL with rollups"]
                yield _measured(name, Settings.read(database_url=own))


def _fill(url: str, say: Say) -> None:
    say(f"{SHAPE.renders:,} renders into {url.partition(':')[0]}")
    with closing(Database(url, create=True)) as database:
        schema.upgrade(database)
        load(database, SHAPE)


def _refresh(url: str, say: Say) -> None:
    say("rollups of it")
    with Workspace(Settings.read(database_url=url), Scope.everyone()) as workspace:
        for _ in workspace.refresh_rollups():
            pass


def _measured(name: str, settings: Settings) -> Measurement:
    with Workspace(settings, Scope.everyone(), clock=lambda: NOW) as workspace:
        dates = DateRange.preset(Preset.MONTH, workspace.today(ZONE), ZONE)
        assert dates is not None
        baseline = PandasBaseline(
            workspace.database, EMAIL, dates, NOW, on_host=settings.profile is not None
        )

        def ours() -> dict[str, Any]:
            return workspace.get_analytics_data(EMAIL, "30d", zone=ZONE.key).to_dict()

        answer = ours()
        assert answer["renders"]["total"] == 60_000
        _assert_same(answer, baseline.answer())
        return compared(name, ours, PANDAS, baseline.answer)


def _assert_same(ours: Any, theirs: Any, where: str = "") -> None:
    """Raise where two answers differ by more than the order in which floats were added."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            _assert_same(ours[key], theirs[key], f"{where}.{key}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), where
        for n, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            _assert_same(one, other, f"{where}[{n}]")
    elif isinstance(ours, float):
        assert math.isclose(ours, theirs, rel_tol=1e-9), f"{where}: {ours} is not {theirs}"
    else:
        assert ours == theirs, f"{where}: {ours} is not {theirs}"


# Our rows as a renderiq product would have written them.
_AS_HOST_ROWS = {
    "users (id, email, name, is_active, last_login_at, created_at, updated_at)": """
        SELECT id, email, name, is_active, last_login_at AT TIME ZONE 'UTC',
            created_at AT TIME ZONE 'UTC', created_at AT TIME ZONE 'UTC' FROM users""",
    "projects (id, user_id, name, status, platform, created_at, updated_at)": """
        SELECT id, user_id, name, status, replace(platform, 'web', 'render'),
            created_at AT TIME ZONE 'UTC', created_at AT TIME ZONE 'UTC' FROM projects""",
    "renders (id, project_id, user_id, type, prompt, settings, status, processing_time,"
    " credits_cost, platform, metadata, created_at, updated_at)": """
        SELECT id, project_id, user_id, type, 'A house by the sea, evening light, photorealistic',
            jsonb_strip_nulls(jsonb_build_object('style', 'photo', 'quality', quality)), status,
            round(processing_time), credits_cost, replace(platform, 'web', 'render'),
            jsonb_strip_nulls(jsonb_build_object(
                'sourcePlatform', source_platform, 'pluginVersion', plugin_version)),
            created_at AT TIME ZONE 'UTC', created_at AT TIME ZONE 'UTC' FROM renders""",
    "credit_transactions (id, user_id, amount, type, description, reference_id, reference_type,"
    " created_at)": """
        SELECT id, user_id, CASE kind WHEN 'debit' THEN -amount ELSE amount END,
            CASE WHEN kind = 'debit' THEN 'spent' WHEN category IN ('refund', 'bonus')
                THEN category ELSE 'earned' END,
            category, reference_id, nullif(category, 'purchase'),
            created_at AT TIME ZONE 'UTC' FROM credit_transactions""",
    "account_activity (id, user_id, event_type, created_at)": """
        SELECT id, user_id, event, created_at AT TIME ZONE 'UTC' FROM account_activity""",
    "plugin_api_keys (id, user_id, name, key, key_prefix, is_active, expires_at, last_used_at,"
    " created_at, updated_at)": """
        SELECT id, user_id, name, key_hash, prefix, is_active, expires_at AT TIME ZONE 'UTC',
            last_used_at AT TIME ZONE 'UTC', created_at AT TIME ZONE 'UTC',
            created_at AT TIME ZONE 'UTC' FROM plugin_api_keys""",
    "file_storage (id, user_id, file_name, original_name, mime_type, size, created_at,"
    " updated_at)": """
        SELECT id, user_id, name, name, media_type, size, created_at AT TIME ZONE 'UTC',
            created_at AT TIME ZONE 'UTC' FROM files""",
    "usage_tracking (id, user_id, date, renders_created, credits_spent, storage_used, api_calls,"
    " created_at)": """
        SELECT gen_random_uuid(), user_id, date, renders_created, credits_spent, storage_used,
            api_calls, date FROM usage_tracking""",
}


def _host(server: PostgresServer, own: str, say: Say) -> str:
    """The same data in a product's own database, which has primary keys and no other index."""
    say("the same into the tables of a product")
    url = server.create_database()
    create_host_tables(url)
    with connect(own) as here, connect(url) as there:
        for table, rows in _AS_HOST_ROWS.items():
            _copy(here, there, f"COPY ({rows}) TO STDOUT", f"COPY {table} FROM STDIN")
    with connect(url) as there:
        there.autocommit = True
        there.execute("VACUUM (ANALYZE)")
    return url


def _copy(here: psycopg.Connection, there: psycopg.Connection, out: str, into: str) -> None:
    with here.cursor().copy(out) as read, there.cursor().copy(into) as write:
        for block in read:
            write.write(block)
