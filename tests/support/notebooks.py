"""Report templates to test with, made of cells."""

from __future__ import annotations

from pathlib import Path

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analytics_core.reports.template import Template

PARAMETERS = 'user: str = ""\nperiod: str = "30d"'


def template(*cells: str, parameters: str = PARAMETERS, name: str = "sample") -> Template:
    """A template with a parameters cell and these; a cell that starts with `#` is Markdown."""
    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    rest = [new_markdown_cell(c) if c.startswith("#") else new_code_cell(c) for c in cells]
    return Template(name, Path(f"{name}.ipynb"), new_notebook(cells=[first, *rest]))
