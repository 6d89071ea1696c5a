"""`analytics demo-data`: fill an empty workspace database with invented, plausible data."""

from __future__ import annotations

from typing import Annotated

import typer


def demo_data(
    users: Annotated[int, typer.Option(min=2, help="How many users, Mara and Nils included.")] = 40,
    renders: Annotated[
        int, typer.Option(min=0, help="How many renders they make in about 14 months.")
    ] = 30_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and end give the same rows.")] = 1,
    until: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The last day, in UTC; else now.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace earlier demo data; nothing else is touched.")
    ] = False,
) -> None:
    """Fill the workspace's database with invented users, renders, credits and API calls.

    It ends now, so that today has data. mara@example.com has something on every page,
    nils@example.com has only just signed up. A database that has users is left alone.
    """
    from datetime import UTC, datetime, time, timedelta

    from analytics_core.cli.terminal import notes, progress
    from analytics_core.dal import schema
    from analytics_core.dal.demo import DemoShape, load
    from analytics_core.errors import RangeError
    from analytics_core.model.daterange import read_date
    from analytics_core.model.scope import Scope
    from analytics_core.settings import Settings
    from analytics_core.workspace import Workspace

    now = datetime.now(UTC)
    if until:
        last = read_date(until)
        if not 1972 <= last.year <= 2200:
            raise RangeError(f"demo data ends in a year from 1972 to 2200, not on {last}")
        now = datetime.combine(last + timedelta(days=1), time(), tzinfo=UTC)
    shape = DemoShape(users=users, renders=renders, seed=seed, now=now)
    with Workspace.open(Settings.read(), Scope.everyone()) as workspace, progress() as bars:
        if not workspace.database.read_only:
            schema.check(workspace.database)
        tasks = {
            step: bars.add_task(step, total=None, start=False, visible=False)
            for step in ("writing", "indexing", "tidying up")
        }

        def tell(step: str, done: int, total: int) -> None:
            if not done:
                bars.start_task(tasks[step])
            bars.update(tasks[step], completed=done, total=total, visible=True)

        rows = load(workspace.database, shape, replace=replace, progress=tell)
    notes().print(
        f"{rows['renders']:,} renders of {users:,} users, {sum(rows.values()):,} rows in all:"
        " look at mara@example.com."
    )
