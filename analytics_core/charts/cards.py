"""Cards: one number each, with its change since the period before."""

from __future__ import annotations

from collections.abc import Sequence

from analytics_core.charts import formats
from analytics_core.charts.values import Card, Change, Number, Role, Tone, Unit
from analytics_core.model.results import change_in_percent


def change(
    value: Number | None,
    before: Number | None,
    unit: Unit,
    *,
    rise: Tone = Tone.NEUTRAL,
    fall: Tone = Tone.NEUTRAL,
) -> Change | None:
    """How a value stands to that of the period before; None where one of them is missing.

    There is no percentage of a percentage, which misleads, nor of a negative number.
    """
    if value is None or before is None:
        return None
    relative = None
    if unit is not Unit.PERCENT and min(value, before) >= 0:
        relative = change_in_percent(value, before)
    difference = formats.difference(value, before, unit)
    # What is not worth writing down is neither good nor bad.
    unchanged = difference == formats.difference(before, before, unit)
    tone = Tone.NEUTRAL if unchanged else rise if value > before else fall
    return Change(
        f"{formats.text(before, unit)} before",
        difference,
        None if relative is None else formats.percent_change(relative),
        tone,
    )


def card(
    key: str,
    label: str,
    role: Role,
    value: Number | None,
    *,
    unit: Unit,
    context: str = "",
    before: Number | None = None,
    rise: Tone = Tone.NEUTRAL,
    fall: Tone = Tone.NEUTRAL,
    line: Sequence[Number | None] = (),
) -> Card:
    """A card whose value is written in its unit."""
    return Card(
        key,
        label,
        role,
        formats.text(value, unit),
        value,
        context,
        change(value, before, unit, rise=rise, fall=fall),
        tuple(line),
    )
