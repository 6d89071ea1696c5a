"""Row-level security on a product's tables, as SQL for their owner: nothing here runs it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from analytics_core.dal.grants import ACCESS, checks
from analytics_core.dal.profile import HostTable, Profile
from analytics_core.dal.row_security import GRANTED, READER, condition

_quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]

# A table that had no policies would show its rows to nobody else any more.
_KEEPS_OTHERS = "analytics_others"


def host_sql(profile: Profile) -> str:
    """What the owner of a product's database runs so that readers see what they are granted.

    A role that reads the columns of the profile and no others, functions that check grants in a
    schema of their own, and policies that hold that role back and nobody else. To run it again
    changes nothing.
    """
    parts = [
        f"-- Row-level security for the profile {profile.name}; for the owner of its tables.",
        "BEGIN;",
        f"DO $$ BEGIN CREATE ROLE {READER} NOLOGIN;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;",
        *(f"{statement};" for statement in checks()),
        *_schemas(profile),
    ]
    for noun, host in profile.tables.items():
        parts += _table(noun, host)
    parts += [
        "COMMIT;",
        "-- The key, for whoever runs the workspace: ANALYTICS_GRANT_KEY. Shown once.",
        f"SELECT {ACCESS}.new_key() AS analytics_grant_key"  # noqa: S608 - our names
        f" WHERE NOT EXISTS (SELECT FROM {ACCESS}.keys);",
        "-- Then a login, with a password of your own, for ANALYTICS_DATABASE_URL:",
        f"-- CREATE ROLE usage_reader LOGIN PASSWORD '...' IN ROLE {READER};",
    ]
    return "\n".join(parts)


def _schemas(profile: Profile) -> Iterator[str]:
    for name in sorted({host.db_schema or "public" for host in profile.tables.values()}):
        yield f"GRANT USAGE ON SCHEMA {_quote(name)} TO {READER};"


def _table(noun: str, host: HostTable) -> Iterator[str]:
    table = _named(host)
    owner = host.fields["id" if noun == "users" else "user_id"].column
    needed, optional = _columns(host)
    yield f"GRANT SELECT ({', '.join(map(_quote, needed))}) ON {table} TO {READER};"
    for column in optional:
        yield f"""DO $$ BEGIN GRANT SELECT ({_quote(column)}) ON {table} TO {READER};
    EXCEPTION WHEN undefined_column THEN NULL; END $$;"""
    # Compared as text, so that an id of another kind is no error, only nobody's.
    held = condition(f"{_quote(owner or '')}::text")
    others = "FOR ALL TO PUBLIC USING (true) WITH CHECK (true)"
    yield f"""DO $$ BEGIN
    IF (SELECT relkind NOT IN ('r', 'p') FROM pg_class WHERE oid = '{table}'::regclass) THEN
        RAISE WARNING '% is no table: what it reads has to be held back', '{table}';
        RETURN;
    END IF;
    IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = '{table}'::regclass) THEN
        -- Everybody else goes on as before.
        DROP POLICY IF EXISTS {_KEEPS_OTHERS} ON {table};
        CREATE POLICY {_KEEPS_OTHERS} ON {table} {others};
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
    END IF;
    DROP POLICY IF EXISTS {READER} ON {table};
    CREATE POLICY {READER} ON {table} FOR SELECT TO {READER} USING (true);
    DROP POLICY IF EXISTS {GRANTED} ON {table};
    CREATE POLICY {GRANTED} ON {table} AS RESTRICTIVE FOR SELECT TO {READER}
        USING ({held});
END $$;"""  # noqa: S608 - names of the owner's own


def _columns(host: HostTable) -> tuple[list[str], list[str]]:
    """The columns that are read of a table, and those that only some such databases have."""
    needed = {c for field in host.fields.values() if not field.optional for c in field.columns}
    if host.follow and host.follow.changed:
        needed.add(host.follow.changed)
    optional = {c for field in host.fields.values() for c in field.columns} - needed
    return sorted(needed), sorted(optional)


def _named(host: HostTable) -> str:
    return ".".join(_quote(part) for part in (host.db_schema, host.table) if part)


def not_held_back(connection: Connection, profile: Profile) -> list[str]:
    """The tables of a profile, by the host's names, whose rows are not held back from readers."""
    held = text(
        "SELECT c.relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid"
        " AND polname = :policy AND NOT polpermissive)"
        " FROM pg_class AS c WHERE c.oid = to_regclass(:table)"
    )
    return [
        name
        for name in map(_named, profile.tables.values())
        if not connection.execute(held, {"policy": GRANTED, "table": name}).scalar()
    ]
