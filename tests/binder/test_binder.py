"""binder/ makes a working environment: built and started here as Binder does it, in order."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
GUIDE = "notebooks/guides/first-steps.ipynb"


@dataclass
class Image:
    """A copy of the project, and the environment that was built for it."""

    repository: Path
    environment: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the image to its end, in the repository."""
        return subprocess.run(
            command,
            cwd=self.repository,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def built(self, *command: str) -> None:
        done = self.run(*command)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What Binder builds: the requirements in a new environment, then postBuild."""
    folder = tmp_path_factory.mktemp("binder")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    repository = folder / "repository"
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, repository / name)
    venv.create(folder / "environment", with_pip=True)
    binaries = folder / "environment" / "bin"
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    # Compiling every module of every package takes longer than installing them.
    image = Image(repository, {**os.environ, "PATH": path, "PIP_NO_COMPILE": "1"})
    image.built("pip", "install", "--quiet", "-r", "binder/requirements.txt")
    image.built("binder/postBuild")
    return image


def test_the_python_that_is_asked_for_is_one_that_the_package_supports() -> None:
    asked = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    assert tuple(map(int, asked.split("."))) >= (3, 11)


def test_the_versions_are_those_that_are_pinned(image: Image) -> None:
    pinned = {
        line.partition("==")[0].lower(): line.partition("==")[2]
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    installed = {
        package["name"].lower(): package["version"]
        for package in json.loads(image.run("pip", "list", "--format", "json").stdout)
    }
    shared = pinned.keys() & installed.keys()
    assert "jupyterlab" in shared
    assert {name: installed[name] for name in shared} == {name: pinned[name] for name in shared}


def test_a_guide_runs_from_its_first_cell_to_its_last(image: Image) -> None:
    done = image.run("binder/start", "jupyter", "execute", "--inplace", GUIDE)
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(image.repository / GUIDE, as_version=4)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


def test_a_report_is_made_from_the_templates_that_were_installed(image: Image) -> None:
    asked = ["--user", "mara@example.com", "--period", "last-month", "--output", "reports"]
    done = image.run("binder/start", "analytics", "report", *asked)
    assert done.returncode == 0, done.stderr
    assert "Mara" in (image.repository / done.stdout.strip()).read_text()


@pytest.fixture
def server(image: Image) -> Iterator[str]:
    """The address of the server that Binder starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["binder/start", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
         f"--port={port}", "--IdentityProvider.token="],
        cwd=image.repository,
        env=image.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=30)


def test_the_first_guide_is_what_opens(server: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(server, timeout=30) as page:
                assert page.url == f"{server}/lab/tree/{GUIDE}"
                assert page.status == 200
                return
        except URLError:
            assert time.monotonic() < deadline, "the server did not answer within a minute"
            time.sleep(0.2)
