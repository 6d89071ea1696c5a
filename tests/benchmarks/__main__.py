"""Run the benchmarks, print a table and, where asked for, write them as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import machine, one_user, recorder, rollups
from tests.benchmarks.measurement import Measurement


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the measurements here, as JSON")
    parser.add_argument("--only", default="", help="measure what has this word in its name")
    asked = parser.parse_args()
    notes = Console(stderr=True, highlight=False, soft_wrap=True)
    facts = machine.facts()
    notes.print(facts)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        measured = []
        for one in (
            one
            for module in (one_user, recorder, rollups)
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
    for name in ("median", "baseline", "times better", "runs"):
        made.add_column(name, justify="right")
    made.add_column("baseline is")
    for one in measured:
        made.add_row(
            one.name,
            f"{one.value:,.1f} {one.unit}",
            f"{one.baseline:,.1f} {one.unit}",
            f"{one.ratio:,.1f}",
            str(one.runs),
            one.baseline_name,
        )
    return made


if __name__ == "__main__":
    sys.exit(main())
