"""What a forked kernel sees of the nursery's knowledge."""

from __future__ import annotations

import sys

import pytest

from analytics_core.kernels.child import KnownModules


def test_files_and_names_of_modules_are_known_and_the_rest_is_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = KnownModules()
    files = [module.__file__ for module in known.modules.copy().values()]
    assert {pytest.__file__, __file__} <= set(files)
    assert set(known.modules.keys()) == set(sys.modules)
    assert known.version is sys.version
    assert known.exc_info is sys.exc_info
    monkeypatch.setattr(sys, "argv", sys.argv)
    known.argv = ["changed"]
    assert sys.argv == ["changed"]
