"""What the page's parts hear: every choice that it offers, nothing that it does not."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets import TraitError

from dashboards import chrome
from dashboards.address import PRESETS, REFRESH_SECONDS, TABS
from dashboards.heard import DOWNLOADS, HEARINGS

HEADER = HEARINGS["dashboards.chrome.Header"]
TABS_PART = HEARINGS["dashboards.chrome.Tabs"]
FRAME = HEARINGS["dashboards.chrome.ChartFrame"]
HOSTILE = ["x" * 100_000, "\x00", "<script>", -1, 1.5, 10**30, True, None, [], {}, ["7d"], {"a": 1}]


def test_every_choice_of_the_page_is_heard() -> None:
    assert all(HEADER.traits["period"](key.value) for key in PRESETS)
    assert HEADER.traits["period"]("2026-10-01..2026-10-31")
    assert all(HEADER.traits["zone"](zone) for zone in ("", "UTC", "Asia/Kolkata"))
    assert all(HEADER.traits["refresh"](seconds) for seconds in REFRESH_SECONDS)
    assert all(HEADER.traits["compare"](value) for value in (True, False))
    assert all(TABS_PART.traits["selected"](tab) for tab in TABS)
    assert all(HEADER.takes({"ask": ask}) for ask in ("refetch", "repeat"))
    assert all(HEADER.takes({"ask": "download", "what": what}) for what in DOWNLOADS)
    assert FRAME.takes({"width": 640})


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_nothing_else_is(value: Any) -> None:
    for trait in ("period", "zone", "refresh"):
        assert not HEADER.traits[trait](value)
    assert not HEADER.traits["compare"](value) or value is True
    assert not TABS_PART.traits["selected"](value)
    for said in (
        value,
        {"ask": value},
        {"ask": "download", "what": value},
        {"ask": "refetch", "user": value},
    ):
        assert not HEADER.takes(said)
    for said in (value, {"width": value}, {"width": 640, "user": value}):
        assert not FRAME.takes(said)


def test_what_is_heard_exists_and_names_nobody() -> None:
    for kind, hearing in HEARINGS.items():
        widget = getattr(chrome, kind.rpartition(".")[2])
        assert f"{widget.__module__}.{widget.__qualname__}" == kind
        assert hearing.traits.keys() <= set(widget.class_trait_names(sync=True))
        assert not hearing.traits.keys() & {"who", "address", "own_zone", "_esm", "_css", "layout"}


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("trait", ["period", "zone", "refresh"])
def test_a_header_that_is_told_nonsense_all_the_same_keeps_what_it_has(
    trait: str, value: Any
) -> None:
    header = chrome.Header(period="30d", zone="UTC", refresh=60)
    before = getattr(header, trait)
    with pytest.raises(TraitError):
        header.set_state({trait: value})
    assert getattr(header, trait) == before
    header.close()
