"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

_PACKAGES = ("sqlalchemy", "psycopg", "pandas", "numpy")


def facts() -> str:
    """One line: cores, memory, system, and the versions that matter."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, load {load:.1f} at the start,"
        f" {platform.system()} {platform.machine()}, Python {platform.python_version()}, {packages}"
    )
