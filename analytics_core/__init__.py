"""Usage analytics for a service that sells AI renders for credits."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics_core.errors import AnalyticsError
    from analytics_core.model.daterange import DateRange
    from analytics_core.model.scope import Scope
    from analytics_core.settings import Settings
    from analytics_core.workspace import Workspace

__all__ = ["AnalyticsError", "DateRange", "Scope", "Settings", "Workspace"]

_HOMES = {
    "AnalyticsError": "errors",
    "DateRange": "model.daterange",
    "Scope": "model.scope",
    "Settings": "settings",
    "Workspace": "workspace",
}


def __getattr__(name: str) -> Any:
    # Importing any module of ours imports this one first: `analytics --help` must not wait for
    # SQLAlchemy.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
