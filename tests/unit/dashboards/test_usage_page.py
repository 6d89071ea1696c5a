"""The page follows its model, and the model follows what visitors choose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from ipywidgets import Widget

from analytics_core.errors import (
    AccessEnded,
    DatabaseUnavailable,
    NotHeldBack,
    ProfileError,
    RangeError,
    ScopeError,
)
from dashboards.address import TABS, PageState
from dashboards.model import UsageModel
from dashboards.page import UsagePage, in_plain_words
from tests.support.asking import ByHand, FakeWorkspace
from tests.support.samples import NOW, empty_comparison, sample_comparison

GONE = DatabaseUnavailable("postgresql://analytics@db.internal/prod", "connection refused")


@pytest.fixture
def model(workspace: FakeWorkspace, runner: ByHand) -> Iterator[UsageModel]:
    asking = UsageModel(workspace=workspace, runner=runner)  # type: ignore[arg-type]
    yield asking
    asking.close()


@pytest.fixture
def page(model: UsageModel) -> Iterator[UsagePage]:
    made = UsagePage(model, clock=lambda: NOW)
    yield made
    made.close()


def seen(page: UsagePage, width: int = 800) -> None:
    """The browser says how wide the frames of the open tab are."""
    for chart in page.views[page.tabs.selected].charts.values():
        chart.frame.width = width


def test_cards_wait_under_their_names_until_there_are_numbers(
    page: UsagePage, runner: ByHand
) -> None:
    assert page.cards.widget.cards == []
    assert len(page.cards.widget.names) == 6
    assert page.header.loading
    runner.answer()
    assert [card["key"] for card in page.cards.widget.cards] == [
        "renders", "credits", "api", "storage", "projects", "account",
    ]  # fmt: skip
    assert not page.header.loading


def test_cards_carry_the_exact_numbers(
    page: UsagePage, runner: ByHand, workspace: FakeWorkspace
) -> None:
    runner.answer()
    exact = {card["key"]: card["exact"] for card in page.cards.widget.cards}
    current = workspace.answer.current
    assert exact["renders"] == current.renders.total
    assert exact["storage"] == current.storage.stored_bytes


def test_with_the_comparison_every_card_has_the_period_before(
    page: UsagePage, runner: ByHand
) -> None:
    runner.answer()
    for card in page.cards.widget.cards:
        assert card["change"]["before"]
        assert card["change"]["difference"]


def test_a_tab_is_filled_when_it_is_first_opened(page: UsagePage, runner: ByHand) -> None:
    runner.answer()
    assert page.views["overview"].charts
    assert not page.views["credits"].charts
    page.tabs.selected = "credits"
    assert page.views["credits"].charts


def test_a_figure_is_made_once_the_browser_has_room_for_it(page: UsagePage, runner: ByHand) -> None:
    runner.answer()
    charts = page.views["overview"].charts.values()
    assert all(chart.figure is None for chart in charts)
    seen(page)
    assert all(chart.figure is not None for chart in charts)


def test_newer_numbers_go_into_the_same_marks(
    page: UsagePage, runner: ByHand, workspace: FakeWorkspace
) -> None:
    runner.answer()
    seen(page)
    chart = page.views["overview"].charts["daily-usage"]
    assert chart.figure is not None
    marks, before = chart.figure.widget.marks, chart.figure.widget.marks[-1].y.copy()
    workspace.answer = sample_comparison(scale=2)
    page.model.refetch()
    runner.answer()
    assert page.views["overview"].charts["daily-usage"] is chart
    assert chart.figure.widget.marks == marks
    assert (chart.figure.widget.marks[-1].y != before).any()


def test_only_the_open_tab_is_brought_up_to_date(
    page: UsagePage, runner: ByHand, workspace: FakeWorkspace
) -> None:
    runner.answer()
    page.tabs.selected = "credits"
    shown = page.views["overview"].charts["daily-usage"].frame.chart
    workspace.answer = sample_comparison(scale=3)
    page.model.refetch()
    runner.answer()
    assert page.views["overview"].charts["daily-usage"].frame.chart == shown
    page.tabs.selected = "overview"
    assert page.views["overview"].charts["daily-usage"].frame.chart != shown


def test_the_same_numbers_again_are_as_of_now(model: UsageModel, runner: ByHand) -> None:
    times = iter([NOW, NOW + timedelta(hours=3)])
    page = UsagePage(model, clock=lambda: next(times))
    runner.answer()
    before = page.header.as_of
    model.refetch()
    runner.answer()
    assert page.header.as_of != before
    page.close()


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_shows_charts_with_a_table_each(
    page: UsagePage, runner: ByHand, tab: str
) -> None:
    runner.answer()
    page.tabs.selected = tab
    seen(page, 360)
    for chart in page.views[tab].charts.values():
        told = chart.frame.chart
        assert told["title"]
        assert told["summary"]
        assert len(told["table"]["rows"]) == len(told["labels"]) == len(told["at"])
        assert chart.figure is not None
        assert all(0 <= position <= 1 for position in told["at"])


@pytest.mark.parametrize("tab", TABS)
def test_a_user_without_anything_is_told_what_would_be_there(
    page: UsagePage, runner: ByHand, workspace: FakeWorkspace, tab: str
) -> None:
    workspace.answer = empty_comparison()
    runner.answer()
    page.tabs.selected = tab
    seen(page)
    for chart in page.views[tab].charts.values():
        assert chart.frame.chart["empty"]
        assert "is-empty" in chart.widget._dom_classes
        assert chart.figure is None


def test_what_was_empty_is_drawn_once_there_is_something(
    page: UsagePage, runner: ByHand, workspace: FakeWorkspace
) -> None:
    workspace.answer = empty_comparison(30)
    runner.answer()
    seen(page)
    workspace.answer = sample_comparison()
    page.model.refetch()
    runner.answer()
    for chart in page.views["overview"].charts.values():
        assert "is-empty" not in chart.widget._dom_classes


def test_an_error_leaves_the_last_good_numbers_and_says_what_happened(
    page: UsagePage, runner: ByHand, workspace: FakeWorkspace
) -> None:
    runner.answer()
    cards = page.cards.widget.cards
    workspace.answer = GONE
    page.model.refetch()
    runner.answer()
    assert page.cards.widget.cards == cards
    assert "does not answer" in page.header.error
    assert page.header.as_of


def test_retry_asks_again(page: UsagePage, runner: ByHand, workspace: FakeWorkspace) -> None:
    good, workspace.answer = workspace.answer, GONE
    runner.answer()
    workspace.answer = good
    page._asked(page.header, {"ask": "refetch"}, [])
    runner.answer()
    assert page.header.error == ""
    assert page.cards.widget.cards


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GONE, "The database that holds your usage does not answer right now."),
        (RangeError("that range lies outside the calendar"), "That range lies outside"),
        (AccessEnded(), "Access has ended: open this again"),
        (ProfileError("/srv/postgresql.toml", "no column"), "Something went wrong on our side"),
        (ScopeError("nothing here can sign a grant"), "may not show you these numbers"),
        (NotHeldBack("postgresql://host/db", "role"), "Something went wrong on our side"),
        (ZeroDivisionError("division by zero"), "Something went wrong on our side"),
    ],
)
def test_visitors_read_plain_words_and_nothing_of_the_inside(error: Exception, words: str) -> None:
    assert words in in_plain_words(error)
    assert "postgresql" not in in_plain_words(error)
    assert "grant" not in in_plain_words(error)
    assert "division" not in in_plain_words(error)


def test_what_the_visitor_chooses_is_asked_and_written_into_the_address(
    page: UsagePage, runner: ByHand, workspace: FakeWorkspace
) -> None:
    runner.answer()
    page.header.period = "2026-10-01..2026-10-07"
    page.header.compare = True
    page.header.zone = "UTC"
    page.header.refresh = 60
    page.tabs.selected = "storage"
    runner.answer(-1)
    assert workspace.asked[-1] == ("everything", "2026-10-01..2026-10-07", "UTC", True)
    assert page.header.address == {
        "tab": "storage",
        "range": "2026-10-01..2026-10-07",
        "compare": "1",
        "zone": "UTC",
        "refresh": "60",
    }


def test_charts_are_sent_first_then_cards_and_the_rest_in_one_message(
    page: UsagePage, runner: ByHand, workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.answer()
    seen(page)
    sent: list[tuple[Widget, set[str]]] = []
    monkeypatch.setattr(
        Widget, "_send", lambda self, msg, buffers=None: sent.append((self, set(msg["state"])))
    )
    workspace.answer = sample_comparison(scale=2)
    page.header.period = "7d"
    # Only that it was chosen: nothing is redrawn before there is an answer.
    assert sent == [(page.header, {"period"})]
    sent.clear()
    runner.answer()
    figure = page.views["overview"].charts["daily-usage"].figure
    assert figure is not None
    mark, first = sent[0]
    assert mark is figure.widget.marks[-1]
    assert "y" in first
    assert [widget for widget, _ in sent].count(mark) == 1
    assert [widget for widget, _ in sent[-2:]] == [page.cards.widget, page.header]
    assert {"address", "updated", "attempts"} <= sent[-1][1]


def test_what_takes_long_is_said_with_its_address(page: UsagePage, runner: ByHand) -> None:
    runner.answer()
    page.header.period = "7d"
    assert not page.header.loading
    [(_, is_late)] = runner.timers
    runner.timers.clear()
    is_late()
    assert page.header.loading
    assert page.header.address["range"] == "7d"
    runner.answer()
    assert not page.header.loading


def test_what_is_chosen_while_it_takes_long_is_in_the_address_at_once(
    page: UsagePage, runner: ByHand
) -> None:
    # Without any numbers, waiting is said from the start.
    page.header.period = "90d"
    assert page.header.address["range"] == "90d"
    runner.answer(-1)
    page.header.period = "all"
    runner.timers.pop()[1]()
    page.header.period = "7d"
    page.header.compare = True
    page.header.zone = "UTC"
    assert page.header.loading
    chosen = ("range", "compare", "zone")
    assert [page.header.address[name] for name in chosen] == ["7d", "1", "UTC"]


def test_the_same_address_opens_the_same_view(model: UsageModel) -> None:
    model.period, model.compare = "90d", True
    page = UsagePage(model, PageState(tab="projects"), clock=lambda: NOW)
    assert page.state == PageState("projects", "90d", True, "", 0)
    assert page.header.address["range"] == "90d"
    page.close()


@pytest.mark.parametrize("what", ["tab", "daily", "json", "xlsx"])
def test_what_is_shown_can_be_downloaded(
    page: UsagePage, runner: ByHand, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.answer()
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(
        page.header, "send", lambda content, buffers: sent.append((content, buffers))
    )
    page._asked(page.header, {"ask": "download", "what": what}, [])
    [(content, [body])] = sent
    assert content["save"]["name"].startswith("usage-")
    if what == "json":
        shown = page.model.data
        assert shown is not None
        assert json.loads(body) == json.loads(json.dumps(shown.to_dict()))


def test_nothing_is_sent_for_what_nobody_offers(
    page: UsagePage, runner: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner.answer()
    monkeypatch.setattr(page.header, "send", lambda *_: pytest.fail("nothing to send"))
    for content in ({"ask": "download", "what": "/etc/passwd"}, {"ask": "rm"}, {}):
        page._asked(page.header, content, [])


def test_closing_leaves_no_widget_behind(model: UsageModel, runner: ByHand) -> None:
    alive = set(_instances())
    page = UsagePage(model, clock=lambda: NOW)
    runner.answer()
    for tab in TABS:
        page.tabs.selected = tab
        seen(page)
    assert set(_instances()) > alive
    page.close()
    assert set(_instances()) == alive


def test_a_closed_page_no_longer_follows(model: UsageModel, runner: ByHand) -> None:
    page = UsagePage(model, clock=lambda: NOW)
    page.close()
    runner.answer()
    assert page.cards.widget.cards == []


def _instances() -> dict[str, Widget]:
    from ipywidgets.widgets import widget

    return widget._instances
