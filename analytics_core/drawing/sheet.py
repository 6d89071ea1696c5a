"""Pages, cards and charts as HTML with static pictures: what notebooks and reports show.

No script, no request: light and dark, phone, desk and paper are told apart by the style sheet. The
table behind a chart folds out of its panel.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from analytics_core.charts import table
from analytics_core.charts.page import Heading, Page
from analytics_core.charts.values import Card, Chart, Kind, TabContent
from analytics_core.drawing import palette
from analytics_core.drawing.svg import escaped, legend, responsive, sparkline

Part: TypeAlias = Page | Heading | TabContent | Card | Chart

# From a phone's panel to one as wide as the page; the same for all charts, because the rules that
# choose among drawings hold for the whole page.
_WIDTHS = (320, 420, 540, 660, 820, 1080)


class Sheet:
    """Something that a notebook shows as the last value of a cell."""

    def __init__(self, *parts: Part) -> None:
        self.parts = parts

    def _repr_html_(self) -> str:
        return f'{style()}<div class="sheet">{"".join(_grouped(self.parts))}</div>'

    def __repr__(self) -> str:
        return f"<{', '.join(_name(part) for part in self.parts) or 'nothing to show'}>"


@cache
def style() -> str:
    """The style element that every sheet brings along, once per page being enough."""
    rules = Path(__file__).with_name("sheet.css").read_text(encoding="utf-8")
    light, dark = (palette.declarations(t) for t in (palette.Theme.LIGHT, palette.Theme.DARK))
    # Paper is white whatever the reader's screen prefers, and JupyterLab has a theme of its own.
    others = (
        f"@media print{{:root{{{light}}}}}"
        f'[data-jp-theme-light="true"] .sheet{{color-scheme:light;{light}}}'
        f'[data-jp-theme-light="false"] .sheet{{color-scheme:dark;{dark}}}'
    )
    return f"<style>{palette.css()}{rules}{others}</style>"


def _grouped(parts: Iterable[Part]) -> Iterable[str]:
    """The parts as HTML, neighbouring cards and neighbouring charts in one grid each."""
    cards: list[Card] = []
    charts: list[Chart] = []
    for part in parts:
        if cards and not isinstance(part, Card):
            yield _cards(cards)
            cards = []
        if charts and not isinstance(part, Chart):
            yield _panels(charts)
            charts = []
        match part:
            case Card():
                cards.append(part)
            case Chart():
                charts.append(part)
            case Heading():
                yield _heading(part)
            case TabContent():
                yield from _grouped([*part.cards, *part.charts])
            case Page():
                yield _heading(part.heading)
                yield from _grouped(part.cards)
                for tab in part.tabs:
                    yield f"<h2>{escaped(tab.label)}</h2>"
                    yield from _grouped([tab])
    if cards:
        yield _cards(cards)
    if charts:
        yield _panels(charts)


def _name(part: Part) -> str:
    match part:
        case Card() | TabContent():
            return part.label
        case Chart():
            return part.title
        case Heading():
            return part.dates
        case Page():
            return part.heading.dates


def _heading(heading: Heading) -> str:
    against = f"<span>against {escaped(heading.against)}</span>" if heading.against else ""
    return (
        f'<header class="top"><h1>Usage</h1><p class="who">{escaped(heading.who)}</p>'
        f'<p class="as-of">As of {escaped(heading.as_of)}</p></header>'
        f'<p class="which">{escaped(heading.dates)} · {escaped(heading.zone)} {against}</p>'
    )


def _cards(cards: Iterable[Card]) -> str:
    return f'<section class="cards">{"".join(map(_card, cards))}</section>'


def _card(card: Card) -> str:
    chip = before = ""
    if change := card.change:
        shown = change.percent or change.difference
        chip = f'<span class="chip {change.tone}">{escaped(shown)}</span>'
        before = f'<p class="before"><span>{escaped(change.before)}</span>'
        if change.percent:
            before += f" <span>({escaped(change.difference)})</span>"
        before += "</p>"
    line = f'<div class="spark">{sparkline(card.line, card.role)}</div>' if any(card.line) else ""
    return (
        f'<article class="card{"" if line else " plain"}" data-key="{escaped(card.key)}"'
        f' data-value="{"" if card.exact is None else card.exact}"><h3>{escaped(card.label)}</h3>'
        f'<div class="figures"><span class="value">{escaped(card.value)}</span>{chip}</div>'
        f'{before}<p class="context">{escaped(card.context)}</p>{line}</article>'
    )


def _panels(charts: Iterable[Chart]) -> str:
    """Two panels in a row; of an odd number of neighbours one has a row of its own."""
    panels = []
    for over_time, neighbours in groupby(charts, key=lambda chart: chart.kind is Kind.LINES):
        group = list(neighbours)
        alone = (0 if over_time else len(group) - 1) if len(group) % 2 else None
        panels += [_panel(chart, wide=n == alone) for n, chart in enumerate(group)]
    return f'<section class="panels">{"".join(panels)}</section>'


def _panel(chart: Chart, *, wide: bool) -> str:
    summary = f'<p class="summary">{escaped(chart.summary)}</p>' if chart.summary else ""
    if chart.empty:
        # Nothing will ever appear in a static page: words need no room in the shape of a chart.
        body = f'<p class="empty">{escaped(chart.empty)}</p>'
    else:
        body = f"{responsive(chart, widths=_WIDTHS)}{_table(chart)}"
    return (
        f'<article class="panel{" wide" if wide else ""}" data-key="{escaped(chart.key)}">'
        f'<div class="head"><h3>{escaped(chart.title)}</h3>{summary}{legend(chart)}</div>'
        f"{body}</article>"
    )


def _table(chart: Chart) -> str:
    header, rows = table(chart)
    head = "".join(f'<th scope="col">{escaped(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{escaped(name)}</th>'
        f"{''.join(f'<td>{escaped(value)}</td>' for value in values)}</tr>"
        for name, *values in rows
    )
    return (
        '<details class="behind"><summary>Table</summary><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )
