"""Run the benchmarks, print a table and, where asked for, write them as JSON."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    collector,
    faults,
    kernels,
    leaks,
    machine,
    middleware,
    one_user,
    page,
    recorder,
    rollups,
    visitors,
)
from tests.benchmarks.measurement import Measurement

MODULES = (
    one_user,
    recorder,
    middleware,
    collector,
    rollups,
    kernels,
    leaks,
    page,
    visitors,
    faults,
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the measurements here, as JSON")
    parser.add_argument(
        "--only",
        default="",
        help="measure what has this word in its name; '10 million' renders, which take minutes to"
        " load, are measured in no other case",
    )
    asked = parser.parse_args()
    # Servers and browsers are stopped on the way out, also of one that is told to stop.
    for stopping in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stopping, lambda number, _frame: sys.exit(128 + number))
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    facts = machine.facts()
    notes.print(facts)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        measured = []
        for one in (
            one
            for module in MODULES
            for one in module.measure(asked.only, Path(folder), notes.print)
        ):
            measured.append(one)
            notes.print(f"{one.name}: {one.value:,.1f} {one.unit}, {one.ratio:,.1f} times better")
    if not measured:
        notes.print(f"nothing is measured with {asked.only!r} in its name")
        return 2
    Console(highlight=False).print(table(measured, facts))
    if asked.out:
        asked.out.write_text(json.dumps([asdict(one) for one in measured], indent=2) + "\n")
    return 0


def table(measured: list[Measurement], caption: str) -> Table:
    made = Table(caption=caption, caption_justify="left")
    made.add_column("")
    for name in ("median", "baseline", "times better", "target", "runs"):
        made.add_column(name, justify="right")
    made.add_column("baseline is")
    for one in measured:
        made.add_row(
            one.name,
            f"{one.value:,.1f} {one.unit}",
            f"{one.baseline:,.1f} {one.unit}",
            f"{one.ratio:,.1f}",
            one.told_target,
            str(one.runs),
            one.baseline_name,
        )
    return made


if __name__ == "__main__":
    sys.exit(main())
