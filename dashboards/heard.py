"""What the parts of the page hear from a browser: what a person can choose there, nothing else.

The server asks this before a kernel is told anything; figures and boxes hear nothing at all. Light,
like all that the server imports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics_core.serving.conversation import Hearing
from dashboards.address import LONGEST_VALUE, REFRESH_SECONDS, TABS, is_period, is_zone

# Wider than any screen; wider still, a chart would be all ticks.
WIDEST = 10_000
DOWNLOADS = ("tab", "daily", "json", "xlsx")


def is_some_period(value: Any) -> bool:
    return _is_short(value) and is_period(value)


def is_some_zone(value: Any) -> bool:
    return value == "" or (_is_short(value) and is_zone(value))


def is_width(value: Any) -> bool:
    return type(value) is int and 0 < value <= WIDEST


def is_refresh(value: Any) -> bool:
    return type(value) is int and value in REFRESH_SECONDS


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_VALUE


def _is_request(content: Any) -> bool:
    match content:
        case {"ask": "refetch" | "repeat", **more} if not more:
            return True
        case {"ask": "download", "what": str(what), **more} if not more:
            return what in DOWNLOADS
    return False


def _is_report_of_width(content: Any) -> bool:
    return isinstance(content, dict) and content.keys() == {"width"} and is_width(content["width"])


HEARINGS: Mapping[str, Hearing] = {
    "dashboards.chrome.Header": Hearing(
        {
            "period": is_some_period,
            "compare": lambda value: type(value) is bool,
            "zone": is_some_zone,
            "refresh": is_refresh,
        },
        _is_request,
    ),
    "dashboards.chrome.Tabs": Hearing({"selected": lambda value: value in tuple(TABS)}),
    "dashboards.chrome.ChartFrame": Hearing(takes=_is_report_of_width),
}
