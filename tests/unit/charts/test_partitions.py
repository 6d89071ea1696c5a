"""Parts of a whole: which are shown, in which order, under which name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics_core.charts.partitions import OTHER, label, parts, ranked, top
from analytics_core.charts.sentences import Noun
from analytics_core.charts.values import Kind, Role

CALLS = Noun("call", "calls")


def drawn(kind: Kind, partition: dict[str, int]):
    return parts(
        "key",
        kind,
        "Title",
        partition,
        dimension="platform",
        role=Role.API,
        noun=CALLS,
        summary="said",
        empty="would be here",
    )


def test_the_largest_part_comes_first_and_the_unspecified_last():
    assert list(ranked({"a": 1, "unspecified": 9, "b": 5, "c": 1})) == [
        "b",
        "a",
        "c",
        "unspecified",
    ]


def test_beyond_ten_the_rest_is_one_bar():
    shown = top({f"route {n}": n for n in range(1, 16)})
    assert len(shown) == 11
    assert shown[OTHER] == 1 + 2 + 3 + 4 + 5


def test_a_rest_of_two_is_enough_to_be_one_bar():
    assert top({f"route {n}": 1 for n in range(12)})[OTHER] == 2


def test_an_eleventh_part_is_shown_rather_than_called_other():
    assert OTHER not in top({f"route {n}": n for n in range(11)})


@given(st.dictionaries(st.text(), st.integers(0, 10**6)))
def test_nothing_is_lost_in_the_rest(partition):
    assert sum(top(partition).values()) == sum(partition.values())


def test_a_pie_has_no_empty_slice():
    assert [member.key for member in drawn(Kind.PIE, {"a": 3, "b": 0}).members] == ["a"]


def test_bars_keep_members_at_zero_but_for_the_unspecified():
    chart = drawn(Kind.BARS, {"a": 3, "b": 0, "unspecified": 0})
    assert [member.key for member in chart.members] == ["a", "b"]


def test_the_unspecified_is_shown_where_there_is_some():
    assert "unspecified" in [m.key for m in drawn(Kind.BARS, {"a": 3, "unspecified": 1}).members]


def test_with_nothing_to_draw_a_chart_says_so_and_what_would_be_here():
    chart = drawn(Kind.BARS, {"a": 0})
    assert chart.summary == "No calls in this range."
    assert chart.empty == "would be here"


def test_with_something_to_draw_a_chart_is_not_empty():
    assert drawn(Kind.BARS, {"a": 1}).empty is None


def test_names_are_what_people_call_things():
    assert [label(key) for key in ("sketchup", "web", "source_file", "")] == [
        "SketchUp",
        "Web",
        "Source file",
        "Unnamed",
    ]
