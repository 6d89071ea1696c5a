"""Kernels and reports: forked ones beside stock ones, in turns, with the same clients' patience."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import papermill
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from jupyter_core.paths import jupyter_runtime_dir
from nbconvert.exporters import HTMLExporter

from analytics_core import Scope, Settings, Workspace
from analytics_core.kernels.spec import OwnKernels
from analytics_core.reports.batch import Order, Outcome, make_reports
from analytics_core.reports.report import make_report
from analytics_core.reports.template import Template
from tests.benchmarks.measurement import Measurement
from tests.support.command import analytics
from tests.support.kernels import nurseries

RUNS = 10
REPORTS = 25
FIRST_CELL = "kernel, start to first cell done"
ONE_REPORT = "report, seconds of one core"
TWO_WORKERS = "report, a second by two workers"
IMPORTS = "import bqplot, pandas, sqlalchemy\nfrom dashboards import UsageModel, UsagePage"

Say = Callable[[str], None]


def measure(only: str, folder: Path, say: Say) -> Iterator[Measurement]:
    """Those of the measurements whose name contains `only`, one after the other."""
    wanted = [n for n in (FIRST_CELL, ONE_REPORT, TWO_WORKERS) if only.lower() in n.lower()]
    if FIRST_CELL in wanted:
        yield _first_cell()
    if not {ONE_REPORT, TWO_WORKERS} & set(wanted):
        return
    url = f"sqlite:///{folder / 'reports.db'}"
    for command in ("init", "demo-data"):
        analytics(command, database_url=url).check_returncode()
    settings = Settings.read(database_url=url)
    with Workspace.open(settings, Scope.everyone()) as workspace:
        if ONE_REPORT in wanted:
            yield _one_report(workspace, folder)
        users = workspace.user_ids()[:REPORTS]
    if TWO_WORKERS in wanted:
        say(f"{len(users)} reports by one worker and by two, in {RUNS} turns")
        yield _two_workers(settings, users, folder)


def _compared(
    name: str,
    ours: Callable[[], float],
    theirs_are: str,
    theirs: Callable[[], float],
    unit: str,
    target: float | None = None,
) -> Measurement:
    ours()  # The nursery starts with it.
    turns = [(ours(), theirs()) for _ in range(RUNS)]
    value, baseline = (median(times) for times in zip(*turns, strict=True))
    return Measurement(
        name,
        round(value, 3),
        unit,
        round(baseline, 3),
        theirs_are,
        round(baseline / value, 2),
        RUNS,
        target,
        target_ratio=8,
    )


def _first_cell() -> Measurement:
    def taken(specs: KernelSpecManager, name: str) -> float:
        manager = KernelManager(kernel_spec_manager=specs, kernel_name=name)
        start = time.perf_counter()
        manager.start_kernel()
        # As soon as it answers: `wait_for_ready` ends with a pause.
        client = manager.client()
        client.start_channels(hb=False)
        client.execute(IMPORTS)
        reply = client.get_shell_msg(timeout=120)
        seconds = time.perf_counter() - start
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        if reply["content"]["status"] != "ok":
            raise AssertionError(reply["content"])
        return seconds * 1000

    return _compared(
        FIRST_CELL,
        lambda: taken(OwnKernels(), "python3"),
        "stock kernel",
        lambda: taken(KernelSpecManager(kernel_dirs=[]), "python3"),
        "ms",
        target=150,
    )


def _one_report(workspace: Workspace, folder: Path) -> Measurement:
    """On one core, to which the nursery and kernels are bound too, so that nothing runs beside."""
    template = Template.find("usage", workspace.settings)
    [user] = workspace.user_ids()[:1]
    cores = os.sched_getaffinity(0)

    def ours() -> float:
        start = time.perf_counter()
        make_report(workspace, template, user=user, period="30d", folder=folder / "ours")
        return time.perf_counter() - start

    def theirs() -> float:
        start = time.perf_counter()
        environment = workspace.settings.to_environment()
        os.environ.update({**environment, "ANALYTICS_GRANT": Scope.user(user).to_text()})
        try:
            made = papermill.execute_notebook(
                template.path, folder / "stock.ipynb", {"user": user, "period": "30d"},
                kernel_name="python3", progress_bar=False,
            )  # fmt: skip
        finally:
            for name in [*environment, "ANALYTICS_GRANT"]:
                os.environ.pop(name, None)
        html, _ = HTMLExporter(exclude_input=True).from_notebook_node(made)
        (folder / "stock.html").write_text(html)
        return time.perf_counter() - start

    os.sched_setaffinity(0, {min(cores)})
    asyncio.set_event_loop(asyncio.new_event_loop())
    ours()  # The nursery is there.
    forking = nurseries(Path(jupyter_runtime_dir()))
    for nursery in forking:
        os.sched_setaffinity(nursery, {min(cores)})
    try:
        return _compared(ONE_REPORT, ours, "papermill and nbconvert", theirs, "s")
    finally:
        for process in (0, *forking):
            os.sched_setaffinity(process, cores)


def _two_workers(settings: Settings, users: list[str], folder: Path) -> Measurement:
    def rate(workers: int) -> float:
        order = Order(settings, Scope.everyone(), "usage", "30d", folder / f"by-{workers}")
        made = make_reports(order, users, workers=workers)
        # While all of them are at work: not their start, and not the end, when the others have
        # nothing left to do; a thousand reports notice neither.
        timed = len(users) - 2 * workers + 1
        _without_failure(islice(made, workers))
        start = time.perf_counter()
        _without_failure(islice(made, timed))
        taken = time.perf_counter() - start
        _without_failure(made)
        return timed / taken

    # In turns, as the machine is not as quick at one time as at another.
    turns = [(rate(1), rate(2)) for _ in range(RUNS)]
    one, two = (median(rates) for rates in zip(*turns, strict=True))
    return Measurement(
        TWO_WORKERS,
        round(two, 2),
        "/s",
        round(one, 2),
        "one worker",
        round(two / one, 2),
        RUNS,
        target_ratio=1.8,
    )


def _without_failure(outcomes: Iterable[Outcome]) -> None:
    if failed := [outcome.error for outcome in outcomes if not outcome.report]:
        raise AssertionError(failed[0])
