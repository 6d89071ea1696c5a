"""What a middleware told: the API calls that lie in a recorder's spool."""

from __future__ import annotations

from pathlib import Path

from analytics_core.model.event import ApiCall, from_json
from analytics_core.settings import Settings
from analytics_core.telemetry import Recorder
from analytics_core.telemetry.spool import waiting

KEY = "rk_live_4711"
BEARER = {"Authorization": f"Bearer {KEY}"}


def spooling(folder: Path) -> Recorder:
    """A recorder that nobody writes for: what it was told stays in its spool."""
    url = f"sqlite:///{folder / 'nobody.db'}"
    recorder = Recorder(Settings.read(database_url=url, spool=folder / "spool"), writer=None)
    # There is nothing to wait for when it is closed, or its process ends.
    recorder._closed = True
    return recorder


def told(recorder: Recorder) -> list[ApiCall]:
    """The calls it was told of so far, in their order."""
    calls = []
    for line in waiting(recorder.folder):
        call = from_json(line)
        assert isinstance(call, ApiCall)
        calls.append(call)
    return calls


def summary(recorder: Recorder) -> list[tuple[str, str, int]]:
    """Method, route and status of each."""
    return [(call.method, call.route, call.status_code) for call in told(recorder)]
