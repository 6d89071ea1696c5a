"""The command line in a process of its own, as people and programs run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

# Root may write anywhere; without these two it is bound by permissions as everybody is.
_UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def analytics(
    *arguments: str,
    database_url: str | None = None,
    profile: str | None = None,
    state_url: str | None = None,
    reader_url: str | None = None,
    spool: str | None = None,
    bound_by_permissions: bool = False,
    largest_file: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `analytics` with these arguments and settings.

    `largest_file`, in bytes, is where the system refuses to let a file grow, as a full disk does.
    """
    settings = {
        "ANALYTICS_DATABASE_URL": database_url,
        "ANALYTICS_PROFILE": profile,
        "ANALYTICS_STATE_URL": state_url,
        "ANALYTICS_READER_URL": reader_url,
        "ANALYTICS_SPOOL": spool,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    before: list[str] = []
    if bound_by_permissions and os.geteuid() == 0:
        before += _UNPRIVILEGED
    if largest_file is not None:
        before += ["prlimit", f"--fsize={largest_file}"]
    return subprocess.run(
        [*before, sys.executable, "-m", "analytics_core.cli", *arguments],
        env={**os.environ, **given},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def stats(
    *arguments: str, user: str = "mara@example.com", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run `analytics stats --format json` for a user."""
    return analytics("stats", "--user", user, "--format", "json", *arguments, **settings)


def complaints(done: subprocess.CompletedProcess[str]) -> str:
    """What was said on standard error, but for what a superuser, as tests are one, is told."""
    return done.stderr.replace("warning: row-level security does not hold back postgres\n", "")


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error of a command that was refused, and did nothing else."""
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines: Sequence[str] = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("analytics: ")
    return lines[0].removeprefix("analytics: ")
