"""One server for many visitors, whom all tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import visitors
from tests.support.serving import Server, start_for_many


@pytest.fixture(scope="session")
def people_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with two users who have something."""
    return visitors.people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def server(people_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_for_many(people_url, tmp_path_factory.mktemp("server"))
    yield running
    running.stop()
