"""The scripts of the page: put together and compressed once, named by what is in them.

The page needs bqplot, ipywidgets' base classes and Lumino, which come with Voila's bundle and with
extensions for JupyterLab in some thirty files. Here they become one; the rest of that bundle (an
editor, a notebook, themes, formulas: four of its five megabytes) is never asked for. Files that a
newer version has under other names are not lost: webpack then fetches them one by one from where
Voila serves them.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tornado.web import HTTPError
from voila.utils import get_voila_labextensions_path

from analytics_core.serving.refusing import Designed

log = logging.getLogger(__name__)

# Below wherever the page is: it may be reached through a proxy that adds a prefix.
ROOT = "usage/"
_YEAR = "public, max-age=31536000, immutable"
# Chunks by where they come from. Those of Voila: @lumino/widgets and what it stands on.
_VOILA_CHUNKS = (
    3311, 5764, 8135, 3992, 7556, 4135, 6573, 1621, 3916, 3649, 8487,
)  # fmt: skip
_EXTENSION_CHUNKS: Mapping[str, tuple[int, ...]] = {
    "@jupyter-widgets/jupyterlab-manager": (7, 704, 170),
    "bqscales": (801, 830, 765, 394, 884, 695, 779),
    "bqplot": (815, 662, 501, 830, 981, 87, 568, 147, 467),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes over the wire."""

    media_type: str
    plain: bytes
    zipped: bytes


class Assets:
    """The page's own files, each under an address that changes with its content."""

    def __init__(self, scripts: Path, parts: Path, static_paths: Iterable[str]) -> None:
        """`scripts` holds `host.js` and `live.js`, `parts` a module for each part of the page."""
        self._files: dict[str, Asset] = {}
        extensions = _extensions()
        chunks = [
            *(_one(map(Path, static_paths), f"{number}.voila.js") for number in _VOILA_CHUNKS),
            *(
                _one([extensions[name] / "static"], f"{number}.*js")
                for name, numbers in _EXTENSION_CHUNKS.items()
                if name in extensions
                for number in numbers
            ),
        ]
        bundle = [scripts / "host.js", _one(map(Path, static_paths), "voila.js"), *chunks]
        code = b"\n;".join(path.read_bytes() for path in bundle if path is not None)
        bundled = self._keep("bundle.js", code)
        self.live = self._keep("live.js", (scripts / "live.js").read_bytes())
        modules = {path.name: path.read_bytes() for path in sorted(parts.glob("*.js"))}
        # In one folder named by all of them: kernels are told the folder.
        self.parts = f"{ROOT}{_digest(b''.join(modules.values()))}/"
        self.modules = [self._keep(name, code, self.parts) for name, code in modules.items()]
        self.containers = [
            address
            for name in _EXTENSION_CHUNKS
            if name in extensions
            for address in self._container(name, extensions[name])
        ]
        # In the order in which they are to run.
        self.libraries = [bundled, *self.containers]

    def get(self, address: str) -> Asset | None:
        return self._files.get(address)

    def _container(self, name: str, folder: Path) -> Iterable[str]:
        # webpack finds the other files of an extension beside this one: it keeps its address.
        for path in sorted((folder / "static").glob("remoteEntry.*.js"))[:1]:
            yield self._keep(path.name, path.read_bytes(), f"voila/labextensions/{name}/static/")

    def _keep(self, name: str, code: bytes, folder: str | None = None) -> str:
        address = f"{folder or f'{ROOT}{_digest(code)}/'}{name}"
        # Without a time stamp: the same file is the same bytes.
        self._files[address] = Asset(
            "text/javascript; charset=utf-8", code, gzip.compress(code, 6, mtime=0)
        )
        return address


class AssetHandler(Designed):
    """Serves from memory; a browser that has a file never asks for it again."""

    def initialize(self, assets: Assets) -> None:
        self._assets = assets

    def get(self) -> None:
        asset = self._assets.get(self.request.path.removeprefix("/"))
        if asset is None:
            raise HTTPError(404)
        self.set_header("Content-Type", asset.media_type)
        self.set_header("Cache-Control", _YEAR)
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(asset.zipped)
        else:
            self.finish(asset.plain)

    head = get


def _extensions() -> dict[str, Path]:
    """The folders of the extensions that the page needs; the first on Jupyter's path counts."""
    found: dict[str, Path] = {}
    for name in _EXTENSION_CHUNKS:
        for folder in get_voila_labextensions_path():
            if (Path(folder) / name / "static").is_dir():
                found[name] = Path(folder) / name
                break
    return found


def _one(folders: Iterable[Path], pattern: str) -> Path | None:
    for folder in folders:
        for path in sorted(folder.glob(pattern)):
            return path
    log.warning("no file %s: pages fetch what they need in more requests", pattern)
    return None


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=10).hexdigest()
