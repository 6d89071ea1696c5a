"""Events of one person that wait in the spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analytics_core.model.named import named_in, without_keys
from analytics_core.telemetry.spool import waiting


def waiting_events(
    folder: Path, user_id: str, key_hashes: frozenset[str]
) -> Iterator[dict[str, Any]]:
    """What the database has not been told yet about a user, their keys' hashes left out."""
    users = frozenset({user_id})
    for line in waiting(folder):
        if named_in(line).is_about(users, key_hashes):
            yield {"event": without_keys(line)}
