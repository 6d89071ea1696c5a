"""Row-level security on PostgreSQL: whose rows a transaction sees, whatever its statements forgot.

Every table with rows of people has a policy that asks what the transaction was granted
(`dal.grants`), once for each statement, and holds for its owner too. Analysts and operators are
members of roles that see more. SQLite has nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, inspect, text

from analytics_core.dal.grants import ACCESS
from analytics_core.dal.profile import NOUNS

READER, ANALYST, OPERATOR = "analytics_reader", "analytics_analyst", "analytics_operator"
ROLES = (READER, ANALYST, OPERATOR)
GRANTED = "analytics_granted"

# Table -> the column that says whose a row is; None where a row does not say it, so that only who
# was granted everyone sees it.
PROTECTED: Mapping[str, str | None] = {
    "users": "id",
    **dict.fromkeys(NOUNS[1:], "user_id"),
    **dict.fromkeys(("endings", "set_aside_events"), "user_id"),
    **dict.fromkeys(("rolled_users", "rollup_cells", "rollup_marks"), "user_id"),
    **dict.fromkeys(("followed_users", "followed_cells", "followed_marks"), "user_id"),
    **dict.fromkeys(("recorded_renders", "recorded_events"), None),
    **dict.fromkeys(("tombstones", "tombstone_keys"), None),
    **dict.fromkeys(("audit_log", "followed_audit_log"), None),
    **dict.fromkeys(("audit_people", "followed_audit_people"), "user_id"),
}
# Tables that say nothing of a person who is there; who was forgotten of a product's database has to
# be recognised whoever asks, or their rows would be back.
UNPROTECTED = frozenset(
    {"horizons", "sources", "followed_nouns", "followed_tombstones", "followed_tombstone_keys"}
)
# What pages, reports and notebooks read.
_READ = frozenset(
    {*NOUNS, "rolled_users", "rollup_cells", "rollup_marks", "horizons"}
    | {"sources", "followed_nouns", "followed_users", "followed_cells", "followed_marks"}
    | {"followed_tombstones", "followed_tombstone_keys"}
)
# Keys are for those who own them; a hash of a key is nobody's to read.
_NEVER_READ = frozenset({"tombstone_keys", "audit_people", "followed_audit_people"})
_SECRET = {"plugin_api_keys": frozenset({"key_hash"})}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a role stands to the grants of a database."""

    role: str
    # A superuser, or a role that says so of itself.
    bypasses: bool
    # Whether grants are checked there at all.
    checks: bool
    # Whether it may sign grants.
    signs: bool
    # Whether it sees everyone by what it is.
    sees_everyone: bool

    @property
    def is_held_back(self) -> bool:
        """Whether it sees what it is granted and cannot help itself to more."""
        return not self.bypasses and not self.signs


def standing(connection: Connection) -> Standing:
    """How the role of a connection stands; asks catalogs that everybody may read."""
    found = connection.execute(
        text(
            "SELECT r.rolname, r.rolsuper OR r.rolbypassrls, s.oid IS NOT NULL,"
            " coalesce(has_function_privilege(f.oid, 'EXECUTE'), false),"
            " EXISTS (SELECT FROM pg_roles AS o WHERE o.rolname = ANY (:above)"
            " AND pg_has_role(o.oid, 'USAGE'))"
            " FROM pg_roles AS r"
            " LEFT JOIN pg_namespace AS s ON s.nspname = :access"
            " LEFT JOIN pg_proc AS f ON f.pronamespace = s.oid AND f.proname = 'signed'"
            " WHERE r.rolname = current_user"
        ),
        {"access": ACCESS, "above": [ANALYST, OPERATOR]},
    ).one()
    return Standing(*found)


def condition(owner: str | None) -> str:
    """The condition of a policy: asked in subqueries, which PostgreSQL runs once a statement.

    Users come first: where they are granted, the second question is never asked.
    """
    everyone = f"(SELECT {ACCESS}.everyone())"
    return f"{owner} = ANY ((SELECT {ACCESS}.users())::text[]) OR {everyone}" if owner else everyone


def protect(connection: Connection, metadata: MetaData, version_table: str) -> None:
    """Put all tables of a schema under row-level security; to do it again changes nothing.

    Roles are made where ours may make some, and get their rights where they are there. Does
    nothing on SQLite.
    """
    if connection.dialect.name != "postgresql":
        return
    if may_make_roles(connection):
        for statement in missing_roles(connection):
            connection.exec_driver_sql(statement)
    roles = _there(connection)
    for table in filter(PROTECTED.__contains__, metadata.tables):
        protect_table(connection, table, PROTECTED[table], roles)
        for partition in _partitions(connection, table):
            # Rights are given on the whole: nobody but its owner reads one by itself.
            protect_table(connection, partition, PROTECTED[table])
    _give_rights(connection, metadata, version_table, roles)


def protect_table(
    connection: Connection, table: str, owner: str | None, roles: Iterable[str] = ()
) -> None:
    """Put one table under row-level security, as far as it is not."""
    policies = {GRANTED: f"FOR ALL TO PUBLIC USING ({condition(owner)})"}
    for role in (ANALYST, OPERATOR):
        if role in roles and (role == OPERATOR or table in _READ):
            policies[role] = f"FOR SELECT TO {role} USING (true)"
    enabled, forced, there = connection.execute(
        text(
            "SELECT relrowsecurity, relforcerowsecurity,"
            " ARRAY(SELECT polname FROM pg_policy WHERE polrelid = c.oid)"
            " FROM pg_class AS c WHERE oid = CAST(:table AS regclass)"
        ),
        {"table": table},
    ).one()
    # Each would wait until nobody reads, also where there is nothing to change.
    for name, policy in policies.items():
        if name not in there:
            connection.exec_driver_sql(f"CREATE POLICY {name} ON {table} {policy}")
    if not enabled:
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    if not forced:
        connection.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def is_protecting(connection: Connection) -> bool:
    """Whether grants are checked in this database."""
    return bool(connection.execute(text(_IS_THERE), {"access": ACCESS}).scalar())


_IS_THERE = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = :access)"


def is_active(connection: Connection, table: str) -> bool:
    """Whether a table's rows are held back from our role; COPY does not write such a table."""
    active = text("SELECT row_security_active(CAST(:table AS text))")
    return bool(connection.execute(active, {"table": table}).scalar())


@contextmanager
def without_force(connection: Connection, tables: Iterable[str]) -> Iterator[None]:
    """Within the block, a transaction of their owner's may COPY into tables, which it has locked.

    Nobody else sees it: what is not committed is not there.
    """
    protected = [table for table in tables if table in PROTECTED]
    for table in protected:
        connection.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    for table in protected:
        connection.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def unprotected(connection: Connection, metadata: MetaData) -> list[str]:
    """Tables of a schema whose rows are not held back as they should be."""
    names = [table for table in metadata.tables if table in PROTECTED]
    names += [one for table in names for one in _partitions(connection, table)]
    found = text(
        "SELECT relname FROM pg_class AS c"
        " WHERE relname = ANY (:names) AND pg_table_is_visible(oid)"
        " AND NOT (relrowsecurity AND relforcerowsecurity AND EXISTS"
        " (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = :policy))"
        " ORDER BY relname"
    )
    return list(connection.execute(found, {"names": names, "policy": GRANTED}).scalars())


def _partitions(connection: Connection, table: str) -> list[str]:
    found = text(
        "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = CAST(:table AS regclass) ORDER BY c.relname"
    )
    return list(connection.execute(found, {"table": table}).scalars())


# --- roles ---


def may_make_roles(connection: Connection) -> bool:
    """Whether our role may make others."""
    may = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    return bool(connection.execute(text(may)).scalar())


def missing_roles(connection: Connection) -> list[str]:
    """The statements that make the roles that are not there."""
    there = _there(connection)
    return [_make(role) for role in ROLES if role not in there]


def _make(role: str) -> str:
    # Another database of this server may be set up at the same moment.
    return (
        f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )


def _there(connection: Connection) -> set[str]:
    found = text("SELECT rolname FROM pg_roles WHERE rolname = ANY (:roles)")
    return set(connection.execute(found, {"roles": list(ROLES)}).scalars())


def _give_rights(
    connection: Connection, metadata: MetaData, version_table: str, roles: Iterable[str]
) -> None:
    schema = inspect(connection).default_schema_name
    quoted = connection.dialect.identifier_preparer.quote(schema or "public")
    for role in sorted(roles):
        statements = [f"GRANT USAGE ON SCHEMA {quoted} TO {role}"]
        statements.append(f"GRANT SELECT ON {version_table} TO {role}")
        for name, table in metadata.tables.items():
            if name in _NEVER_READ or (role != OPERATOR and name not in _READ):
                continue
            secret = _SECRET.get(name, frozenset())
            columns = ", ".join(c.name for c in table.columns if c.name not in secret)
            what = f"SELECT ({columns})" if secret else "SELECT"
            statements.append(f"GRANT {what} ON {name} TO {role}")
        for statement in statements:
            connection.exec_driver_sql(statement)
