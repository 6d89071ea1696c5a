"""An executed notebook as one HTML file that needs nothing else: no script, no request, no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter
from traitlets.config import Config

from analytics_core.drawing import sheet

_TEMPLATE = Path(__file__).parent / "page_template"
# What a cell may show, best first. Scripts and widgets are not here: they need a browser that runs
# them, and usually another host.
_SHOWN = (
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/markdown",
    "text/plain",
)


def to_html(notebook: Any, title: str) -> str:
    """The Markdown and the outputs of a notebook, in order, as one page."""
    exporter = HTMLExporter(
        template_name=_TEMPLATE.name,
        extra_template_basedirs=[str(_TEMPLATE.parent)],
        config=Config({"NbConvertBase": {"display_data_priority": list(_SHOWN)}}),
        exclude_input=True,
        exclude_anchor_links=True,
    )
    css = (_TEMPLATE / "page.css").read_text(encoding="utf-8")
    html, _ = exporter.from_notebook_node(
        notebook, resources={"metadata": {"name": title}, "page_style": f"<style>{css}</style>"}
    )
    # Every sheet brings its style along; in a page once is enough.
    start, style, rest = str(html).partition(sheet.style())
    return start + style + rest.replace(style, "") if style else start
