"""What every view is tested with: nothing real, and no misspelt trait."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import comm
import pytest

from tests.support.asking import ByHand, FakeWorkspace


@pytest.fixture
def workspace() -> FakeWorkspace:
    return FakeWorkspace()


@pytest.fixture
def runner() -> ByHand:
    return ByHand()


@pytest.fixture(autouse=True)
def _misspelt_traits_are_errors() -> Iterator[None]:
    # traitlets only warns of an argument that is no trait, and then ignores it.
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=DeprecationWarning, module="traitlets")
        warnings.filterwarnings("error", message="Passing unrecognized arguments")
        yield


@pytest.fixture(autouse=True)
def _widgets_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    # Once ipykernel was imported by anybody, widgets outside of a kernel are silent.
    monkeypatch.setattr(comm, "create_comm", comm.DummyComm)
