"""Files that people asked for: whole or not there at all, and never replaced by surprise."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from analytics_core.errors import OutputError


def refuse_to_replace(path: Path) -> None:
    """Raise `OutputError` where there is something at `path` already."""
    if path.exists():
        raise OutputError(path, "it is there already (--force replaces it)")


def write_file(path: Path, content: bytes) -> None:
    """Write a whole file at once: readers see the old one or the new one; raises `OutputError`."""
    with writing(path) as file:
        file.write(content)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file that is at `path` when the block is over, and not there at all where it fails.

    Raises `OutputError`.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        # A rename would put a plain file in the place of a folder or, for root, of a device.
        raise OutputError(path, "it is not a file")
    # In the same folder, because a rename is only atomic within one file system.
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as refused:
        raise OutputError(path, refused.strerror or str(refused)) from refused


def make_folder(path: Path) -> None:
    """Make a folder to write into, and its parents, where missing; raises `OutputError`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise OutputError(path, refused.strerror or str(refused)) from refused
