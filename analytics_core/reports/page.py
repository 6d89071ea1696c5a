"""An executed notebook as one HTML file that needs nothing else: no script, no request, no code."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters.highlight import Highlight2HTML
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
# The exporter is kept, and keeps something of the page that it makes.
_one_at_a_time = Lock()


def to_html(notebook: Any, title: str) -> str:
    """The Markdown and the outputs of a notebook, in order, as one page."""
    css = (_TEMPLATE / "page.css").read_text(encoding="utf-8")
    with _one_at_a_time:
        html, _ = _exporter().from_notebook_node(
            notebook, resources={"metadata": {"name": title}, "page_style": f"<style>{css}</style>"}
        )
    # Every sheet brings its style along; in a page once is enough.
    start, style, rest = str(html).partition(sheet.style())
    return start + style + rest.replace(style, "") if style else start


class _Page(HTMLExporter):
    """nbconvert's exporter, without its second look at the page.

    It parses all that it has written with BeautifulSoup, to add attributes to parts of a template
    that is not ours: four fifths of what a page took.
    """

    def from_notebook_node(self, nb: Any, resources: Any = None, **options: Any) -> Any:
        lexer = nb.metadata.get("language_info", {}).get("pygments_lexer")
        highlight = Highlight2HTML(pygments_lexer=lexer, parent=self)
        self.register_filter("highlight_code", highlight)  # type: ignore[no-untyped-call]
        try:
            return TemplateExporter.from_notebook_node(self, nb, resources, **options)
        finally:
            # It keeps the metadata of all notebooks, by their titles, for nobody.
            self._nb_metadata.clear()


@cache
def _exporter() -> _Page:
    # Its templates are compiled for the first page; the next ones take a tenth of the time.
    return _Page(  # type: ignore[no-untyped-call]
        template_name=_TEMPLATE.name,
        extra_template_basedirs=[str(_TEMPLATE.parent)],
        config=Config({"NbConvertBase": {"display_data_priority": list(_SHOWN)}}),
        exclude_input=True,
        exclude_anchor_links=True,
    )
