"""What a test does where the machine lacks something it needs."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def on_ci() -> bool:
    """Whether this run must prove everything (CI=true)."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the test with one line that says how to get it run; on CI it fails instead."""
    line = f"{what} is missing: {remedy}"
    if on_ci():
        pytest.fail(f"{line} (a failure because CI is set)", pytrace=False)
    pytest.skip(line)
