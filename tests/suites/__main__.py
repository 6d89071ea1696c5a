"""`make suites`: the tests of jupyter_client and ipykernel, with stock and with forked kernels.

Both run the same files, of the versions that are installed here; what passes with stock kernels and
not with forked ones is a fault of ours, and the only thing that fails this.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from tests.suites.comparing import Comparison, Run, verdict

HERE = Path(__file__).parent
INSIDE = HERE / "inside"
OUT = HERE.parents[1] / "out" / "suites"
# How often a test that passed with stock kernels alone is run again, with either kind.
CHANCES = 3
# Of each package, what neither kind of kernel is asked, and why.
SUITES: dict[str, dict[str, str]] = {
    "jupyter_client": dict.fromkeys(
        (
            "tests/test_transport_security.py::test_enabled_without_curve_kernelspec_skips_keys",
            "tests/test_transport_security.py"
            "::test_iopub_plaintext_visibility_depends_on_curve[disabled]",
        ),
        "wants plain text; forked kernels on TCP are encrypted, whatever the manager is set to",
    ),
    "ipykernel": {},
}
KINDS = ("stock", "forked")
say = print


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a word in the path of the tests' files")
    word = parser.parse_args().only
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.log"):
        old.unlink()
    tools = _tools()
    compared = []
    for package, left_out in SUITES.items():
        suite = Suite(_source(package), tools)
        files = [file for file in suite.files() if word in f"{package}/{file}"]
        if files:
            compared.append(_compared(package, suite, files, left_out))
    for comparison in compared:
        say("", *comparison.lines(), sep="\n", flush=True)
    if not compared:
        parser.error(f"no file of tests has {word!r} in its path")
    return verdict(compared)


def _compared(
    package: str, suite: Suite, files: Sequence[str], left_out: Mapping[str, str]
) -> Comparison:
    asked = {name: why for name, why in left_out.items() if name.partition("::")[0] in files}
    stock, forked = suite.run_both([*files, *(f"--deselect={name}" for name in asked)])
    comparison = Comparison(f"{package} {version(package)}", stock, forked, asked)
    for _ in range(CHANCES):
        if worse := comparison.worse():
            comparison.retry(*suite.run_both(worse))
    return comparison


class Suite:
    """The tests of one package, and what they are run with."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.source, self.tools = folder, tools

    def files(self) -> list[str]:
        found = sorted((self.source / "tests").rglob("test_*.py"))
        return [str(file.relative_to(self.source)) for file in found]

    def run_both(self, arguments: Sequence[str]) -> tuple[Run, Run]:
        """With stock and with forked kernels, side by side: a busy machine is unfair to neither."""
        with ThreadPoolExecutor() as threads:
            stock, forked = threads.map(lambda kind: self.run(kind, arguments), KINDS)
        return stock, forked

    def run(self, kind: str, arguments: Sequence[str]) -> Run:
        """Run what is asked for, with `stock` or with `forked` kernels."""
        name = f"{self.source.name}-{kind}"
        say(f"Running {name}.", flush=True)
        record = OUT / f"{name}.jsonl"
        record.write_text("", encoding="utf-8")
        plugins = ["suite_record", *(["suite_forked"] if kind == "forked" else [])]
        # A test that takes too long fails by itself, and not with all that would come after it.
        own = ["filterwarnings=ignore", "addopts=", "timeout=100", "timeout_method=signal"]
        with (
            # Where nurseries are; they end when it is gone.
            tempfile.TemporaryDirectory() as runtime,
            # Each has its tests in a folder of its own: some kernels have their sockets there.
            tempfile.TemporaryDirectory() as copied,
            (OUT / f"{name}.log").open("a") as log,
        ):
            folder = shutil.copytree(self.source, Path(copied, self.source.name))
            subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                    *(f"--override-ini={setting}" for setting in own),
                    *(f"-p{plugin}" for plugin in plugins),
                    *arguments,
                ],
                cwd=folder,
                env=os.environ
                | {
                    "PYTHONPATH": os.pathsep.join(map(str, (folder, INSIDE, self.tools))),
                    "SUITE_RECORD": str(record),
                    "SUITE_RUNTIME": runtime,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        with record.open(encoding="utf-8") as lines:
            return Run.recorded(lines)


def _tools() -> Path:
    """A folder with what these suites need to run and this project does not."""
    wanted = HERE / "requirements.txt"
    tools = OUT / f"tools-{hashlib.blake2b(wanted.read_bytes(), digest_size=4).hexdigest()}"
    if not tools.exists():
        _pip("install", "--no-deps", "--target", str(tools), "-r", str(wanted))
    return tools


def _source(package: str) -> Path:
    """A folder with the tests of a package, of the version that is installed, and nothing else."""
    name = f"{package}-{version(package)}"
    if not (OUT / name).exists():
        wanted = f"{package}=={version(package)}"
        # `:all:` would have what builds it built from source, too, down to libzmq.
        _pip("download", "--no-deps", "--no-binary", package, "--dest", str(OUT), wanted)
        with tarfile.open(OUT / f"{name}.tar.gz") as archive:
            kept = [
                member
                for member in archive.getmembers()
                if member.name.startswith((f"{name}/pyproject.toml", f"{name}/tests/"))
            ]
            archive.extractall(OUT, kept, filter="data")
    return OUT / name


def _pip(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *arguments], check=True
    )


if __name__ == "__main__":
    sys.exit(main())
