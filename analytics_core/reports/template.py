"""Where report templates and guides are, and what a template must have to be run."""

from __future__ import annotations

import json
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from analytics_core.errors import SettingsError, TemplateError
from analytics_core.settings import Settings

_SHARED = Path("share", "usage-analytics-workspace", "notebooks")


def notebooks_folder(settings: Settings) -> Path:
    """The folder that holds `reports` and `guides`; raises `SettingsError` where there is none."""
    if settings.notebooks is not None:
        if not settings.notebooks.is_dir():
            raise SettingsError("ANALYTICS_NOTEBOOKS", f"{settings.notebooks} is not a folder")
        return settings.notebooks.resolve()
    beside_the_package = Path(__file__).resolve().parents[2] / "notebooks"
    installed = [
        Path(sysconfig.get_path("data", scheme)) / _SHARED
        for scheme in (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    ]
    for folder in (beside_the_package, *installed):
        if (folder / "reports").is_dir():
            return folder
    raise SettingsError("ANALYTICS_NOTEBOOKS", "the notebooks are not installed here")


@dataclass(frozen=True, slots=True)
class Template:
    """A notebook that reports are made from, as it was when it was read."""

    name: str
    path: Path
    notebook: Any

    @classmethod
    def find(cls, name_or_path: str, settings: Settings) -> Template:
        """A template that ships, by name, or any notebook, by path; raises `TemplateError`."""
        if name_or_path.endswith(".ipynb") or Path(name_or_path).name != name_or_path:
            path = Path(name_or_path).resolve()
        else:
            path = notebooks_folder(settings) / "reports" / f"{name_or_path}.ipynb"
        try:
            text = path.read_text(encoding="utf-8")
            content = json.loads(text)
        except FileNotFoundError:
            raise TemplateError(name_or_path, f"there is no {path}") from None
        except OSError as refused:
            raise TemplateError(name_or_path, refused.strerror or str(refused)) from refused
        except ValueError as broken:
            raise TemplateError(name_or_path, "it is not a notebook") from broken
        if not isinstance(content, dict) or content.get("nbformat") != 4:
            raise TemplateError(name_or_path, "it is not a notebook of format 4")
        try:
            # Reading alone only logs what is wrong.
            nbformat.validate(content)
        except nbformat.ValidationError as broken:
            raise TemplateError(name_or_path, "it is not a valid notebook") from broken
        notebook = nbformat.reads(text, as_version=4)
        return cls(path.stem, path, notebook)

    def heading_above(self, cell: int) -> str | None:
        """The last Markdown heading before a cell of the template, counted from 0."""
        for above in reversed(self.notebook.cells[:cell]):
            if above.cell_type == "markdown":
                for line in reversed(above.source.splitlines()):
                    if line.startswith("#"):
                        return str(line.lstrip("#").strip())
        return None
