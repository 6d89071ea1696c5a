"""Keys are long, have an id each, and are never told."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_core.errors import OutputError, SettingsError
from analytics_core.identity.keys import Keys, add_secret
from analytics_core.settings import Settings

LONG = "x" * 32


def keys_of(text: str) -> Keys | None:
    return Keys.of(Settings.read(token_keys=text))


def test_the_first_secret_signs_and_all_are_believed() -> None:
    keys = keys_of(f"new={LONG}1 old={LONG}2")
    assert keys is not None
    assert keys.signing == ("new", f"{LONG}1".encode())
    assert keys.get_or_none("old") is not None
    assert keys.get_or_none("other") is None


def test_without_any_there_are_none() -> None:
    assert keys_of("  \n") is None
    assert Keys.of(Settings.read()) is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"a={LONG} a={LONG}", "same id"),
        (f"a={LONG[1:]}", "fewer than 32"),
        (LONG, "id=secret"),
        (f"={LONG}", "id=secret"),
        ("a=ed25519:AAAA", "no Ed25519"),
        ("a=ed25519:" + "A" * 43, "secret is needed"),
    ],
)
def test_bad_keys_are_one_line_without_the_key(text: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word) as refused:
        keys_of(text)
    assert LONG[1:] not in str(refused.value)


def test_a_key_does_not_show_itself() -> None:
    keys = keys_of(f"a={LONG}")
    assert keys is not None
    assert LONG not in repr(keys.get_or_none("a"))


def test_what_is_derived_opens_nothing_else() -> None:
    keys = keys_of(f"a={LONG}")
    assert keys is not None
    assert len({keys.signing, keys.derived("b").signing, keys.derived("c").signing}) == 3


def test_a_new_key_stands_first_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    add_secret(file, "first")
    add_secret(file, "second")
    assert file.stat().st_mode & 0o777 == 0o600
    keys = Keys.of(Settings.read(token_keys_file=str(file)))
    assert keys is not None
    assert keys.signing[0] == "second"
    assert keys.get_or_none("first") is not None
    with pytest.raises(SettingsError, match="already"):
        add_secret(file, "first")
    with pytest.raises(OutputError):
        add_secret(tmp_path / "nowhere" / "keys", "first")
