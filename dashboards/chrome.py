"""The parts of the page that are not figures: plain HTML, kept in step with their traits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Dict, Int, List, Unicode

_FRONTEND = Path(__file__).parent / "frontend"
STYLE = Path(__file__).parent / "template/voila/templates/usage/page.css"


class Header(anywidget.AnyWidget):
    """The bar on top, the dates below it, and what to say when numbers could not be loaded.

    Asks for `{"ask": "refetch"}` and `{"ask": "download", "format": "csv" | "json"}`; a message
    `{"save": {"name", "mime", "text"}}` makes the browser save a file.
    """

    _esm = _FRONTEND / "header.js"
    _css = STYLE

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
    loading = Bool().tag(sync=True)
    error = Unicode().tag(sync=True)
    as_of = Unicode().tag(sync=True)
    updated = Unicode(help="Changes with each answer; empty before the first.").tag(sync=True)
    address = Dict().tag(sync=True)


class Cards(anywidget.AnyWidget):
    """A row of cards; before there are any, the `names` of those to come."""

    _esm = _FRONTEND / "cards.js"
    _css = STYLE

    label = Unicode("Summary").tag(sync=True)
    names = List(Unicode()).tag(sync=True)
    cards = List(Dict()).tag(sync=True)


class Tabs(anywidget.AnyWidget):
    """The tabs, as pairs of key and label, and which one is selected."""

    _esm = _FRONTEND / "tabs.js"
    _css = STYLE

    tabs = List(List(Unicode())).tag(sync=True)
    selected = Unicode().tag(sync=True)


class ChartFrame(anywidget.AnyWidget):
    """Title, sentence, legend, tooltip and table around one figure.

    `plot` says where in the frame the plot lies, in pixels; `width` is what the browser has for it,
    0 before it said so with a message `{"width": pixels}`.
    """

    _esm = _FRONTEND / "chart.js"
    _css = STYLE

    chart: Any = Dict().tag(sync=True)
    plot: Any = Dict().tag(sync=True)
    width = Int(0)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._told)

    def _told(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        match content:
            case {"width": int(width)} if width > 0:
                self.width = width
