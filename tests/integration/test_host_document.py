"""What docs/host-database.md tells the owner of a product's database to do is enough."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from analytics_core import Scope, Settings, Workspace
from tests.support.host import connect, create_host_tables
from tests.support.postgres import PostgresServer
from tests.support.reference import ROOT


@pytest.fixture
def reader_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A host's database, as the role that the document has its owner make."""
    page = (ROOT / "docs" / "host-database.md").read_text(encoding="utf-8")
    [statements, *_] = re.findall(r"```sql\n(CREATE ROLE.*?)```", page, re.DOTALL)
    url = postgres_server.create_database()
    create_host_tables(url)
    # Roles belong to the server, which other tests use as well.
    role = f"reader_of_{postgres_server.name_of(url)}"
    with connect(url) as owner:
        for ours, name in {"product": postgres_server.name_of(url), "reader": role}.items():
            statements = re.sub(rf"\b{ours}\b", name, statements)
        owner.execute(statements)
    yield url.replace("//postgres@", f"//{role}:secret@")
    postgres_server.drop_database(url)


def test_the_documented_role_may_read_all_that_a_page_needs(reader_url: str) -> None:
    settings = Settings.read(database_url=reader_url, profile="renderiq")
    with Workspace.open(settings, Scope.everyone()) as workspace:
        assert not workspace.database.may_write()
        assert workspace.get_analytics_data().current.renders.total == 0
