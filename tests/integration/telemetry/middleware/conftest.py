"""A recorder whose spool the tests of the middlewares read."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_core.telemetry import Recorder
from tests.support.calls import spooling


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return spooling(tmp_path)
