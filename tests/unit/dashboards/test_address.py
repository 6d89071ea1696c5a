"""The page's state can be read from any address and written into one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_core.model.daterange import Preset
from dashboards.address import REFRESH_SECONDS, TABS, PageState

STATES = st.builds(
    PageState,
    tab=st.sampled_from(list(TABS)),
    period=st.sampled_from([*map(str, Preset), "2026-10", "2026-10-01..2026-10-31"]),
    compare=st.booleans(),
    zone=st.sampled_from(["", "UTC", "Asia/Kolkata", "America/Argentina/Buenos_Aires"]),
    refresh=st.sampled_from(REFRESH_SECONDS),
)


@given(STATES)
def test_a_written_state_reads_back_as_itself(state: PageState) -> None:
    assert PageState.from_query(state.to_query()) == state


@given(st.text())
def test_no_query_is_refused(query: str) -> None:
    state = PageState.from_query(query)
    assert PageState.from_query(state.to_query()) == state


@pytest.mark.parametrize(
    "query",
    [
        "",
        "tab=admin&range=whenever&zone=Nowhere/Else&refresh=1&compare=yes",
        "range=2026-10-31..2026-10-01",
        "range=0001-01-03..9999-12-28",
        "range=9999",
        "zone=../../etc/passwd",
        "range=" + "9" * 10_000,
        "tab=<script>",
        "refresh=-5",
        "refresh=٣٠",
    ],
)
def test_what_is_unknown_falls_back_to_the_usual(query: str) -> None:
    assert PageState.from_query(query) == PageState()


def test_other_parameters_do_not_matter() -> None:
    assert PageState.from_query("token=abc&tab=credits&x=%00") == PageState(tab="credits")


def test_only_what_was_chosen_is_said() -> None:
    assert PageState(period="90d").to_query() == "range=90d"


def test_parameters_that_need_not_be_said_are_named_for_removal() -> None:
    assert PageState().to_parameters() == {
        "tab": None,
        "range": None,
        "compare": None,
        "zone": None,
        "refresh": None,
    }
