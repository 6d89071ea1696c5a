"""An executed notebook becomes one HTML file: what it says and shows, without code or scripts."""

from __future__ import annotations

import gc
import re
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from analytics_core.charts.page import page
from analytics_core.drawing.sheet import Sheet, style
from analytics_core.reports.page import to_html
from tests.support.samples import NOW, sample_comparison

PAGE = page("Mara", sample_comparison(), NOW)


def html(*cells: Any) -> str:
    return to_html(new_notebook(cells=list(cells)), "Usage – Mara – 2026-10")


def showing(**data: Any) -> Any:
    """A cell that shows one value in these media types (`text_html` is text/html)."""
    types = {name.replace("_", "/", 1): value for name, value in data.items()}
    return new_code_cell("secret_code()", outputs=[new_output("execute_result", types)])


def test_markdown_and_outputs_are_there_in_order() -> None:
    shown = html(new_markdown_cell("## Credits"), showing(text_html="<p>12 credits</p>"))
    assert re.search(r"<h2[^>]*>Credits.*<p>12 credits</p>", shown, re.DOTALL)


def test_code_is_not() -> None:
    assert "secret_code" not in html(showing(text_html="<p>12 credits</p>"))


def test_the_title_is_escaped() -> None:
    shown = to_html(new_notebook(), "<b>Mara</b>")
    assert "<title>&lt;b&gt;Mara&lt;/b&gt;</title>" in shown


def test_plain_text_is_escaped() -> None:
    assert "&lt;b&gt;" in html(showing(text_plain="<b>"))


def test_printed_text_is_shown_and_warnings_are_not() -> None:
    outputs = [
        new_output("stream", name="stdout", text="printed"),
        new_output("stream", name="stderr", text="warned"),
    ]
    shown = html(new_code_cell("1", outputs=outputs))
    assert "printed" in shown
    assert "warned" not in shown


def test_a_picture_is_part_of_the_file() -> None:
    assert 'src="data:image/png;base64,iVBO"' in html(showing(image_png="iVBO"))


def test_scripts_and_widgets_are_left_out() -> None:
    shown = html(
        showing(application_javascript="alert(1)", text_plain="instead"),
        showing(**{"application/vnd.jupyter.widget-view+json": {"model_id": "x"}}, text_plain="x"),
    )
    assert "<script" not in shown
    assert "alert(1)" not in shown
    assert "instead" in shown


def test_nothing_is_asked_of_any_host() -> None:
    shown = html(new_markdown_cell("Costs $5 and $6"), showing(text_html=Sheet(PAGE)._repr_html_()))
    assert not re.findall(r'(?:src|href)="(?!data:)', shown)
    assert not re.search(r"<script|<link|@import|url\(", shown)
    assert "default-src 'none'" in shown


def test_the_style_of_sheets_is_there_once() -> None:
    sheet = Sheet(PAGE.cards[0])._repr_html_()
    shown = html(showing(text_html=sheet), showing(text_html=sheet))
    assert shown.count(style()) == 1
    assert shown.count('<div class="sheet">') == 2


def test_nothing_of_a_notebook_is_kept_once_its_page_is_there() -> None:
    def notebooks() -> int:
        gc.collect()
        # Not isinstance: it asks a lazy object of a library for its class, which wakes it.
        return sum(type(thing) is NotebookNode for thing in gc.get_objects())

    html()
    before = notebooks()
    for number in range(3):
        to_html(new_notebook(metadata={"papermill": {"user": number}}), f"Report {number}")
    assert notebooks() == before
