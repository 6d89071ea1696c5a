"""The state of the page as a value that an address can be read into and written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import date
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from analytics_core.errors import RangeError, UnknownZone
from analytics_core.model.daterange import DateRange, Preset, read_zone

TABS = {
    "overview": "Overview",
    "renders": "Renders",
    "credits": "Credits",
    "api": "API usage",
    "storage": "Storage",
    "projects": "Projects",
}
PRESETS = {
    Preset.WEEK: "7 d",
    Preset.MONTH: "30 d",
    Preset.QUARTER: "90 d",
    Preset.THIS_MONTH: "This month",
    Preset.LAST_MONTH: "Last month",
    Preset.THIS_YEAR: "This year",
    Preset.ALL: "All",
}
CARDS = ("Renders", "Credits spent", "API calls", "Storage", "Projects", "Account")
REFRESH_SECONDS = (0, 30, 60, 300)
# Longer than anything we write; what is longer did not come from us.
LONGEST_VALUE = 64
_ANY_DAY = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class PageState:
    """What a visitor chose: tab, period, comparison, zone ("" is their own), refresh in seconds."""

    tab: str = "overview"
    period: str = Preset.MONTH.value
    compare: bool = False
    zone: str = ""
    refresh: int = 0

    @classmethod
    def from_query(cls, query: str) -> PageState:
        """Read an address's query, whoever wrote it; what is unknown falls back, never fails."""
        given = {
            name: value
            for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=None)
            if len(value) <= LONGEST_VALUE
        }
        usual = cls()
        tab, period, zone = given.get("tab", ""), given.get("range", ""), given.get("zone", "")
        refresh = given.get("refresh", "")
        return cls(
            tab=tab if tab in TABS else usual.tab,
            period=period if is_period(period) else usual.period,
            compare=given.get("compare") == "1",
            zone=zone if is_zone(zone) else usual.zone,
            refresh=int(refresh) if refresh in map(str, REFRESH_SECONDS) else usual.refresh,
        )

    def to_parameters(self) -> Mapping[str, str | None]:
        """Every parameter of ours and its value, None for what an address need not say."""
        usual = PageState()
        texts = {
            "tab": self.tab,
            "range": self.period,
            "compare": "1" if self.compare else "0",
            "zone": self.zone,
            "refresh": str(self.refresh),
        }
        chosen = astuple(self)
        return {
            name: text if is_chosen != is_usual else None
            for (name, text), is_chosen, is_usual in zip(
                texts.items(), chosen, astuple(usual), strict=True
            )
        }

    def to_query(self) -> str:
        """The query of an address that `from_query` reads back."""
        return urlencode({name: value for name, value in self.to_parameters().items() if value})


def is_period(text: str) -> bool:
    """Whether this is a period as people, and addresses, write it."""
    try:
        DateRange.parse(text, _ANY_DAY, ZoneInfo("UTC"))
    except RangeError:
        return False
    return True


def is_zone(text: str) -> bool:
    """Whether this names a time zone."""
    try:
        read_zone(text)
    except UnknownZone:
        return False
    return True
