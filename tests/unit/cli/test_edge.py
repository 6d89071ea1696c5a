"""What a person at a terminal sees where something goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import typer

from analytics_core import cli
from analytics_core.errors import AnalyticsError, UnknownUser


@pytest.fixture
def command() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Registers a function as the command `probe`, until the test is over."""
    registered = list(cli.app.registered_commands)

    def register(function: Callable[[], None]) -> None:
        cli.app.command("probe")(function)

    yield register
    cli.app.registered_commands[:] = registered


def raising(error: BaseException) -> Callable[[], None]:
    def probe() -> None:
        raise error

    return probe


def analytics(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "analytics_core.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_an_error_of_ours_is_one_line_on_standard_error_and_exit_code_2(command, capsys):
    command(raising(UnknownUser("nobody@example.com")))
    assert cli.run(["probe"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "analytics: unknown user: 'nobody@example.com'\n"


def test_a_message_of_several_lines_is_told_on_one(command, capsys):
    command(raising(AnalyticsError("the first line\n  and the second")))
    cli.run(["probe"])
    assert capsys.readouterr().err == "analytics: the first line and the second\n"


def test_an_unexpected_error_is_named_with_the_way_to_see_more(command, capsys):
    command(raising(ZeroDivisionError("by nothing")))
    assert cli.run(["probe"]) == 1
    line = capsys.readouterr().err
    assert line == "analytics: unexpected ZeroDivisionError: by nothing (--debug shows where)\n"


@pytest.mark.parametrize("arguments", [["--debug", "probe"], ["probe", "--debug"]])
def test_debug_shows_the_traceback_before_or_after_the_command(command, capsys, arguments):
    command(raising(ZeroDivisionError("by nothing")))
    assert cli.run(arguments) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_interrupted_command_exits_130_and_says_nothing(command, capsys):
    command(raising(KeyboardInterrupt()))
    assert cli.run(["probe"]) == 130
    assert capsys.readouterr().err == ""


def test_a_command_may_choose_its_exit_code(command):
    command(raising(typer.Exit(3)))
    assert cli.run(["probe"]) == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--nope"], "analytics: No such option: --nope (see analytics --help)\n"),
        (["nope"], "analytics: No such command 'nope' (see analytics --help)\n"),
        (
            ["probe", "x"],
            "analytics: Got unexpected extra argument(s) (x) (see analytics probe --help)\n",
        ),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(command, capsys, arguments, line):
    command(lambda: None)
    assert cli.run(arguments) == 2
    assert capsys.readouterr().err == line


def test_the_bare_command_shows_its_help(capsys):
    assert cli.run([]) == 0
    assert "Usage: analytics" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_error():
    script = (
        "import typer; from analytics_core import cli\n"
        "@cli.app.command()\n"
        "def probe(): [typer.echo('x' * 1000) for _ in range(1000)]\n"
        "cli.main()"
    )
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", script, "probe"], stdout=writing, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    os.read(reading, 100)
    os.close(reading)
    _, errors = process.communicate(timeout=60)
    assert errors == ""
    assert process.returncode == 1


def test_a_small_result_that_nobody_reads_is_no_error_either():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "analytics_core.cli", "--version"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writing)
    assert done.stderr == ""


def test_the_module_runs_as_the_installed_command_does():
    from importlib.metadata import version

    done = analytics("--version")
    assert (done.returncode, done.stdout.strip()) == (0, version("usage-analytics-workspace"))
