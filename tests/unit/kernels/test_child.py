"""What a forked kernel sees of the nursery's knowledge."""

from __future__ import annotations

import sys

import pytest

from analytics_core.kernels.child import KnownFiles


def test_the_files_of_modules_are_known_and_the_rest_is_as_it_was() -> None:
    known = KnownFiles()
    files = {module.__file__ for module in known.modules.copy().values()}
    assert {pytest.__file__, __file__} <= files
    assert known.version is sys.version
    assert known.exc_info is sys.exc_info
