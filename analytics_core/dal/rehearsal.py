"""What pages ask of our own tables, written before anybody asks: by a process that others fork."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from analytics_core.dal import activity, api_calls, files, keys, ledger, projects, renders, users
from analytics_core.dal.catalog import own_catalog
from analytics_core.dal.question import Form, Whose, Writer, written
from analytics_core.dal.rollup import cells
from analytics_core.dal.rollup.cells import Rollups
from analytics_core.dal.rollup.kept import RollupTables

# Each with the nouns it reads from rows, which may be in cells.
_OF_RANGES: dict[Writer[Any], frozenset[str]] = {
    renders.write_tallies: frozenset({"renders"}),
    ledger.write_tallies: frozenset({"credit_transactions"}),
    files.write_tallies: frozenset({"files"}),
    api_calls.write_tallies: frozenset({"api_calls", "renders"}),
    projects.write_render_count: frozenset({"renders"}),
    projects.write_tallies: frozenset(),
    activity.write_tallies: frozenset(),
}
_OF_PEOPLE: tuple[Writer[Any], ...] = (
    users.write_by_email,
    users.write_by_email_or_id,
    keys.write_count,
)
_OF_CELLS: tuple[Writer[Any], ...] = (
    cells.write_sums,
    cells.write_counts,
    cells.write_renders_of_new_projects,
)
# A range in which no clock is changed, and one in which it is once.
_DAYS: dict[str, tuple[tuple[bool, ...], ...]] = {
    "postgresql": ((),),
    "sqlite": ((True,), (True, False, True)),
}


def rehearse() -> None:
    """Write what is asked about one user, of rows and of rollups, in each dialect."""
    rollups = Rollups(RollupTables.own(), own_catalog())
    for dialect, ranges in _DAYS.items():
        for write in _OF_PEOPLE:
            written(write, own_catalog(), Form(dialect, Whose.ONE))
        written(cells.write_marked, rollups, Form(dialect, Whose.ONE))
        for are_regular in ranges:
            for write, nouns in _OF_RANGES.items():
                for gaps in _in_cells_or_not(nouns):
                    written(write, own_catalog(), Form(dialect, Whose.ONE, are_regular, *gaps))
            for write in _OF_CELLS:
                written(write, rollups, Form(dialect, Whose.ONE, are_regular))
            in_gaps = Form(dialect, Whose.ONE, are_regular, frozenset({"renders"}))
            written(cells.write_renders_of_new_projects, rollups, in_gaps)
        if dialect == "postgresql":
            # Of few days each is looked up by itself, where nothing is in cells.
            day_by_day = Form(dialect, Whose.ONE, day_by_day=True)
            for write in _OF_RANGES:
                written(write, own_catalog(), day_by_day)
            for write in _OF_CELLS:
                written(write, rollups, day_by_day)


def _in_cells_or_not(nouns: frozenset[str]) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Of the nouns those in cells but for gaps, and those without any: none, or all in any way.

    Somebody may have some in cells and some not; what that takes is written when it is asked.
    """
    yield frozenset(), frozenset()
    for size in range(1, len(nouns) + 1):
        for with_gaps in map(frozenset, combinations(sorted(nouns), size)):
            yield with_gaps, nouns - with_gaps
    # Of a single noun that is wholly in cells no row is asked for.
    if len(nouns) > 1:
        yield frozenset(), nouns
