"""Which login links were used: a file, so that none is good again after a restart.

A link is written down before its visitor is let in, and forgotten when it would have expired.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from analytics_core.errors import SettingsError
from analytics_core.identity.tokens import LEEWAY_SECONDS
from analytics_core.settings import PREFIX

# Lines of some 40 bytes; above this those that have expired are left out.
_ENOUGH_BYTES = 100_000


class UsedLinks:
    """Remembers links by their ids, for all servers of this machine that share the file."""

    def __init__(self, path: Path) -> None:
        """Raises `SettingsError` where nothing could be remembered."""
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(self._open())
        except OSError as refused:
            raise SettingsError(
                f"{PREFIX}USED_LINKS", f"{path} cannot be written: {refused.strerror}"
            ) from None

    def use(self, link: str, expires: float) -> bool:
        """Use a link up; False where it was used before. Raises `OSError`."""
        # Whoever mints a link chooses its id: no line of ours is made of it.
        name = hashlib.blake2b(link.encode(), digest_size=16).hexdigest()
        with os.fdopen(self._open(), "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read()
            used = dict(_lines(text))
            if name in used:
                return False
            # Also after a line that was cut short.
            line = f"\n{name} {expires + LEEWAY_SECONDS + 1:.0f}\n"
            if len(text) > _ENOUGH_BYTES:
                now = time.time()
                line = "".join(f"{n} {until}\n" for n, until in used.items() if until > now) + line
                file.seek(0)
            file.write(line)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        return True

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """The name of each link that was used, and until when it is to be known."""
    for line in text.splitlines():
        name, _, until = line.partition(" ")
        if until.isdigit():
            yield name, int(until)
