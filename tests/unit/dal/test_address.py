"""Where a database is, told without ever telling a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_core.dal.database import Database
from analytics_core.errors import DatabaseUnavailable, SettingsError


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("postgresql://mara@db/product", "postgresql+psycopg://mara@db/product"),
        ("postgresql://mara:hush@db/product", "postgresql+psycopg://mara:***@db/product"),
        ("postgres://mara:hush@db/product", "postgresql+psycopg://mara:***@db/product"),
        ("postgresql+psycopg2://mara:hush@db/product", "postgresql+psycopg://mara:***@db/product"),
        ("postgresql://mara:h%40ush@db:6432/p", "postgresql+psycopg://mara:***@db:6432/p"),
        # Azure's user names.
        ("postgresql://mara@srv:hush@db/p", "postgresql+psycopg://mara%40srv:***@db/p"),
        ("postgresql://db/p?user=mara&password=hush", "postgresql+psycopg://db/p?user=mara"),
        ("postgresql://db/p?sslpassword=hush", "postgresql+psycopg://db/p"),
    ],
)  # fmt: skip
def test_an_address_is_told_without_its_password(url: str, label: str) -> None:
    assert Database(url).label == label


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://mara:hu@sh@db/product",
        "postgresql://mara:hu@sh/hush@db/product",
        "postgresql://mara:hu@sh:hush@db/product",
        "postgresql://mara:hush@db:port/product",
        "postgresql://mara:hush@[::1/product",
        "hush",
        "",
        " ",
        "mysql://mara:hush@db/product",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Database(url)
    assert "database URL" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_the_file_of_a_database_is_known_however_it_is_written(tmp_path: Path) -> None:
    assert Database("sqlite:///here.db").path == tmp_path / "here.db"
    assert Database("postgresql://db/product").path is None


def test_a_database_is_not_looked_for_before_it_is_asked() -> None:
    database = Database("sqlite:///nowhere/at/all.db")
    with pytest.raises(DatabaseUnavailable, match="there is no such file"), database.read():
        pytest.fail("there is nothing to read")
