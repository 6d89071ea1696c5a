"""Jupyter's own tests, compared: what only forked kernels fail is found, and nothing is hidden."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suites.comparing import Comparison, Run, verdict

INSIDE = Path(__file__).parents[2] / "suites" / "inside"
FORKED = '{"forked": "test_starts"}'
ENDED = '{"ended": "yes"}'


def run(*lines: str, **outcomes: str) -> Run:
    tests = [
        json.dumps({"test": name, "outcome": outcome, "reason": "why"})
        for name, outcome in outcomes.items()
    ]
    return Run.recorded([*tests, *lines, ENDED])


def compared(stock: Run, forked: Run) -> Comparison:
    return Comparison("a suite 1.0", stock, forked, {"test_other": "it wants the moon"})


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_what_passes_with_stock_kernels_and_not_with_forked_ones_is_a_fault(outcome: str) -> None:
    found = compared(
        run(test_starts="passed", test_ends="passed"),
        run(FORKED, test_starts="passed", test_ends=outcome),
    )
    assert found.worse() == ["test_ends"]
    assert found.faults() == ["fails only forked: test_ends: why"]
    assert verdict([found]) == 1


def test_what_forked_kernels_never_came_to_is_a_fault() -> None:
    found = compared(
        run(test_starts="passed", test_ends="passed"), run(FORKED, test_starts="passed")
    )
    assert found.worse() == ["test_ends"]
    assert verdict([found]) == 1


def test_what_stock_kernels_fail_too_is_none() -> None:
    found = compared(
        run(test_starts="passed", test_ends="failed", test_waits="skipped"),
        run(FORKED, test_starts="passed", test_ends="failed", test_waits="skipped"),
    )
    assert found.faults() == []
    assert verdict([found]) == 0


def test_one_suite_of_several_is_enough_to_fail() -> None:
    good = compared(run(test_starts="passed"), run(FORKED, test_starts="passed"))
    bad = compared(run(test_starts="passed"), run(FORKED, test_starts="failed"))
    assert verdict([good, bad]) == verdict([bad, good]) == 1


def test_a_run_that_forked_nothing_says_nothing_about_forked_kernels() -> None:
    found = compared(run(test_starts="passed"), run(test_starts="passed"))
    assert found.faults() == ["no kernel was forked: both runs had stock kernels"]


def test_a_run_in_which_nothing_passes_is_nothing_to_compare_with() -> None:
    assert verdict([compared(run(test_starts="failed"), run(FORKED, test_starts="failed"))]) == 1
    assert verdict([compared(run(), run(FORKED))]) == 1


def test_a_run_that_was_killed_on_the_way_is_a_fault() -> None:
    whole, killed = run(FORKED, test_starts="passed"), run(FORKED, test_starts="passed")
    killed.has_ended = False
    assert compared(killed, whole).faults() == ["the stock run broke off"]
    assert compared(whole, killed).faults() == ["the forked run broke off"]


def test_a_test_that_passes_when_it_is_run_again_is_told_and_no_fault() -> None:
    found = compared(run(test_starts="passed"), run(FORKED, test_starts="failed"))
    found.retry(run(test_starts="passed"), run(FORKED, test_starts="passed"))
    assert verdict([found]) == 0
    told = "failed forked, run again: test_starts: stock passed, forked passed"
    assert told in "\n".join(found.lines())


def test_a_stock_kernel_that_fails_the_second_time_excuses_no_forked_one() -> None:
    found = compared(run(test_starts="passed"), run(FORKED, test_starts="failed"))
    found.retry(run(test_starts="failed"), run(FORKED, test_starts="failed"))
    assert found.worse() == ["test_starts"]


def test_all_that_was_not_compared_is_told_with_its_reason() -> None:
    refused = '{"not_forked": "test_starts", "reason": "it is too large"}'
    told = "\n".join(
        compared(
            run(test_starts="passed", test_waits="skipped", test_ends="failed"),
            run(FORKED, refused, test_starts="passed", test_waits="skipped", test_ends="passed"),
        ).lines()
    )
    assert "kernels forked: 1, tests: 1" in told
    assert "not forked: test_starts (1×): it is too large" in told
    assert "left out: test_other: it wants the moon" in told
    assert "skipped: test_waits: why" in told
    assert "fails with stock kernels: test_ends (passed forked): why" in told


def test_what_pytest_came_to_is_written_down_for_each_test(tmp_path: Path) -> None:
    (tmp_path / "test_of_all_kinds.py").write_text(
        "import pytest\n"
        "@pytest.fixture\n"
        "def messy():\n"
        "    yield\n"
        "    raise OSError('left open')\n"
        "def test_good(): pass\n"
        "def test_bad(): raise OSError('no kernel')\n"
        "def test_after(messy): pass\n"
        "@pytest.mark.skip(reason='only on a Mac')\n"
        "def test_elsewhere(): pass\n"
        "@pytest.mark.xfail(reason='a known one')\n"
        "def test_known(): raise OSError\n"
    )
    (tmp_path / "test_unreadable.py").write_text("import nothing_of_this_name\n")
    record = tmp_path / "record.jsonl"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:schemathesis",
            "-p",
            "suite_record",
            "--continue-on-collection-errors",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(INSIDE), "SUITE_RECORD": str(record)},
        capture_output=True,
        check=False,
    )
    written = Run.recorded(record.read_text().splitlines())
    assert written.has_ended
    assert {
        name.partition("::")[2] or name: (ran.outcome, ran.reason)
        for name, ran in written.tests.items()
    } == {
        "test_unreadable.py": (
            "failed",
            "E   ModuleNotFoundError: No module named 'nothing_of_this_name'",
        ),
        "test_good": ("passed", ""),
        "test_bad": ("failed", "OSError: no kernel"),
        "test_after": ("failed", "OSError: left open"),
        "test_elsewhere": ("skipped", "only on a Mac"),
        "test_known": ("skipped", "expected to fail: a known one"),
    }
