"""A card's number, and how it stands to that of the period before."""

from __future__ import annotations

import pytest

from analytics_core.charts.cards import card, change
from analytics_core.charts.values import Change, Role, Tone, Unit


def test_a_change_tells_the_value_before_the_difference_and_the_percentage():
    assert change(1598, 1352, Unit.COUNT, rise=Tone.GOOD) == Change(
        "1,352 before", "+246", "+18.2%", Tone.GOOD
    )


def test_from_nothing_there_is_no_percentage():
    assert change(4, 0, Unit.COUNT) == Change("0 before", "+4", None, Tone.NEUTRAL)


def test_a_rate_changes_by_points():
    assert change(96.4, 95.2, Unit.PERCENT) == Change(
        "95.2% before", "+1.2 points", None, Tone.NEUTRAL
    )


@pytest.mark.parametrize(("value", "before"), [(-5, 10), (5, -10)])
def test_a_negative_number_has_no_percentage(value, before):
    compared = change(value, before, Unit.CREDITS)
    assert compared is not None
    assert compared.percent is None


@pytest.mark.parametrize(("value", "before"), [(None, 1), (1, None)])
def test_without_both_values_there_is_no_change(value, before):
    assert change(value, before, Unit.COUNT) is None


@pytest.mark.parametrize(("value", "tone"), [(3, Tone.GOOD), (1, Tone.BAD), (2, Tone.NEUTRAL)])
def test_only_a_real_rise_or_fall_has_a_tone(value, tone):
    compared = change(value, 2, Unit.COUNT, rise=Tone.GOOD, fall=Tone.BAD)
    assert compared is not None
    assert compared.tone is tone


def test_a_change_that_rounds_to_nothing_is_neither_good_nor_bad():
    compared = change(94.02, 94.0, Unit.PERCENT, rise=Tone.GOOD, fall=Tone.BAD)
    assert compared is not None
    assert compared.tone is Tone.NEUTRAL


def test_a_card_keeps_its_number_unrounded():
    made = card("average", "Average", Role.RENDERS, 46.7182, unit=Unit.SECONDS)
    assert (made.value, made.exact) == ("46.7 s", 46.7182)
