"""A studio's dashboard, for the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import studio
from tests.support.serving import Server, start, studio_in


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return studio_in(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start(url, studio.MARA, tmp_path_factory.mktemp("server")) as server:
        yield server
