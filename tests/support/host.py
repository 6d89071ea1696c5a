"""A product's own PostgreSQL: the tables of a renderiq host, with primary keys and nothing else."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import psycopg

GOLDEN = Path(__file__).parents[1] / "integration" / "golden"

_KEY = "id uuid PRIMARY KEY"
_OWNER = "user_id uuid NOT NULL"
_CREATED = "created_at timestamp NOT NULL"
_UPDATED = "updated_at timestamp NOT NULL"

TABLES: dict[str, tuple[str, ...]] = {
    "users": (
        _KEY,
        "email text NOT NULL UNIQUE",
        "name text",
        "is_active boolean",
        "is_admin boolean",
        "email_verified boolean",
        "last_login_at timestamp",
        _CREATED,
        _UPDATED,
    ),
    "projects": (
        _KEY,
        _OWNER,
        "name text",
        "slug text",
        "status text",
        "is_public boolean",
        "platform text",
        _CREATED,
        _UPDATED,
    ),
    "renders": (
        _KEY,
        "project_id uuid",
        _OWNER,
        "type text",
        "prompt text",
        "settings jsonb",
        "status text",
        "processing_time integer",
        "credits_cost integer",
        "priority integer",
        "platform text",
        "metadata jsonb",
        _CREATED,
        _UPDATED,
    ),
    "credit_transactions": (
        _KEY,
        _OWNER,
        "amount integer",
        "type text",
        "description text",
        "reference_id text",
        "reference_type text",
        _CREATED,
    ),
    "account_activity": (
        _KEY,
        _OWNER,
        "event_type text",
        "ip_address text",
        "user_agent text",
        _CREATED,
    ),
    "plugin_api_keys": (
        _KEY,
        _OWNER,
        "name text",
        "key text UNIQUE",
        "key_prefix text",
        "scopes jsonb",
        "expires_at timestamp",
        "last_used_at timestamp",
        "is_active boolean",
        _CREATED,
        _UPDATED,
    ),
    "file_storage": (
        _KEY,
        _OWNER,
        "file_name text",
        "original_name text",
        "mime_type text",
        "size bigint",
        "url text",
        "key text",
        "bucket text",
        "is_public boolean",
        _CREATED,
        _UPDATED,
    ),
    "usage_tracking": (
        _KEY,
        _OWNER,
        "date timestamp NOT NULL",
        "renders_created integer",
        "credits_spent integer",
        "storage_used bigint",
        "api_calls integer",
        _CREATED,
    ),
}


def create_host_tables(url: str) -> None:
    """Make the empty tables of a host in the database at this URL."""
    with connect(url) as connection:
        for name, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")


def load_golden(url: str) -> None:
    """Make a host's tables and fill them with the golden files."""
    create_host_tables(url)
    with connect(url) as connection, tarfile.open(GOLDEN / "host-database.tar.gz") as archive:
        for name in TABLES:
            member = archive.extractfile(f"./{name}.csv")
            assert member is not None
            copy_csv(connection, name, io.TextIOWrapper(member, encoding="utf-8"))


def copy_csv(connection: psycopg.Connection, table: str, lines: Iterable[str]) -> None:
    """Load CSV with a header line into a table; an empty field is NULL."""
    lines = iter(lines)
    header = next(lines)
    columns = ", ".join(next(csv.reader([header])))
    with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)") as copy:
        for line in lines:
            copy.write(line)


def connect(url: str) -> psycopg.Connection:
    """A plain connection to a SQLAlchemy URL's database."""
    return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"))
