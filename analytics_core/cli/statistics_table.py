"""Statistics as tables in a terminal, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from analytics_core.charts import formats
from analytics_core.charts.values import Unit
from analytics_core.cli.terminal import results
from analytics_core.model.results import Comparison

_UNITS = {
    "average_processing_time": Unit.SECONDS,
    "success_rate": Unit.PERCENT,
    "uploaded_bytes": Unit.BYTES,
    "stored_bytes": Unit.BYTES,
    "storage average_per_day": Unit.BYTES,
    "p50": Unit.MILLISECONDS,
    "p95": Unit.MILLISECONDS,
}


def show(answer: Comparison) -> None:
    """Print a table per section, the period before beside it where it was asked for."""
    console = results()
    dates = answer.current.range
    shown = formats.date_range(dates) if dates else "no records yet"
    console.print(f"{shown} · {answer.current.zone}", style="bold")
    now, before = answer.current.to_dict(), answer.previous and answer.previous.to_dict()
    if answer.previous and answer.previous.range:
        console.print(f"against {formats.date_range(answer.previous.range)}", style="dim")
    for section in ("renders", "credits", "api", "storage", "projects", "activity"):
        table = Table(title=section.capitalize(), title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column("Measure")
        table.add_column("Value", justify="right")
        past = dict(_lines(section, before[section])) if before else {}
        if before:
            table.add_column("Before", justify="right", style="dim")
        for measure, value in _lines(section, now[section]):
            cells = [value, past.get(measure, formats.MISSING)] if before else [value]
            table.add_row(escape(measure), *cells)
        console.print(table)


def _lines(section: str, answers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in answers.items():
        if isinstance(value, Mapping):
            for member, part in value.items():
                yield f"{_words(key)}: {member}", _text(section, member, part)
        else:
            yield _words(key), _text(section, key, value)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _text(section: str, key: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or formats.MISSING
    unit = _UNITS.get(key) or _UNITS.get(f"{section} {key}") or Unit.COUNT
    return formats.text(value, unit)
