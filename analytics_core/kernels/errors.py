"""Why a kernel has to be started as any other is; never more than a warning to anybody."""

from __future__ import annotations


class NurseryUnavailable(Exception):
    """No kernel can be forked: not here, not so, or not now. The message says why."""
