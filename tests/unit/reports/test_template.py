"""Templates and guides are found where they were installed, and only notebooks are taken."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analytics_core.errors import SettingsError, TemplateError
from analytics_core.reports.template import Template, notebooks_folder
from analytics_core.settings import Settings


def test_the_templates_that_ship_are_found_by_name() -> None:
    assert Template.find("usage", Settings.read()).path.name == "usage.ipynb"


def test_a_folder_of_ones_own_goes_before_the_installed_one(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    nbformat.write(new_notebook(), tmp_path / "reports" / "usage.ipynb")
    found = Template.find("usage", Settings.read(notebooks=tmp_path))
    assert found.path.parent == tmp_path / "reports"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ANALYTICS_NOTEBOOKS: .* is not a folder"):
        notebooks_folder(Settings.read(notebooks=tmp_path / "missing"))


def test_any_notebook_is_found_by_its_path(tmp_path: Path) -> None:
    nbformat.write(new_notebook(), tmp_path / "mine.ipynb")
    assert Template.find(str(tmp_path / "mine.ipynb"), Settings.read()).name == "mine"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(TemplateError, match="report template monthly: there is no"):
        Template.find("monthly", Settings.read())


@pytest.mark.parametrize(
    "content",
    ["", "not JSON", "[]", "{}", '{"nbformat": 3}', '{"nbformat": 4}'],
)
def test_what_is_not_a_notebook_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.ipynb").write_text(content)
    with pytest.raises(TemplateError, match=r"it is not a (valid )?notebook"):
        Template.find(str(tmp_path / "mine.ipynb"), Settings.read())


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="directory"):
        Template.find(str(tmp_path), Settings.read())


def test_a_cell_is_known_by_the_last_heading_above_it() -> None:
    cells = [
        new_code_cell("1"),
        new_markdown_cell("# Usage\n\nSome words.\n\n## Credits\n\nMore words."),
        new_code_cell("2"),
    ]
    template = Template("sample", Path("sample.ipynb"), new_notebook(cells=cells))
    assert template.heading_above(2) == "Credits"
    assert template.heading_above(0) is None
