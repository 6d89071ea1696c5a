"""Workspace databases that are migrated already: copies of one, which is quicker than migrating."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from tests.support.postgres import PostgresServer

MakeDatabase = Callable[[str], str]


@pytest.fixture(scope="session")
def make_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> MakeDatabase:
    """Makes a workspace database without rows, of the kind "sqlite" or "postgres"; its URL.

    None is removed before the others are: the folder and the server go as a whole.
    """
    folder = tmp_path_factory.mktemp("workspaces")
    templates: dict[str, str] = {}
    numbers = itertools.count(1)

    def template(kind: str) -> str:
        if kind not in templates:
            url = f"sqlite:///{folder / 'template.db'}"
            if kind == "postgres":
                url = request.getfixturevalue("postgres_server").create_database()
            database = Database(url, create=True)
            schema.upgrade(database)
            database.close()
            templates[kind] = url
        return templates[kind]

    def make(kind: str) -> str:
        original = template(kind)
        if kind == "postgres":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            return server.create_database(server.name_of(original))
        copy = folder / f"{next(numbers)}.db"
        shutil.copy(Path(original.removeprefix("sqlite:///")), copy)
        return f"sqlite:///{copy}"

    return make


@pytest.fixture(params=["sqlite", "postgres"])
def workspace_url(request: pytest.FixtureRequest, make_database: MakeDatabase) -> str:
    """The URL of a workspace database without rows, once of each kind."""
    return make_database(request.param)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_url(request: pytest.FixtureRequest, make_database: MakeDatabase) -> str:
    """One such database for a module whose tests put in all that they ask for anew."""
    return make_database(request.param)
