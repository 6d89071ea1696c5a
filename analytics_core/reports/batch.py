"""Reports of many users, made by several processes at once, each report in a kernel of its own."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from analytics_core.errors import AnalyticsError, KernelDied
from analytics_core.model.scope import Scope
from analytics_core.reports.report import Report, make_report
from analytics_core.reports.template import Template
from analytics_core.settings import Settings
from analytics_core.workspace import Workspace

# Nothing is shared with the process that starts them: no connection, no thread, no lock.
_processes = multiprocessing.get_context("spawn")
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Order:
    """What every one of the reports has in common."""

    settings: Settings
    scope: Scope
    template: str
    period: str
    folder: Path
    zone: str | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one user's report: its files, or in one sentence why there are none."""

    user: str
    report: Report | None
    error: str = ""


# The cores that a worker and its kernels run on; None where it is the system that decides.
Place = frozenset[int] | None


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    channel: Connection
    place: Place
    user: str | None = None


def make_reports(order: Order, users: Iterable[str], *, workers: int) -> Iterator[Outcome]:
    """One report for each user, as they are done, made by at most so many processes at a time.

    A report that fails is an outcome, and the others go on. One whose kernel or whose process died
    is tried once more.
    """
    waiting = deque(users)
    tries = dict.fromkeys(waiting, 0)
    team = [_hired(order, place) for place in places(min(workers, len(waiting)))]
    try:
        while True:
            for worker in team:
                if worker.user is None and waiting:
                    _give(worker, waiting.popleft())
            busy = [worker for worker in team if worker.user is not None]
            if not busy:
                return
            for ready in wait([worker.channel for worker in busy]):
                worker = next(one for one in busy if one.channel is ready)
                try:
                    outcome: Outcome | None = worker.channel.recv()
                except (EOFError, OSError):
                    outcome = None
                user, worker.user = str(worker.user), None
                if outcome is None:
                    team.remove(worker)
                    _dismiss(worker)
                    team.append(_hired(order, worker.place))
                    tries[user] += 1
                    if tries[user] < _TRIES:
                        waiting.append(user)
                        continue
                yield outcome or Outcome(user, None, f"the process that made it died: {user}")
    finally:
        for worker in team:
            worker.process.kill()
            _dismiss(worker)


def usable_cores() -> list[int]:
    """The cores that this process may run on."""
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def places(workers: int) -> list[Place]:
    """Where each of so many workers is to run: on a core of its own where each core has one.

    A worker and its kernel take turns, and the system moves them from core to core as they do, so
    that two workers on two cores make a fifth fewer reports than two that stay where they are.
    With fewer workers, or more of them than cores, it had better decide.
    """
    cores = usable_cores()
    if sys.platform != "linux" or workers != len(cores):
        return [None] * workers
    return [frozenset({core}) for core in cores]


def _hired(order: Order, place: Place) -> _Worker:
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_work, args=(theirs, order, place), daemon=True)
    process.start()
    # The last open end but the worker's own: when that dies, ours says so.
    theirs.close()
    return _Worker(process, ours, place)


def _give(worker: _Worker, user: str) -> None:
    worker.user = user
    # One that has just died says so where its answer would be.
    with suppress(OSError):
        worker.channel.send(user)


def _dismiss(worker: _Worker) -> None:
    worker.channel.close()
    worker.process.join()
    worker.process.close()


def _work(channel: Connection, order: Order, place: Place) -> None:
    """Make reports for the users that are sent, until there are no more."""
    if place is not None and sys.platform == "linux":
        # Kernels run where those who start them do. A core that is there no longer is no reason to
        # make no reports.
        with suppress(OSError):
            os.sched_setaffinity(0, place)
    # An interrupt is for the command, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    is_first = True
    with Workspace.open(order.settings, order.scope) as workspace:
        template = Template.find(order.template, order.settings)
        with suppress(EOFError, OSError):
            while True:
                channel.send(_outcome(workspace, template, order, channel.recv()))
                # A notebook and its client refer to each other. By itself the collector would come
                # when there are hundreds of them; to look at what one report left takes it 0.4 ms,
                # as it never looks again at what there was after the first.
                gc.collect()
                if is_first:
                    gc.freeze()
                    is_first = False


def _outcome(workspace: Workspace, template: Template, order: Order, user: str) -> Outcome:
    for remaining in reversed(range(_TRIES)):
        try:
            report = make_report(
                workspace,
                template,
                user=user,
                period=order.period,
                folder=order.folder,
                zone=order.zone,
                parameters=order.parameters,
            )
        except KernelDied as died:
            if not remaining:
                return Outcome(user, None, f"{user}: {died}")
        except AnalyticsError as failed:
            return Outcome(user, None, f"{user}: {failed}")
        else:
            return Outcome(user, report)
    raise AssertionError("a report is made or not")
