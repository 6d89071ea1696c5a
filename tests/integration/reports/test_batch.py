"""Many reports at a time: each its own, and what goes wrong with one is no matter to the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from analytics_core import Scope, Settings
from analytics_core.reports.batch import Order, Outcome, make_reports, places
from tests.integration.conftest import MakeDatabase
from tests.support import rows
from tests.support.command import analytics
from tests.support.kernels import kernels, nurseries, open_files, running
from tests.support.notebooks import template

USERS = ["ada", "ben", "cleo"]


@pytest.fixture(scope="module")
def url(make_database: MakeDatabase) -> str:
    made = make_database("sqlite")
    rows.insert(made, [rows.user(user) for user in USERS])
    return made


def order(url: str, *cells: str) -> Order:
    nbformat.write(template(*cells).notebook, "sample.ipynb")
    return Order(
        Settings.read(database_url=url), Scope.everyone(), "sample.ipynb", "2026-10", Path("made")
    )


def made(url: str, *cells: str, workers: int = 2) -> dict[str, Outcome]:
    return {o.user: o for o in make_reports(order(url, *cells), USERS, workers=workers)}


def said_in(outcome: Outcome) -> list[str]:
    """The words that a report's cell printed after `said:`."""
    assert outcome.report, outcome.error
    return outcome.report.document.read_text().split("said: ")[1].split("<")[0].split()


def workers_of(process: int) -> list[int]:
    found = []
    for other, parent in running().items():
        command = Path(f"/proc/{other}/cmdline").read_text() if parent == process else ""
        if "spawn_main" in command:
            found.append(other)
    return found


@pytest.fixture
def nothing_left() -> Iterator[None]:
    yield
    assert workers_of(os.getpid()) == []
    assert kernels(os.getpid()) == []


@pytest.mark.usefixtures("nothing_left")
def test_every_user_gets_a_report_from_a_kernel_of_their_own(url: str) -> None:
    outcomes = made(
        url,
        "import os; from analytics_core import Workspace\n"
        "assert 'mine' not in globals(); mine = 1\n"
        "print('said:', os.getpid(), Workspace.current().scope.only_user, user)",
    )
    said = {user: said_in(outcome) for user, outcome in outcomes.items()}
    assert {user: words[1:] for user, words in said.items()} == {u: [u, u] for u in USERS}
    assert len({words[0] for words in said.values()}) == 3


@pytest.fixture
def cores() -> Iterator[list[int]]:
    """At most two, as if this machine had no more."""
    there = os.sched_getaffinity(0)
    few = sorted(there)[:2]
    os.sched_setaffinity(0, few)
    yield few
    os.sched_setaffinity(0, there)


@pytest.mark.usefixtures("nothing_left")
def test_where_each_core_has_its_worker_that_and_its_kernels_stay_there(
    url: str, cores: list[int]
) -> None:
    outcomes = made(
        url,
        "import os; print('said:', os.environ['JPY_PARENT_PID'], *os.sched_getaffinity(0))",
        workers=len(cores),
    )
    where: dict[str, str] = {}
    for outcome in outcomes.values():
        worker, core = said_in(outcome)
        assert where.setdefault(worker, core) == core
    assert sorted(map(int, where.values())) == cores
    # Who comes next may have other cores.
    [nursery] = nurseries()
    assert os.sched_getaffinity(nursery) > set(cores[:1]) or len(cores) == 1


@pytest.mark.usefixtures("nothing_left")
def test_a_worker_in_the_place_of_another_stays_where_that_was(
    url: str, cores: list[int], tmp_path: Path
) -> None:
    if len(cores) < 2:
        pytest.skip("this machine has one core")
    outcomes = made(
        url,
        once(tmp_path / "tries", "tries or os.kill(int(os.environ['JPY_PARENT_PID']), 9)"),
        # Not by the one that lives on.
        "import time; time.sleep(3 if user == 'ada' else 0)",
        "print('said:', os.environ['JPY_PARENT_PID'], *os.sched_getaffinity(0))",
    )
    where = {user: said_in(outcome) for user, outcome in outcomes.items()}
    lived, core = where["ada"]
    [other] = {str(one) for one in cores} - {core}
    assert {tuple(there) for worker, *there in where.values() if worker != lived} == {(other,)}


def test_workers_are_left_to_the_system_unless_each_core_has_one(cores: list[int]) -> None:
    if len(cores) < 2:
        pytest.skip("this machine has one core")
    assert places(1) == [None]
    assert places(2) == [{core} for core in cores]
    assert places(3) == [None, None, None]


@pytest.mark.usefixtures("nothing_left")
def test_one_that_fails_is_told_with_its_cell_and_the_others_go_on(url: str) -> None:
    outcomes = made(url, "## Renders", "assert user != 'ben'")
    assert [user for user in USERS if outcomes[user].report] == ["ada", "cleo"]
    assert "cell 3 (Renders) failed with AssertionError" in outcomes["ben"].error


def once(marker: Path, code: str) -> str:
    """A cell that runs some code for ben, and only the first time."""
    return (
        f"import os, signal, pathlib\nmarker = pathlib.Path({str(marker)!r})\n"
        "if user == 'ben':\n"
        "    tries = int(marker.read_text()) if marker.exists() else 0\n"
        "    marker.write_text(str(tries + 1))\n"
        f"    {code}"
    )


@pytest.mark.usefixtures("nothing_left")
def test_a_report_whose_kernel_died_is_made_again(url: str, tmp_path: Path) -> None:
    outcomes = made(url, once(tmp_path / "tries", "tries or os.kill(os.getpid(), 9)"))
    assert all(outcome.report for outcome in outcomes.values()), outcomes
    assert (tmp_path / "tries").read_text() == "2"


@pytest.mark.usefixtures("nothing_left")
def test_a_report_whose_kernel_dies_twice_has_failed(url: str, tmp_path: Path) -> None:
    outcomes = made(url, once(tmp_path / "tries", "os.kill(os.getpid(), 9)"))
    assert "the death of its kernel" in outcomes["ben"].error
    assert (tmp_path / "tries").read_text() == "2"
    assert outcomes["ada"].report


@pytest.mark.usefixtures("nothing_left")
def test_a_report_that_fails_for_another_reason_is_not_made_again(url: str, tmp_path: Path) -> None:
    made(url, once(tmp_path / "tries", "raise ValueError"))
    assert (tmp_path / "tries").read_text() == "1"


@pytest.mark.usefixtures("nothing_left")
def test_a_report_whose_worker_died_is_made_again_by_another(url: str, tmp_path: Path) -> None:
    outcomes = made(
        url,
        once(tmp_path / "tries", "tries or os.kill(int(os.environ['JPY_PARENT_PID']), 9)"),
        workers=1,
    )
    assert all(outcome.report for outcome in outcomes.values()), outcomes
    assert (tmp_path / "tries").read_text() == "2"


def test_the_last_of_many_reports_finds_no_more_open_than_the_fourth(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, runtime = tmp_path / "temporary", tmp_path / "runtime"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    found = []
    # Between two reports of one worker, which waits while nobody asks for the next.
    for outcome in make_reports(order(url, "1"), USERS * 4, workers=1):
        assert outcome.report, outcome.error
        [worker] = workers_of(os.getpid())
        [nursery] = nurseries(runtime)
        found.append([open_files(os.getpid()), open_files(worker), open_files(nursery)])
    assert found[-1] == found[3]
    # Sockets of kernels are not regular files.
    assert list(temporary.rglob("*")) == []
    assert [file.name for file in runtime.iterdir()] == ["nursery"]


def test_whoever_stops_listening_leaves_no_process(url: str) -> None:
    reports = make_reports(order(url, "1"), USERS, workers=2)
    next(reports)
    reports.close()  # type: ignore[attr-defined]
    assert workers_of(os.getpid()) == []


def test_the_command_makes_one_for_everyone_and_says_which_failed(url: str) -> None:
    nbformat.write(template("assert user != 'ben'").notebook, "sample.ipynb")
    arguments = ("--period", "2026-10", "-o", "made", "--template", "sample.ipynb")
    done = analytics("report", "--everyone", *arguments, database_url=url)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert "ben" in done.stderr
    assert "1 of 3 reports failed" in done.stderr


def test_somebody_unknown_is_said_before_anything_is_made(url: str) -> None:
    arguments = ("--user", "ada", "--user", "nobody", "--period", "2026-10", "-o", "made")
    done = analytics("report", *arguments, database_url=url)
    assert done.returncode == 2
    assert "nobody" in done.stderr
    assert not Path("made").exists()
