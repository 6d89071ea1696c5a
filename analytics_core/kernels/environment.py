"""What a kernel finds in its environment: what it needs to run and to reach its data, no more."""

from __future__ import annotations

from collections.abc import Mapping

from analytics_core.kernels.address import read_at_start
from analytics_core.settings import PREFIX, Settings

# Where things are, and how to reach a database; libpq's own variables begin with PG.
_NEEDED = frozenset(
    {
        "HOME", "IPYTHONDIR", "LOGNAME", "PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR",
        "SSL_CERT_FILE", "TMPDIR", "TZ", "USER",
    }
)  # fmt: skip
_ALSO = ("PG", "XDG_", PREFIX)


def for_visitors(environment: Mapping[str, str]) -> dict[str, str]:
    """Of a server's environment what the kernel of a visitor gets: no grant but its own, later."""
    kept = {
        name: value
        for name, value in environment.items()
        if (name in _NEEDED or name.startswith(_ALSO)) and name != f"{PREFIX}GRANT"
    }
    return for_anybody(read_at_start(environment) | kept)


def for_anybody(environment: Mapping[str, str]) -> dict[str, str]:
    """What any kernel of this workspace gets, an analyst's too: all but keys of ours."""
    return {name: value for name, value in environment.items() if Settings.is_for_kernels(name)}
