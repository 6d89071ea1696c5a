"""The page before its kernel: the right numbers, links for controls, and data for the kernel."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from analytics_core.charts.page import page
from analytics_core.errors import DatabaseUnavailable
from analytics_core.identity.visitor import Visitor
from analytics_core.model.scope import Scope
from analytics_core.serving.granting import Granting
from analytics_core.settings import Settings
from analytics_core.workspace import Workspace
from dashboards import given
from dashboards.address import TABS, PageState
from dashboards.first_paint import FirstPaint
from dashboards.model import UsageModel
from tests.support.asking import MARA, ByHand, FakeWorkspace
from tests.support.samples import NOW, empty_comparison, sample_comparison

VISITOR = Visitor.of_scope(Scope.user("u1"))


# Of a database that nobody connects to: it would not check what is granted.
GRANTING = Granting(Workspace.open(Settings.read(), Scope.everyone()))


def painted(workspace: FakeWorkspace, query: str = "") -> str:
    return FirstPaint(workspace, GRANTING, clock=lambda: NOW).paint(VISITOR, query).html  # type: ignore[arg-type]


def links(text: str) -> list[dict[str, list[str]]]:
    return [parse_qs(html.unescape(query)) for query in re.findall(r'href="\?([^"]*)"', text)]


@pytest.mark.parametrize("tab", TABS)
def test_the_cards_and_the_charts_of_the_chosen_tab_are_painted(
    workspace: FakeWorkspace, tab: str
) -> None:
    text = painted(workspace, f"tab={tab}")
    shown = page("", sample_comparison(), NOW)
    for card in (*shown.cards, *shown.tab(tab).cards):
        assert f'data-key="{card.key}" data-value="{card.exact}"' in text
        assert html.escape(card.value) in text
    drawn = re.findall(r"panel-of-([\w-]+)", text)
    assert drawn == [chart.key for chart in shown.tab(tab).charts]
    assert text.count('class="plot"') >= sum(c.empty is None for c in shown.tab(tab).charts)


def test_one_question_is_asked_and_it_is_that_of_the_address(workspace: FakeWorkspace) -> None:
    painted(workspace, "range=7d&zone=Asia%2FTokyo&compare=1&tab=credits")
    assert workspace.asked == [("everything", "7d", "Asia/Tokyo", True)]


@pytest.mark.parametrize(
    "query",
    [
        "tab=<script>&range=';DROP TABLE renders;--&zone=../../etc/passwd&compare=yes&refresh=1e9",
        "range=" + "9" * 5000,
        "%00=%ff&&&=&tab=overview%00",
        "tab=renders&tab=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
    ],
)
def test_a_hostile_address_falls_back_and_is_nowhere_in_the_page(
    workspace: FakeWorkspace, query: str
) -> None:
    text = painted(workspace, query)
    assert workspace.asked == [("everything", "30d", None, False)]
    assert not re.search(r"<script|onerror|DROP|passwd|9{9}", text)


def test_a_hostile_name_is_text(workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = type(MARA)("u1", "m@example.com", '"><script>alert(1)</script>', "UTC", None, None)
    monkeypatch.setattr(workspace, "find_user", lambda _: hostile, raising=False)
    assert "<script" not in painted(workspace)


def test_controls_are_links_to_the_same_page_in_another_state(workspace: FakeWorkspace) -> None:
    found = links(painted(workspace, "range=7d&tab=api&compare=1"))
    assert {"range": ["90d"], "tab": ["api"], "compare": ["1"]} in found
    assert {"range": ["7d"], "tab": ["credits"], "compare": ["1"]} in found
    assert {"range": ["7d"], "tab": ["api"]} in found


def test_an_error_is_painted_with_a_retry_and_the_kernel_asks_again(
    workspace: FakeWorkspace,
) -> None:
    workspace.answer = DatabaseUnavailable("somewhere", "secret reason")
    made = FirstPaint(workspace, GRANTING).paint(VISITOR, "range=7d")  # type: ignore[arg-type]
    assert "does not answer right now" in made.html
    assert "secret" not in made.html
    assert 'class="button retry" href="?range=7d"' in made.html
    exec(made.source, {})
    assert given.take() == given.Given("range=7d")


def test_what_may_not_be_granted_is_told_and_is_not_worth_asking_again(
    workspace: FakeWorkspace,
) -> None:
    others = Granting(Workspace.open(Settings.read(), Scope.user("u2")))
    made = FirstPaint(workspace, others).paint(VISITOR, "")  # type: ignore[arg-type]
    assert (made.grant, made.is_withheld) == ("", True)
    assert "may not show you these numbers" in made.html


def test_who_has_nothing_is_told_what_would_be_there(workspace: FakeWorkspace) -> None:
    workspace.answer = empty_comparison()
    text = painted(workspace, "tab=renders")
    assert "would appear here" in text
    assert 'class="plot"' not in text


def test_the_kernel_gets_the_same_answer_and_does_not_ask(
    workspace: FakeWorkspace, runner: ByHand
) -> None:
    made = FirstPaint(workspace, GRANTING).paint(VISITOR, "range=7d&compare=1")  # type: ignore[arg-type]
    exec(made.source, {})
    kept = given.take()
    assert kept is not None
    assert kept.data == sample_comparison()
    state = PageState.from_query(kept.query)
    model = UsageModel(
        workspace=workspace,
        runner=runner,
        period=state.period,
        given=kept,  # type: ignore[arg-type]
    )
    assert runner.waiting == []
    assert (model.data, model.who, model.loading) == (kept.data, MARA.name, False)
    assert model.fetched_at is not None
    assert model.fetched_at.tzinfo is UTC or model.fetched_at.utcoffset() is not None
    model.period = "30d"
    assert len(runner.waiting) == 1


def test_what_is_given_is_taken_once() -> None:
    given.give('{"query": "tab=api"}')
    assert given.take() == given.Given("tab=api")
    assert given.take() is None


@pytest.mark.parametrize("query", ["'\"\\\n'''", "\u2028</script>", "x" * 4000])
def test_nothing_in_an_address_gets_out_of_the_statement(query: str) -> None:
    source = given.Given(query, None, None, datetime(2026, 10, 31, tzinfo=UTC)).to_source()
    exec(source, {})
    kept = given.take()
    assert kept is not None
    assert kept.query == query


def test_painting_needs_no_widgets() -> None:
    script = (
        "import sys, dashboards.first_paint\n"
        "print([name for name in ('ipywidgets', 'bqplot', 'anywidget', 'pandas') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]", done.stderr
