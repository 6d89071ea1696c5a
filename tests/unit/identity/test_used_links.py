"""A link is good once: for several servers of a machine, after restarts, and under load."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from analytics_core.errors import SettingsError
from analytics_core.identity.used_links import UsedLinks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "used-links"


def test_a_link_is_used_once(path: Path) -> None:
    used, soon = UsedLinks(path), time.time() + 60
    assert [used.use("a", soon), used.use("a", soon), used.use("b", soon)] == [True, False, True]


def test_another_server_knows_it_too(path: Path) -> None:
    assert UsedLinks(path).use("a", time.time() + 60)
    assert not UsedLinks(path).use("a", time.time() + 60)


def test_of_many_at_once_one_comes_in(path: Path) -> None:
    servers, soon = [UsedLinks(path) for _ in range(4)], time.time() + 60
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda n: servers[n % 4].use("a", soon), range(64)))
    assert answers.count(True) == 1


def test_whoever_mints_links_cannot_write_lines_of_the_file(path: Path) -> None:
    used = UsedLinks(path)
    assert used.use("a 9\nb 9\n", time.time() + 60)
    assert used.use("b", time.time() + 60)


def test_a_line_that_was_cut_short_does_not_swallow_the_next(path: Path) -> None:
    used = UsedLinks(path)
    path.write_text("0123456789abcdef 17")
    assert used.use("a", time.time() + 60)
    assert not used.use("a", time.time() + 60)


def test_what_has_expired_is_forgotten_and_the_rest_is_not(path: Path) -> None:
    used = UsedLinks(path)
    assert used.use("kept", time.time() + 60)
    path.write_text(path.read_text() + "0" * 32 + " 1000\n" * 1 + ("f" * 32 + " 1000\n") * 4_000)
    assert used.use("next", time.time() + 60)
    assert path.stat().st_size < 1_000
    assert not used.use("kept", time.time() + 60)
    assert not used.use("next", time.time() + 60)


def test_where_nothing_can_be_remembered_nothing_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="USED_LINKS"):
        UsedLinks(tmp_path / "file" / "used-links")
