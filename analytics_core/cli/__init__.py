"""The command line: one file per command, registered here, and the edge where errors become lines.

Importing this package must stay cheap, because every command pays for it: what is heavy (pandas,
Jupyter, papermill) is imported inside the commands that need it.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from analytics_core.cli import (
    audit,
    backfill,
    collect,
    dashboard,
    demo_data,
    doctor,
    export,
    forget,
    init,
    lab,
    report,
    retention,
    rollup,
    serve,
    spool,
    stats,
    storage,
    token,
)
from analytics_core.errors import AnalyticsError

OK, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="analytics",
    help="Usage analytics: what was used, what it cost, and whether it goes well.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("init")(init.init)
app.command("demo-data")(demo_data.demo_data)
app.command("stats")(stats.stats)
app.command("export")(export.export)
app.command("report")(report.report)
app.command("dashboard")(dashboard.dashboard)
app.command("serve")(serve.serve)
app.command("lab")(lab.lab)
app.command("doctor")(doctor.doctor)
app.command("collect")(collect.collect)
app.command("backfill")(backfill.backfill)
app.command("forget")(forget.forget)
app.add_typer(spool.app, name="spool")
app.add_typer(rollup.app, name="rollup")
app.add_typer(storage.app, name="storage")
app.add_typer(retention.app, name="retention")
app.add_typer(token.app, name="token")
app.add_typer(audit.app, name="audit")


@app.callback(invoke_without_command=True)
def _analytics(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[  # noqa: ARG001 - read by `run`, declared here for --help
        bool, typer.Option("--debug", help="Show the whole traceback of an error.")
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(version_of("usage-analytics-workspace"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are one line on standard error.

    0 done, 2 refused (bad usage, or any `AnalyticsError`), 1 failed unexpectedly, 130 interrupted.
    """
    # Taken out before parsing: it must work after the command's name too, where people write it,
    # and when it is the parsing that fails.
    debug = "--debug" in arguments
    try:
        parts = [part for part in arguments if part != "--debug"]
        code = app(parts, prog_name="analytics", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`). Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exception(error)
        line, code = _told(error)
        typer.echo(f"analytics: {line}", err=True)
        return code
    return code if isinstance(code, int) else OK


def _told(error: Exception) -> tuple[str, int]:
    """What happened as one line, and the exit code for it."""
    match error:
        case AnalyticsError():
            line, code = str(error), REFUSED
        case typer.TyperException():
            line, code = error.format_message(), error.exit_code
            if context := getattr(error, "ctx", None):
                line = f"{line.rstrip('.')} (see {context.command_path} --help)"
        case _:
            line = f"unexpected {type(error).__name__}: {error} (--debug shows where)"
            code = FAILED
    return " ".join(line.split()), code


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))
