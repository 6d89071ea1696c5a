"""Listing a bucket or folder through fsspec, and whose file each object is by its path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from analytics_core.dal.stored_objects import StoredObject, StoredObjectComparison
from analytics_core.errors import StorageError
from analytics_core.model.storage import Heap, StorageScan

DEFAULT_PATTERN = "{user_id}/{file_id}-{name}"

# A whole uuid where there is one, so that the hyphens in it end nothing; else as little as fits.
_PART = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[^/]+?"
_PLACES = {"user_id": f"(?P<user_id>{_PART})", "file_id": f"(?P<file_id>{_PART})", "name": ".+"}

Entry: TypeAlias = tuple[str, int]


@dataclass(frozen=True)
class PathPattern:
    """Where in an object's path its file's id stands, and its user's if it does."""

    text: str
    expression: re.Pattern[str]

    @classmethod
    def read(cls, text: str) -> PathPattern:
        """Read a pattern such as `{user_id}/{file_id}-{name}`; raises `StorageError`."""
        parts = re.split(r"\{([^{}]*)\}", text)
        places = parts[1::2]
        for place in places:
            if place not in _PLACES:
                raise StorageError(f"pattern {text!r}: {{{place}}} is none of {', '.join(_PLACES)}")
        if places.count("file_id") != 1 or places.count("user_id") > 1:
            raise StorageError(f"pattern {text!r}: {{file_id}} goes in once, {{user_id}} at most")
        parts[1::2] = (_PLACES[place] for place in places)
        parts[::2] = (re.escape(between) for between in parts[::2])
        return cls(text, re.compile("".join(parts), re.DOTALL))

    @property
    def names_user(self) -> bool:
        return "user_id" in self.expression.groupindex

    def place(self, path: str, size: int) -> StoredObject | None:
        """The object at a path below the scanned folder; None where it does not fit."""
        found = self.expression.fullmatch(path)
        if found is None:
            return None
        named = found.groupdict()
        return StoredObject(named.get("user_id"), named["file_id"], size)


def scan(
    comparison: StoredObjectComparison, url: str, pattern: PathPattern, began: datetime
) -> StorageScan:
    """Compare every object below `url` with the files table; raises `StorageError`."""
    tally = _Tally()
    objects = tally.counting(entries(url), pattern)
    users = tuple(comparison.differences(objects, began, by_user=pattern.names_user))
    return StorageScan(Heap(*tally.looked_at), Heap(*tally.unplaced), users)


class _Tally:
    """Counts what flows past, so that nothing has to be kept for it."""

    def __init__(self) -> None:
        self.looked_at, self.unplaced = [0, 0], [0, 0]

    def counting(self, found: Iterator[Entry], pattern: PathPattern) -> Iterator[StoredObject]:
        for path, size in found:
            stored = pattern.place(path, size)
            for heap in (self.looked_at, *([] if stored else [self.unplaced])):
                heap[0] += 1
                heap[1] += size
            if stored:
                yield stored


def label(url: str) -> str:
    """An address for people: without user, password and query, where secrets are."""
    links = []
    for link in url.split("::"):
        scheme, separator, rest = link.rpartition("://")
        # All up to the last @: who writes a password there may have forgotten to quote it.
        links.append(scheme + separator + re.split(r"[?#]", rest.rpartition("@")[2])[0])
    return "::".join(links)


def entries(url: str) -> Iterator[Entry]:
    """The path and size of every object below a URL, folder by folder.

    Holds no more than one folder's listing, and none of a local one. Symbolic links to folders are
    not followed. Raises `StorageError` for a URL that cannot be read, in part or at all.
    """
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem
    from fsspec.registry import known_implementations

    if not url:
        raise StorageError("an empty address is no bucket and no folder")
    # What a library says may repeat the URL, and with it a secret: its words are not handed on.
    try:
        files, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    except ImportError:
        known = known_implementations.get(url.partition("://")[0], {})
        advice = known.get("err", "a package for it is not installed")
        raise StorageError(f"{label(url)} cannot be opened: {advice}") from None
    except Exception:
        raise StorageError(f"{label(url)} is no address that fsspec can open") from None
    try:
        if not files.isdir(root):
            raise StorageError(f"{label(url)} is no folder, or it is not yours to read")
        listing = _local if isinstance(files, LocalFileSystem) else _remote
        yield from listing(files, root.rstrip("/"))
    except OSError as refused:
        problem = os.strerror(refused.errno) if refused.errno else type(refused).__name__
        raise StorageError(f"{label(url)} cannot be read whole: {problem}") from None
    except StorageError:
        raise
    except Exception as problem:
        raise StorageError(
            f"{label(url)} cannot be read whole ({type(problem).__name__})"
        ) from None


def _local(_files: Any, root: str) -> Iterator[Entry]:
    folders = [root or "/"]
    while folders:
        with os.scandir(folders.pop()) as found:
            for one in found:
                if one.is_dir(follow_symlinks=False):
                    folders.append(one.path)
                elif one.is_file():
                    yield one.path[len(root) + 1 :], one.stat().st_size


def _remote(files: Any, root: str) -> Iterator[Entry]:
    folders = [root]
    while folders:
        folder = folders.pop()
        for one in files.ls(folder, detail=True):
            name = one["name"].rstrip("/")
            if one["type"] == "directory":
                # Some stores list a folder within itself.
                if name != folder.rstrip("/"):
                    folders.append(name)
            elif name != folder.rstrip("/"):
                yield name[len(root) :].lstrip("/"), int(one["size"] or 0)
