"""The documents say what is there: commands, settings, links and examples."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from analytics_core.cli import app
from analytics_core.dal.profile import read_profile
from analytics_core.settings import PREFIX, Settings
from tests.support.reference import PAGES, ROOT

TRACKED = [
    Path(line)
    for line in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / line).is_file()
]
PAGES_OF_PROSE = [path for path in TRACKED if path.suffix == ".md"]
COMMANDS = sorted(typer.main.get_command(app).commands)


def text_of(path: Path | str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def anchors_of(page: str) -> set[str]:
    """The anchors that a Markdown page's headings get, as code forges make them."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_comes_from_the_code_is_up_to_date(page: Path) -> None:
    written: Callable[[], str] = PAGES[page]
    assert text_of(page) == written(), "run `make docs`"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_explained_in_the_user_guide(command: str) -> None:
    assert f"analytics {command}" in text_of("docs/user-guide.md")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_explained_to_operators(name: str) -> None:
    assert f"`{PREFIX}{name.upper()}`" in text_of("docs/operations.md")


@pytest.mark.parametrize("page", PAGES_OF_PROSE, ids=str)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text_of(page)))
    assert named <= {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("page", PAGES_OF_PROSE, ids=str)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"(?:^|`|bin/)analytics ([a-z][a-z-]*)", text_of(page), re.MULTILINE))
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES_OF_PROSE, ids=str)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text_of(page), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES_OF_PROSE, ids=str)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        path = ROOT / page.parent / target if target else ROOT / page
        assert path.exists(), link
        if anchor:
            assert anchor in anchors_of(path.read_text(encoding="utf-8")), link


def test_every_decision_is_listed() -> None:
    folder = Path("docs/decisions")
    records = [path.name for path in TRACKED if path.parent == folder and path.name[0].isdigit()]
    listed = re.findall(r"\]\((\d{4}-[^)]*)\)", text_of(folder / "README.md"))
    assert sorted(records) == listed
    assert [name[:4] for name in listed] == [f"{n:04}" for n in range(1, len(listed) + 1)]


def test_the_example_of_a_profile_is_one(tmp_path: Path) -> None:
    [example] = [
        block
        for block in re.findall(r"```toml\n(.*?)```", text_of("docs/host-database.md"), re.DOTALL)
        if "[users]" in block
    ]
    file = tmp_path / "example.toml"
    file.write_text(example)
    assert set(read_profile(str(file)).tables) == set(tomllib.loads(example))


def test_the_newest_changes_are_in_the_changelog_under_this_version() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert re.search(r"^## \[Unreleased\]$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert version == "0.1.0" or f"## [{version}]" in text_of("CHANGELOG.md")
