"""The parts of the page that are not figures: plain HTML, kept in step with their traits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Dict, Int, List, TraitError, Unicode, validate

from dashboards.address import TABS
from dashboards.heard import is_some_period, is_some_zone, is_width

# Notebooks of analysts may choose what the page does not offer.
_DAY = 86_400
_FRONTEND = Path(__file__).parent / "frontend"
STYLE = Path(__file__).parent / "template/voila/templates/usage/page.css"


class Header(anywidget.AnyWidget):
    """The bar on top, the dates below it, and what to say when numbers could not be loaded.

    Asks for `{"ask": "refetch"}`, for `{"ask": "repeat"}` where it may have missed something, after
    which it is told `{"repeated": True}`, and for `{"ask": "download", "what": kind}`, of the kinds
    in `heard.DOWNLOADS`. A message `{"save": {"name", "mime"}}` with the content as its one buffer
    makes the browser save a file.
    """

    _esm: Path | str = _FRONTEND / "header.js"
    _css: Path | str = STYLE

    who = Unicode().tag(sync=True)
    presets = List(List(Unicode())).tag(sync=True)
    period = Unicode().tag(sync=True)
    compare = Bool().tag(sync=True)
    zone = Unicode().tag(sync=True)
    refresh = Int().tag(sync=True)
    own_zone = Unicode("UTC").tag(sync=True)
    range_text = Unicode().tag(sync=True)
    against_text = Unicode().tag(sync=True)
    first = Unicode().tag(sync=True)
    last = Unicode().tag(sync=True)
    loading = Bool(help="For long enough to be shown.").tag(sync=True)
    attempts = Int(help="Changes with whatever comes back.").tag(sync=True)
    error = Unicode().tag(sync=True)
    as_of = Unicode().tag(sync=True)
    updated = Unicode(help="Changes with each answer; empty before the first.").tag(sync=True)
    address = Dict().tag(sync=True)

    # What nobody can choose is not taken, whoever lets it through; what was chosen stays.
    @validate("period")
    def _some_period(self, proposal: Any) -> Any:
        return _taken(proposal, is_some_period(proposal["value"]))

    @validate("zone")
    def _some_zone(self, proposal: Any) -> Any:
        return _taken(proposal, is_some_zone(proposal["value"]))

    @validate("refresh")
    def _some_refresh(self, proposal: Any) -> Any:
        seconds = proposal["value"]
        return _taken(proposal, type(seconds) is int and 0 <= seconds <= _DAY)


class Cards(anywidget.AnyWidget):
    """A row of cards; before there are any, the `names` of those to come."""

    _esm: Path | str = _FRONTEND / "cards.js"
    _css: Path | str = STYLE

    label = Unicode("Summary").tag(sync=True)
    names = List(Unicode()).tag(sync=True)
    cards = List(Dict()).tag(sync=True)


class Tabs(anywidget.AnyWidget):
    """The tabs, as pairs of key and label, and which one is selected."""

    _esm: Path | str = _FRONTEND / "tabs.js"
    _css: Path | str = STYLE

    tabs = List(List(Unicode())).tag(sync=True)
    selected = Unicode().tag(sync=True)

    @validate("selected")
    def _some_tab(self, proposal: Any) -> Any:
        return _taken(proposal, proposal["value"] in TABS)


class ChartFrame(anywidget.AnyWidget):
    """Title, sentence, legend, tooltip and table around one figure.

    `plot` says where in the frame the plot lies, in pixels; `width` is what the browser has for it,
    0 before it said so with a message `{"width": pixels}`.
    """

    _esm: Path | str = _FRONTEND / "chart.js"
    _css: Path | str = STYLE

    chart: Any = Dict().tag(sync=True)
    plot: Any = Dict().tag(sync=True)
    width = Int(0)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._told)

    def _told(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        match content:
            case {"width": width} if is_width(width):
                self.width = width


def _taken(proposal: Any, is_good: bool) -> Any:
    """The value that is proposed for a trait; raises `TraitError`, and the trait keeps its own."""
    if not is_good:
        # Without the value: it may be anything.
        raise TraitError(f"no such {proposal['trait'].name} can be chosen")
    return proposal["value"]


def serve_from(address: str) -> None:
    """Let a page that has the style sheet already fetch the scripts of its parts from a folder.

    Elsewhere every part brings its script and the sheet along, because it may be the only one.
    """
    for part, script in (
        (Header, "header.js"), (Cards, "cards.js"), (Tabs, "tabs.js"), (ChartFrame, "chart.js"),
    ):  # fmt: skip
        part._esm = f"{address}{script}"
        part._css = ""
