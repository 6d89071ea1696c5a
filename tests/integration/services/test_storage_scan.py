"""A scan tells exactly what a bucket and the files table do not agree on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core import Scope, Settings, Workspace
from analytics_core.errors import ScopeError
from analytics_core.model.storage import Heap, OwnerDifference
from tests.support import rows
from tests.support.command import analytics
from tests.support.host import create_host_tables
from tests.support.rows import execute, insert

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
EARLIER, SINCE = NOW - timedelta(days=1), NOW + timedelta(seconds=1)
PATTERN = "{user_id}/{file_id}"
USERS = [rows.user("mara"), rows.user("noor")]

Objects = dict[str, int]


@contextmanager
def bucket(objects: Objects) -> Iterator[str]:
    """The URL of a bucket in memory with objects of these sizes."""
    memory = fsspec.filesystem("memory")
    name = f"/{uuid4().hex}"
    memory.makedirs(name)
    for path, size in objects.items():
        memory.pipe_file(f"{name}/{path}", b"x" * size)
    yield f"memory:/{name}"
    memory.rm(name, recursive=True)


def scanned(url: str, objects: Objects, pattern: str = PATTERN) -> Any:
    settings = Settings.read(database_url=url)
    with (
        bucket(objects) as address,
        Workspace(settings, Scope.everyone(), clock=lambda: NOW) as workspace,
    ):
        return workspace.scan_storage(address, pattern)


def file(id_: str, size: int, **changes: Any) -> rows.Row:
    return rows.file(changes.pop("user", "mara"), changes.pop("at", EARLIER), id=id_, size=size,
                     **changes)  # fmt: skip


def test_what_is_as_recorded_is_no_difference(workspace_url: str) -> None:
    insert(workspace_url, [*USERS, file("a", 3), file("b", 0), file("c", 9, deleted_at=EARLIER)])
    found = scanned(workspace_url, {"mara/a": 3, "mara/b": 0})
    assert found.agrees
    assert found.looked_at == Heap(2, 3)


def test_every_kind_of_difference_is_told_per_user(workspace_url: str) -> None:
    files = [
        file("a", 3),
        file("b", 4),
        file("c", 5, deleted_at=EARLIER),
        file("d", 6, user="noor"),
    ]
    insert(workspace_url, [*USERS, *files])
    found = scanned(workspace_url, {"mara/a": 8, "mara/c": 5, "zoe/e": 7, "stray": 2})
    assert found.users == (
        OwnerDifference("mara", Heap(1, 5), Heap(1, 4), 1, 8, 3),
        OwnerDifference("noor", Heap(), Heap(1, 6)),
        OwnerDifference("zoe", Heap(1, 7), Heap()),
    )
    assert found.unplaced == Heap(1, 2)


def test_what_came_or_went_since_the_scan_began_is_not_missing(workspace_url: str) -> None:
    files = [file("a", 3, at=SINCE), file("b", 4, deleted_at=SINCE), file("c", 5, at=SINCE)]
    insert(workspace_url, [*USERS, *files])
    assert scanned(workspace_url, {"mara/b": 4, "mara/c": 5}).agrees


def test_several_objects_of_one_file_are_one_file(workspace_url: str) -> None:
    insert(workspace_url, [*USERS, file("a", 5)])
    found = scanned(workspace_url, {"mara/a-1": 2, "mara/a-2": 3}, "{user_id}/{file_id}-{name}")
    assert found.agrees


def test_without_a_user_in_the_path_the_table_says_whose_file_it_is(workspace_url: str) -> None:
    insert(workspace_url, [*USERS, file("a", 5), file("b", 1, user="noor")])
    found = scanned(workspace_url, {"a": 6, "c": 1}, "{file_id}")
    assert found.users == (
        OwnerDifference(None, Heap(1, 1), Heap()),
        OwnerDifference("mara", Heap(), Heap(), 1, 6, 5),
        OwnerDifference("noor", Heap(), Heap(1, 1)),
    )


def test_a_file_under_another_user_is_missing_for_one_and_too_much_for_the_other(
    workspace_url: str,
) -> None:
    insert(workspace_url, [*USERS, file("a", 5)])
    assert scanned(workspace_url, {"noor/a": 5}).users == (
        OwnerDifference("mara", Heap(), Heap(1, 5)),
        OwnerDifference("noor", Heap(1, 5), Heap()),
    )


_SIZES = st.dictionaries(
    st.tuples(st.sampled_from(["mara", "noor"]), st.sampled_from("abcdef")), st.integers(0, 9)
)
_ROWS = st.tuples(st.sampled_from(["mara", "noor"]), st.integers(0, 9), st.booleans())


@given(recorded=st.dictionaries(st.sampled_from("abcdef"), _ROWS), there=_SIZES)
def test_the_differences_are_those_of_a_comparison_by_hand(
    shared_url: str,
    recorded: dict[str, tuple[str, int, bool]],
    there: dict[tuple[str, str], int],
) -> None:
    files = [
        file(id_, size, user=user, deleted_at=EARLIER if gone else None)
        for id_, (user, size, gone) in recorded.items()
    ]
    insert(shared_url, [*USERS, *files], replace=True)
    found = scanned(shared_url, {f"{user}/{id_}": size for (user, id_), size in there.items()})
    table = {(user, id_): size for id_, (user, size, gone) in recorded.items() if not gone}
    expected = []
    for user in ("mara", "noor"):
        extra = [size for key, size in there.items() if key[0] == user and key not in table]
        lost = [size for key, size in table.items() if key[0] == user and key not in there]
        other = [
            (there[key], size)
            for key, size in table.items()
            if key[0] == user and key in there and there[key] != size
        ]
        if extra or lost or other:
            heaps = Heap(len(extra), sum(extra)), Heap(len(lost), sum(lost))
            sizes = sum(o for o, _ in other), sum(r for _, r in other)
            expected.append(OwnerDifference(user, *heaps, len(other), *sizes))
    assert list(found.users) == expected


def test_a_products_own_database_is_compared_and_not_written_to(postgres_url: str) -> None:
    create_host_tables(postgres_url)
    mara, one = (f"{n}1111111-1111-4111-8111-111111111111" for n in "12")
    at = "timestamp '2026-10-05 12:00'"
    execute(
        postgres_url,
        f"INSERT INTO users (id, email, created_at, updated_at)"
        f" VALUES ('{mara}', 'mara@example.com', {at}, {at})",
        f"INSERT INTO file_storage (id, user_id, mime_type, size, created_at, updated_at)"
        f" VALUES ('{one}', '{mara}', 'image/png', 10, {at}, {at})",
    )
    settings = Settings.read(database_url=postgres_url, profile="renderiq")
    with (
        bucket({f"{mara}/{one}-villa.png": 11}) as address,
        Workspace(settings, Scope.everyone(), clock=lambda: NOW) as workspace,
    ):
        found = workspace.scan_storage(address, "{user_id}/{file_id}-{name}")
    assert found.users == (OwnerDifference(mara, Heap(), Heap(), 1, 11, 10),)


def test_only_who_may_see_everyone_may_scan(workspace_url: str) -> None:
    settings = Settings.read(database_url=workspace_url)
    with Workspace.open(settings, Scope.user("mara")) as workspace, pytest.raises(ScopeError):
        workspace.scan_storage("memory://x", PATTERN)


def test_a_folder_that_may_not_be_read_is_no_empty_folder(
    make_database: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "files" / "mara"
    folder.mkdir(parents=True)
    folder.chmod(0)
    done = analytics(
        *("storage", "scan", f"file://{folder.parent}"),
        database_url=make_database("sqlite"),
        bound_by_permissions=True,
    )
    folder.chmod(0o700)
    assert done.returncode == 2
    assert done.stderr.endswith("cannot be read whole: Permission denied\n")


def test_the_command_prints_differences_for_programs_and_says_so_by_its_exit_code(
    make_database: Any, tmp_path: Path
) -> None:
    url = make_database("sqlite")
    insert(url, [*USERS, file("a", 3)])
    (tmp_path / "mara").mkdir()
    (tmp_path / "mara" / "a-villa.png").write_bytes(b"123")
    arguments = ("storage", "scan", f"file://{tmp_path}", "--format", "json")
    assert analytics(*arguments, database_url=url).returncode == 0
    os.truncate(tmp_path / "mara" / "a-villa.png", 2)
    done = analytics(*arguments, database_url=url)
    assert done.returncode == 1
    [user] = json.loads(done.stdout)["users"]
    assert user["user_id"] == "mara"
    assert user["other_size"] == {"files": 1, "bucket_bytes": 2, "table_bytes": 3}
