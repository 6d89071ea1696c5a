"""Migrations make what the code expects, all of it or nothing, and other databases are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, inspect, text

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.partitions import PARTITIONED
from analytics_core.dal.schema import STATE, WORKSPACE, Schema
from analytics_core.dal.tables import UtcInstant
from analytics_core.errors import AnalyticsError, DatabaseUnavailable, SchemaMismatch
from tests.support import rows
from tests.support.rows import execute, insert, table_names

both = pytest.mark.parametrize("which", [WORKSPACE, STATE], ids=lambda one: one.name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database that may be created."""
    database = Database(database_url, create=True)
    yield database
    database.close()


@both
def test_migrations_make_exactly_the_tables_of_the_code(database: Database, which: Schema) -> None:
    schema.upgrade(database, which)
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": same_type,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: (
                    not (name == which.version_table or (kind == "table" and is_partition(name)))
                ),
            },
        )
        assert compare_metadata(context, which.metadata) == []


def is_partition(name: str | None) -> bool:
    return bool(name and name.startswith(f"{PARTITIONED}_"))


def same_type(
    context: Any, found_column: Any, column: Column[Any], found: Any, wanted: Any
) -> bool | None:
    """Whether types differ; ours are compared as what the database stores for them."""
    if isinstance(wanted, UtcInstant):
        stored = wanted.load_dialect_impl(context.dialect)
        return bool(found.compile(context.dialect) != stored.compile(context.dialect))
    return None


@both
def test_both_kinds_of_database_get_the_same_constraints_and_indexes(
    database: Database, which: Schema
) -> None:
    schema.upgrade(database, which)
    with database.read() as connection:
        inspector = inspect(connection)
        for table in which.metadata.sorted_tables:
            primary = inspector.get_pk_constraint(table.name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key.columns]
            indexes = {index["name"] for index in inspector.get_indexes(table.name)}
            assert {index.name for index in table.indexes} <= indexes
            keys = {tuple(k["constrained_columns"]) for k in inspector.get_foreign_keys(table.name)}
            assert keys == {
                tuple(column.name for column in key.columns)
                for key in table.foreign_key_constraints
            }


def test_an_amount_of_nothing_is_refused_by_the_database_itself(database: Database) -> None:
    schema.upgrade(database)
    insert(database.label, [rows.user("mara")])
    with pytest.raises(Exception, match="amount_is_positive"):
        execute(
            database.label,
            "INSERT INTO credit_transactions (id, user_id, kind, amount, category, created_at)"
            " SELECT 't', 'mara', 'debit', -1, 'render', created_at FROM users",
        )


@both
def test_the_revisions_that_the_code_knows_are_those_of_its_migrations(which: Schema) -> None:
    scripts = ScriptDirectory(str(which.migrations))
    oldest_first = [script.revision for script in scripts.walk_revisions()][::-1]
    assert list(which.revisions) == oldest_first
    assert [which.head] == scripts.get_heads()


@both
def test_upgrading_twice_changes_nothing(database: Database, which: Schema) -> None:
    schema.upgrade(database, which)
    if which is WORKSPACE:
        insert(database.label, [rows.user("mara")])
    before = table_names(database.label)
    schema.upgrade(database, which)
    schema.check(database, which)
    assert table_names(database.label) == before
    if which is WORKSPACE:
        assert database.rows(text("SELECT id FROM users")) == [("mara",)]


def test_both_schemas_may_live_in_one_database(database: Database) -> None:
    schema.upgrade(database, WORKSPACE)
    schema.upgrade(database, STATE)
    schema.check(database, WORKSPACE)
    schema.check(database, STATE)


def test_an_upgrade_that_fails_leaves_nothing_behind(database: Database) -> None:
    # In the way of the last table that the migration makes.
    execute(database.label, "CREATE TABLE renders (id integer)", "INSERT INTO renders VALUES (7)")
    with pytest.raises(DatabaseUnavailable, match="renders"):
        schema.upgrade(database)
    assert table_names(database.label) == {"renders"}
    assert database.rows(text("SELECT id FROM renders")) == [(7,)]
    with pytest.raises(SchemaMismatch):
        schema.check(database)


def test_an_empty_database_is_told_how_to_become_one_of_ours(database: Database) -> None:
    with pytest.raises(SchemaMismatch, match=r"no tables of this workspace: run `analytics init`"):
        schema.check(database)


def test_a_database_of_somebody_else_is_none_of_ours(database: Database) -> None:
    execute(database.label, "CREATE TABLE users (id integer)")
    with pytest.raises(SchemaMismatch, match="ANALYTICS_PROFILE"):
        schema.check(database)


def test_an_older_database_is_told_to_be_brought_up_to_date(database: Database) -> None:
    schema.upgrade(database)
    later = replace(WORKSPACE, revisions=(*WORKSPACE.revisions, "next"))
    with pytest.raises(
        SchemaMismatch, match=r"older than this code .* run `analytics init`"
    ) as told:
        schema.check(database, later)
    assert (told.value.found, told.value.wanted) == (WORKSPACE.head, "next")


def test_a_newer_database_is_neither_read_nor_upgraded(database: Database) -> None:
    schema.upgrade(database)
    execute(database.label, f"UPDATE {WORKSPACE.version_table} SET version_num = '9999'")
    for refuses in (schema.check, schema.upgrade):
        with pytest.raises(SchemaMismatch, match=r"newer than this code .*install a newer version"):
            refuses(database)
    found = database.rows(text(f"SELECT version_num FROM {WORKSPACE.version_table}"))
    assert found == [("9999",)]


def test_a_version_that_was_lost_is_no_version(database: Database) -> None:
    schema.upgrade(database)
    execute(database.label, f"DELETE FROM {WORKSPACE.version_table}")
    with pytest.raises(AnalyticsError):
        schema.check(database)
