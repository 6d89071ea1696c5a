"""One server for many visitors, whom all tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.serving import Server, start_for_many


@pytest.fixture(scope="module")
def server(people_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_for_many(people_url, tmp_path_factory.mktemp("server")) as running:
        yield running
