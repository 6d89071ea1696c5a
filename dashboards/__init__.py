"""Live dashboards: observable models, and views of them as Jupyter widgets."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboards.address import PageState
    from dashboards.model import ApiUsageModel, CreditModel, RenderModel, UsageModel
    from dashboards.page import UsagePage

__all__ = ["ApiUsageModel", "CreditModel", "PageState", "RenderModel", "UsageModel", "UsagePage"]

_HOMES = {
    "ApiUsageModel": "model",
    "CreditModel": "model",
    "PageState": "address",
    "RenderModel": "model",
    "UsageModel": "model",
    "UsagePage": "page",
}


def __getattr__(name: str) -> Any:
    # The command that serves the page looks for it here, and must not wait for widgets.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
