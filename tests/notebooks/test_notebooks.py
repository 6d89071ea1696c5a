"""Guides run from top to bottom on demo data, and notebooks are kept clean."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest

from analytics_core.dal import schema
from analytics_core.dal.database import Database
from analytics_core.dal.demo import DemoShape, load
from analytics_core.model.scope import Scope

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
GUIDES = [path for path in NOTEBOOKS if path.parent.name == "guides"]


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="module")
def demo_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small demo, to be read only."""
    url = f"sqlite:///{tmp_path_factory.mktemp('demo') / 'analytics.db'}"
    database = Database(url, create=True)
    schema.upgrade(database)
    load(database, DemoShape(users=5, renders=3000, seed=1, now=datetime.now(UTC)))
    database.close()
    return url


def with_nbval(guide: Path, url: str, scope: Scope) -> subprocess.CompletedProcess[str]:
    """Run a guide with nbval, within a scope, away from the settings of these tests."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        "ANALYTICS_DATABASE_URL": url,
        "ANALYTICS_GRANT": scope.to_text(),
    }
    options = ["--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider", "-c", os.devnull]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, "--rootdir", ".", str(guide)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_runs_and_what_it_asserts_is_true(guide: Path, demo_url: str) -> None:
    done = with_nbval(guide, demo_url, Scope.everyone())
    cells = sum(cell.cell_type == "code" for cell in read(guide).cells)
    assert done.returncode == 0, done.stdout
    assert f"{cells} passed" in done.stdout


def test_a_guide_runs_for_a_user_without_any_record(demo_url: str) -> None:
    # Nils has only signed up: nothing to draw, nothing to divide by.
    [guide] = [path for path in GUIDES if path.stem == "own-chart-and-report"]
    database = Database(demo_url)
    with database.read() as connection:
        nils = connection.exec_driver_sql(
            "SELECT id FROM users WHERE email = 'nils@example.com'"
        ).scalar_one()
    database.close()
    done = with_nbval(guide, demo_url, Scope.user(nils))
    assert done.returncode == 0, done.stdout


def test_a_cell_that_is_wrong_would_be_found(demo_url: str) -> None:
    cells = ["from analytics_core import Workspace", "assert Workspace.current().scope.only_user"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbformat.write(notebook, "broken.ipynb")
    assert with_nbval(Path("broken.ipynb"), demo_url, Scope.everyone()).returncode == 1


def test_there_are_three_guides() -> None:
    assert [guide.stem for guide in GUIDES] == [
        "first-steps", "own-analysis", "own-chart-and-report",
    ]  # fmt: skip


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_workspace_is_the_one_import(notebook: Path) -> None:
    source = "\n".join(cell.source for cell in read(notebook).cells if cell.cell_type == "code")
    imports = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(line) for line in imports] == ["from analytics_core import Workspace"]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_guide_asserts_something(guide: Path) -> None:
    assert sum("assert " in cell.source for cell in read(guide).cells) >= 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_with_little_metadata(notebook: Path) -> None:
    content = read(notebook)
    assert set(content.metadata) == {"kernelspec", "language_info"}
    assert set(content.metadata.language_info) == {"name"}
    for cell in content.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
