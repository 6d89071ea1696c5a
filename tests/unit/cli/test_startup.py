"""Every command pays for importing the command line, so it stays cheap."""

from __future__ import annotations

import resource
import subprocess
import sys

HEAVY = (
    "pandas",
    "pyarrow",
    "IPython",
    "jupyter_client",
    "notebook",
    "papermill",
    "voila",
    "bqplot",
)


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    script = (
        "import sys, analytics_core.cli\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


def test_help_is_there_at_once() -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "analytics_core.cli", "--help"],
            capture_output=True,
            check=True,
            timeout=60,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)

    # The processor's time, which other tests on the same machine lengthen less than the clock's.
    assert min(seconds() for _ in range(3)) < 0.7
