"""Whose file an object is, by its path, and addresses that keep their secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analytics_core.dal.stored_objects import StoredObject
from analytics_core.errors import StorageError
from analytics_core.services.storage_scan import DEFAULT_PATTERN, PathPattern, entries, label

A_UUID = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    ("pattern", "path", "user_id", "file_id"),
    [
        (DEFAULT_PATTERN, "mara/f7-villa.png", "mara", "f7"),
        (DEFAULT_PATTERN, "mara/f7-villa-at-night/final.png", "mara", "f7"),
        (DEFAULT_PATTERN, f"mara/{A_UUID}-villa.png", "mara", A_UUID),
        ("{user_id}/{file_id}", "mara/f7-villa.png", "mara", "f7-villa.png"),
        ("u/{user_id}/x{file_id}.{name}", "u/mara/xf7.tar.gz", "mara", "f7"),
        ("{file_id}", "f7", None, "f7"),
        ("{user_id}/{file_id}.*", "mara/f7.*", "mara", "f7"),
    ],
)
def test_a_path_says_whose_file_it_is(pattern, path, user_id, file_id):
    assert PathPattern.read(pattern).place(path, 3) == StoredObject(user_id, file_id, 3)


@pytest.mark.parametrize(
    "path", ["villa.png", "mara/villa", "a/b/f7-villa.png", "/f7-villa.png", "mara/-villa.png"]
)
def test_what_does_not_fit_is_nobodys(path):
    assert PathPattern.read(DEFAULT_PATTERN).place(path, 3) is None


@pytest.mark.parametrize(
    "pattern", ["", "{user_id}/{name}", "{file_id}/{file_id}", "{owner}/{file_id}", "{}{file_id}"]
)
def test_a_pattern_that_finds_no_file_is_refused(pattern):
    with pytest.raises(StorageError):
        PathPattern.read(pattern)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://key:secret@bucket/folder", "s3://bucket/folder"),
        ("s3://key:se/cr@et@bucket/folder", "s3://bucket/folder"),
        ("sftp://host/folder?password=secret", "sftp://host/folder"),
        ("zip://inner::s3://key:secret@bucket/a.zip", "zip://inner::s3://bucket/a.zip"),
        ("s3:/key:secret@bucket", "bucket"),
        ("file:///var/files", "file:///var/files"),
    ],
)
def test_an_address_is_told_without_its_secrets(url, told):
    assert label(url) == told


@pytest.mark.parametrize(
    "url",
    [
        *("nowhere", "file:///nowhere", "memory://nowhere", "zork://key:secret@host/x", "::", ""),
        *("s3://key:secret@bucket", "sftp://key:secret@127.0.0.1:1/x"),
    ],
)
def test_what_cannot_be_listed_is_refused_without_a_secret(url):
    with pytest.raises(StorageError) as refused:
        list(entries(url))
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert "\n" not in str(refused.value)


def test_a_folder_is_listed_below_its_links(tmp_path: Path) -> None:
    (tmp_path / "files" / "mara").mkdir(parents=True)
    (tmp_path / "files" / "mara" / "one.png").write_bytes(b"123")
    (tmp_path / "files" / "two.png").write_bytes(b"1")
    os.symlink(tmp_path / "files", tmp_path / "files" / "mara" / "around")
    os.symlink(tmp_path / "gone", tmp_path / "files" / "dangling")
    found = sorted(entries(f"file://{tmp_path / 'files'}"))
    assert found == [("mara/one.png", 3), ("two.png", 1)]
