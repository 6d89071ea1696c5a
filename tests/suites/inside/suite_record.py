"""A pytest plugin that writes down, line by line, what became of each test and of each kernel."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

# A test is known by its name, whatever becomes of its setup and teardown: the worst of them counts.
_WORST_LAST = ("passed", "skipped", "failed")


def write_down(**fact: str) -> None:
    with Path(os.environ["SUITE_RECORD"]).open("a", encoding="utf-8") as record:
        record.write(json.dumps(fact) + "\n")


class Recorder:
    def __init__(self) -> None:
        self.outcome, self.reason = "passed", ""

    @pytest.hookimpl
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.outcome, self.reason = "passed", ""

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if _WORST_LAST.index(report.outcome) > _WORST_LAST.index(self.outcome):
            self.outcome, self.reason = report.outcome, _reason(report)

    @pytest.hookimpl
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        write_down(test=nodeid, outcome=self.outcome, reason=self.reason)

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            write_down(test=report.nodeid, outcome=report.outcome, reason=_reason(report))

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        # A run that was killed never comes here, and looks shorter than it is.
        write_down(ended="yes")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if why := getattr(report, "wasxfail", None):
        return f"expected to fail: {why}"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    said = crash.message if crash else str(report.longrepr).strip().rpartition("\n")[2]
    return str(said).partition("\n")[0]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder())
