"""Charts of a total's parts: bars for many members, a pie for two or three."""

from __future__ import annotations

from collections.abc import Mapping

from analytics_core.charts import sentences
from analytics_core.charts.sentences import Noun
from analytics_core.charts.values import Chart, Kind, Member, Number, Role, Series, Unit
from analytics_core.model.vocabulary import UNSPECIFIED

OTHER = "…"
_MOST_BARS = 10
# What a capital letter alone does not get right.
_NAMES = {
    "3dsmax": "3ds Max",
    "archicad": "Archicad",
    "autocad": "AutoCAD",
    "plugin": "Plugins",
    "sketchup": "SketchUp",
}


def label(key: str) -> str:
    """What people call a member: `web` is Web, `sketchup` SketchUp, `source_file` Source file."""
    if named := _NAMES.get(key.lower()):
        return named
    words = key.replace("_", " ").strip()
    return f"{words[:1].upper()}{words[1:]}" or "Unnamed"


def ranked(partition: Mapping[str, Number]) -> dict[str, Number]:
    """Members from the largest down; what is unspecified comes last."""
    return dict(sorted(partition.items(), key=lambda item: (item[0] == UNSPECIFIED, -item[1])))


def top(partition: Mapping[str, Number], most: int = _MOST_BARS) -> dict[str, Number]:
    """The largest members, and under `OTHER` the sum of all the rest."""
    members = list(ranked(partition).items())
    if len(members) <= most + 1:
        return dict(members)
    return {**dict(members[:most]), OTHER: sum(value for _, value in members[most:])}


def parts(
    key: str,
    kind: Kind,
    title: str,
    partition: Mapping[str, Number],
    *,
    dimension: str,
    role: Role,
    noun: Noun,
    summary: str,
    empty: str,
    unit: Unit = Unit.COUNT,
    labels: Mapping[str, str] | None = None,
) -> Chart:
    """A chart of a partition in the order given; a pie leaves out what is zero."""
    named = labels or {}
    shown = {
        member: value
        for member, value in partition.items()
        if value or (kind is Kind.BARS and member != UNSPECIFIED)
    }
    anything = any(shown.values())
    return Chart(
        key,
        kind,
        title,
        sentences.sentence(summary if anything else f"no {noun.many} in this range"),
        dimension,
        unit,
        tuple(Member(member, named.get(member) or label(member)) for member in shown),
        (Series(dimension, noun.heading, role, tuple(shown.values())),),
        None,
        None if anything else empty,
    )
