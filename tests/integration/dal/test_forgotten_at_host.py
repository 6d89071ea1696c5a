"""A product keeps its rows of somebody who was forgotten, and nothing here reads them any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from analytics_core import Scope, Settings, Workspace
from analytics_core.dal import schema
from analytics_core.dal.catalog import host_catalog
from analytics_core.dal.database import Database
from analytics_core.dal.profile import read_profile
from analytics_core.dal.rollup.kept import Kept
from analytics_core.dal.rollup.refresh import RollupRefresh
from analytics_core.dal.schema import STATE
from analytics_core.dal.state import StateRepository
from analytics_core.dal.stored_objects import StoredObjectComparison
from analytics_core.dal.tombstones import Tombstones
from analytics_core.errors import NothingKept, UnknownUser
from tests.support.host import create_host_tables
from tests.support.postgres import PostgresServer
from tests.support.rows import execute

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
MARA, NOOR = (f"{8 * letter}-1111-4111-8111-111111111111" for letter in "ab")


@dataclass
class Product:
    """A product with two users who did the same, and a workspace that follows it."""

    url: str
    state_url: str

    def settings(self) -> Settings:
        return Settings.read(database_url=self.url, profile="renderiq", state_url=self.state_url)

    def open(self) -> Workspace:
        return Workspace(self.settings(), Scope.everyone(), clock=lambda: NOW)

    def refresh(self) -> None:
        """With so low a mark that everybody's rows are worth it."""
        with self.open() as workspace:
            catalog = workspace._catalog
            kept = workspace._where_kept()
            steps = RollupRefresh(kept, workspace.database, catalog, NOW, worth=1)
            list(steps.run())

    def forget(self, user: str = "mara@example.com") -> dict[str, int]:
        with self.open() as workspace:
            return workspace.forget(workspace.find_person(user), "a test")

    def kept(self) -> str:
        state = Database(self.state_url)
        names = ("followed_users", "followed_cells", "followed_marks")
        found = [state.rows(text(f"SELECT * FROM {name}")) for name in names]
        state.close()
        return repr(found)


@pytest.fixture(params=["sqlite", "postgres"])
def product(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, tmp_path: Path
) -> Iterator[Product]:
    url = postgres_server.create_database()
    state_url = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "postgres":
        state_url = postgres_server.create_database()
    create_host_tables(url)
    users = f"(VALUES (uuid '{MARA}', 'mara'), (uuid '{NOOR}', 'noor')) AS u(id, name)"
    at = "timestamp '2026-10-05 12:00' + n * interval '1 hour'"
    execute(
        url,
        "INSERT INTO users (id, email, name, created_at, updated_at)"
        f" SELECT id, name || '@example.com', name, '2026-01-01', '2026-01-01' FROM {users}",
        "INSERT INTO renders (id, user_id, type, status, credits_cost, platform, created_at,"
        f" updated_at) SELECT gen_random_uuid(), u.id, 'image', 'completed', 2, 'render', {at},"
        f" {at} FROM {users}, generate_series(1, 20) AS n",
        "INSERT INTO credit_transactions (id, user_id, amount, type, created_at)"
        f" SELECT gen_random_uuid(), u.id, 7, 'earned', {at}"
        f" FROM {users}, generate_series(1, 3) AS n",
        "INSERT INTO file_storage (id, user_id, file_name, mime_type, size, created_at,"
        " updated_at) SELECT gen_random_uuid(), u.id, 'a.png', 'image/png', 9, '2026-10-05',"
        f" '2026-10-05' FROM {users}",
        "INSERT INTO usage_tracking (id, user_id, date, api_calls, created_at)"
        f" SELECT gen_random_uuid(), u.id, '2026-10-05', 3, '2026-10-05' FROM {users}",
    )
    state, host = Database(state_url, create=True), Database(url, read_only=True)
    schema.upgrade(state, STATE)
    StateRepository(state).source_number(host, NOW)
    state.close()
    host.close()
    made = Product(url, state_url)
    made.refresh()
    assert MARA in made.kept()
    yield made
    postgres_server.drop_database(url)


def page(workspace: Workspace, scope: Any) -> Any:
    return workspace.get_analytics_data(scope).current.to_dict()


def test_no_scope_shows_them_and_others_are_as_before(product: Product) -> None:
    with product.open() as workspace:
        noor, both = page(workspace, "noor@example.com"), page(workspace, Scope.everyone())
    assert product.forget()["followed_cells"] > 0
    with product.open() as workspace:
        assert page(workspace, "noor@example.com") == noor
        left = page(workspace, Scope.everyone())
        assert left["renders"]["total"] * 2 == both["renders"]["total"]
        assert left["credits"]["balance"] * 2 == both["credits"]["balance"]
        assert left["api"]["total_calls"] * 2 == both["api"]["total_calls"]
        assert page(workspace, Scope.team([MARA, NOOR])) == {**left, "range": left["range"]}
        for name in (MARA, "mara@example.com", MARA.upper()):
            with pytest.raises(UnknownUser):
                workspace.get_analytics_data(name)
        nobody = page(workspace, Scope.team([MARA, MARA.upper()]))
        assert nobody["renders"]["total"] == 0
        files = StoredObjectComparison(workspace.database, workspace._catalog)
        owners = [one.user_id for one in files.differences([], NOW, by_user=True)]
        assert owners == [NOOR]


def test_a_workspace_that_is_open_notices(product: Product) -> None:
    with product.open() as workspace:
        before = page(workspace, Scope.everyone())
        product.forget()
        assert page(workspace, Scope.everyone())["renders"]["total"] == 20
        assert before["renders"]["total"] == 40


def test_rollups_do_not_follow_them_any_more(product: Product) -> None:
    product.forget()
    assert MARA not in product.kept()
    execute(product.url, "UPDATE renders SET status = 'failed', updated_at = '2026-11-10 12:00'")
    product.refresh()
    assert MARA not in product.kept()
    assert NOOR in product.kept()
    with product.open() as workspace:
        assert list(workspace.verify_rollups()) == []


def test_rows_whose_user_the_product_has_deleted_do_not_come_back(product: Product) -> None:
    product.forget()
    execute(product.url, f"DELETE FROM users WHERE id = '{MARA}'")
    with product.open() as workspace:
        assert page(workspace, Scope.everyone())["renders"]["total"] == 20


def test_what_the_product_still_has_is_named(product: Product) -> None:
    product.forget()
    with product.open() as workspace:
        who = workspace.find_person("mara@example.com")
        assert who.forgotten_at == NOW
        left = workspace.left_at_host(who)
    assert {name: rows for name, rows in left.items() if rows} == {
        "users": 1,
        "renders": 20,
        "credit_transactions": 3,
        "file_storage": 1,
        "usage_tracking": 1,
    }


def test_forgetting_again_works_after_the_product_has_deleted_them(product: Product) -> None:
    product.forget()
    execute(product.url, f"DELETE FROM users WHERE id = '{MARA}'")
    for name in (MARA.upper(), "mara@example.com"):
        assert sum(product.forget(name).values()) == 0
    with product.open() as workspace:
        assert workspace.forgotten() == 1


def test_a_product_of_which_nothing_is_kept_cannot_be_told_to_forget(product: Product) -> None:
    settings = Settings.read(database_url=product.url, profile="renderiq")
    with Workspace(settings, Scope.everyone()) as workspace, pytest.raises(NothingKept):
        workspace.find_person("mara@example.com")


def test_where_nobody_was_forgotten_no_row_is_looked_at(product: Product) -> None:
    host, state = Database(product.url, read_only=True), Database(product.state_url)
    number = StateRepository(state).find_source(host)
    assert number is not None
    kept = Kept.apart(state, number)
    catalog = host_catalog(host, read_profile("renderiq"), Tombstones(kept.database, number, host))
    plan = explained(host, catalog.files)
    assert "sha256" not in plan
    product.forget()
    plan = explained(host, catalog.files)
    assert "sha256" in plan
    host.close()
    state.close()


def explained(host: Database, selectable: Any) -> str:
    """How PostgreSQL would count all of it."""
    with host.read() as connection:
        counted = select(func.count()).select_from(selectable)
        compiled = counted.compile(dialect=connection.dialect)
        plan = connection.exec_driver_sql(
            f"EXPLAIN VERBOSE {compiled}", compiled.construct_params()
        )
        return "\n".join(row[0] for row in plan)
