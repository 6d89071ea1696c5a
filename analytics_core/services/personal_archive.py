"""All that is held about a person as files that they, and programs, can read.

One JSON array for each table, an object a line, and `about.json`, which says what is in them. A
folder of them or one zip archive; rows are written as they come, however many they are.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec

from analytics_core.errors import OutputError
from analytics_core.model.user import User
from analytics_core.output import make_folder, writing

_NOTES = (
    "Each file is named after a table and is a JSON array with an object for each row.",
    "Instants are UTC.",
    "The columns in `left_out` are secrets that nobody is shown.",
    "Of a product's own database this is what its profile reads; ask its owner for the rest.",
)


@dataclass(frozen=True)
class Content:
    """The rows of one table, read once, and which of its columns are left out."""

    name: str
    rows: Iterator[dict[str, Any]]
    left_out: tuple[str, ...] = ()


class _Files(Protocol):
    def open(self, name: str) -> Any: ...


def write_archive(
    path: Path, user: User, database: str, now: datetime, contents: Iterable[Content]
) -> dict[str, int]:
    """Write all of it to `path`, a zip archive where its name says so, else a folder.

    Returns the number of rows of each table. Raises `OutputError`; files that are there are
    replaced when all is written.
    """
    counts: dict[str, int] = {}
    left_out: dict[str, tuple[str, ...]] = {}
    with _files_at(path) as files:
        for content in contents:
            with files.open(f"{content.name}.json") as file:
                counts[content.name] = _write_rows(file, content.rows)
            if content.left_out:
                left_out[content.name] = content.left_out
        about = {
            "person": {"id": user.id, "email": user.email, "name": user.name},
            "database": database,
            "written_at": now,
            "rows": counts,
            "left_out": left_out,
            "notes": _NOTES,
        }
        with files.open("about.json") as file:
            file.write(msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
    return counts


def _write_rows(file: IO[bytes], rows: Iterator[dict[str, Any]]) -> int:
    encode = msgspec.json.Encoder().encode
    count = 0
    for row in rows:
        file.write(b",\n" if count else b"[\n")
        file.write(encode(row))
        count += 1
    file.write(b"\n]\n" if count else b"[]\n")
    return count


@contextmanager
def _files_at(path: Path) -> Iterator[_Files]:
    if path.suffix.lower() == ".zip":
        with writing(path) as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
            yield _Zip(archive)
        return
    path = path.resolve()
    if path.exists() and not path.is_dir():
        raise OutputError(path, "it is a file; a folder is needed, or a name that ends in .zip")
    part = path.with_name(f".{path.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        make_folder(part)
        try:
            yield _Folder(part)
            # What else is in a folder that was there is none of ours.
            make_folder(path)
            for written in sorted(part.iterdir()):
                written.replace(path / written.name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as refused:
        raise OutputError(path, refused.strerror or str(refused)) from refused


@dataclass(frozen=True)
class _Zip:
    archive: zipfile.ZipFile

    def open(self, name: str) -> Any:
        return self.archive.open(name, "w", force_zip64=True)


@dataclass(frozen=True)
class _Folder:
    folder: Path

    def open(self, name: str) -> Any:
        return (self.folder / name).open("wb")
