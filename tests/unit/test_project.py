"""What the project's own files promise to whoever clones it."""

from __future__ import annotations

import json
import os
import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.unit.test_documents import ROOT, TRACKED, text_of

NOTEBOOKS = [path for path in TRACKED if path.suffix == ".ipynb"]
PROJECT = tomllib.loads(text_of("pyproject.toml"))["project"]
PINS = [
    line for line in text_of("constraints.txt").splitlines() if line and not line.startswith("#")
]


def code_cells(notebook: Path) -> list[dict]:
    return [cell for cell in json.loads(text_of(notebook))["cells"] if cell["cell_type"] == "code"]


def test_every_dependency_has_its_exact_version() -> None:
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    pinned = {canonicalize_name(pin.partition("==")[0]) for pin in PINS}
    assert {canonicalize_name(Requirement(one).name) for one in declared} <= pinned


def test_versions_are_pinned_without_saying_where_they_come_from() -> None:
    assert [pin for pin in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin)] == []


def test_pinned_versions_are_those_that_the_project_allows() -> None:
    pinned = {canonicalize_name(name): version for name, version in (p.split("==") for p in PINS)}
    for one in map(Requirement, PROJECT["dependencies"]):
        assert one.specifier.contains(pinned[canonicalize_name(one.name)]), one


def test_pinned_versions_install_on_the_python_of_debian_12() -> None:
    wanted = {
        (canonicalize_name(one.name), one.version): one.metadata["Requires-Python"]
        for one in distributions()
    }
    refusing = [
        pin
        for pin in PINS
        if (needs := wanted.get((canonicalize_name(pin.split("==")[0]), pin.split("==")[1])))
        and "3.11.2" not in SpecifierSet(needs)
    ]
    assert refusing == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=str)
def test_a_notebook_ran_from_top_to_bottom_or_not_at_all(notebook: Path) -> None:
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts in ([None] * len(counts), list(range(1, len(counts) + 1)))


@pytest.mark.parametrize(
    "notebook", [path for path in NOTEBOOKS if path.parts[0] == "dashboards"], ids=str
)
def test_a_dashboard_notebook_is_a_few_lines(notebook: Path) -> None:
    lines = [line for cell in code_cells(notebook) for line in "".join(cell["source"]).split("\n")]
    assert len([line for line in lines if line.strip()]) <= 25


def test_nothing_points_at_somebodys_machine() -> None:
    homes = re.compile(r"/(?:home|Users|root|work)/\w+")
    found = []
    for path in TRACKED:
        try:
            text = text_of(path)
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {hit}" for hit in homes.findall(text)]
    assert found == []


def test_the_script_of_continuous_integration_may_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
