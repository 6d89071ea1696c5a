"""Kernels are told what their widgets hear from browsers, and nothing as a browser wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_core.serving.conversation import Conversation, Hearing, Unheard, conversation_with
from analytics_core.serving.frames import read
from tests.support.attacks.sessions import message

HEARINGS = {
    "a.Part": Hearing({"tab": lambda value: value in ("a", "b")}, lambda said: said == {"ask": 1})
}
PART = {"_model_name": "AnyModel", "_model_module": "anywidget", "_anywidget_id": "a.Part"}
BOX = {"_model_name": "BoxModel", "_model_module": "@jupyter-widgets/controls"}


def conversation() -> Conversation:
    talk = Conversation()
    for comm, state in (("part", PART), ("box", BOX)):
        talk.announced("comm_open", {"comm_id": comm, "data": {"state": state}})
    return talk


def heard(
    talk: Conversation, comm: str, data: Any, kind: str = "comm_msg", **content: Any
) -> dict[str, Any]:
    frame, _ = message(kind, {"comm_id": comm, "data": data, **content})
    return talk.heard(read(frame), HEARINGS)


def test_a_choice_is_passed_on_and_only_what_is_known_of_it() -> None:
    told = {"method": "update", "state": {"tab": "b"}, "buffer_paths": [["tab"]], "more": 1}
    assert heard(conversation(), "part", told) == {
        "comm_id": "part",
        "data": {"method": "update", "state": {"tab": "b"}, "buffer_paths": []},
    }


@pytest.mark.parametrize("comm", ["part", "box"])
def test_every_widget_on_the_page_may_be_asked_for_its_state(comm: str) -> None:
    assert heard(conversation(), comm, {"method": "request_state"})["comm_id"] == comm


@pytest.mark.parametrize(
    ("comm", "data"),
    [
        ("part", {"method": "update", "state": {"tab": "c"}}),
        ("part", {"method": "update", "state": {"tab": "a", "scope": "*"}}),
        ("part", {"method": "update", "state": {}}),
        ("part", {"method": "custom", "content": {"ask": 2}}),
        ("part", {"method": "request_states"}),
        ("box", {"method": "update", "state": {"children": []}}),
        ("box", {"method": "custom", "content": {"ask": 1}}),
        ("another", {"method": "request_state"}),
    ],
)
def test_what_a_widget_does_not_hear_is_dropped(comm: str, data: Any) -> None:
    with pytest.raises(Unheard) as unheard:
        heard(conversation(), comm, data)
    assert unheard.value.code is None


def test_a_widget_that_has_gone_hears_nothing_more() -> None:
    talk = conversation()
    talk.announced("comm_close", {"comm_id": "part"})
    with pytest.raises(Unheard):
        heard(talk, "part", {"method": "request_state"})


def test_one_line_of_control_can_be_opened_and_asked_for_all_states() -> None:
    talk = conversation()
    control = "jupyter.widget.control"
    opened = heard(talk, "line", {"state": {"a": 1}}, "comm_open", target_name=control)
    assert opened == {"comm_id": "line", "target_name": control, "data": {}}
    asked = heard(talk, "line", {"method": "request_states"})
    assert asked == {"comm_id": "line", "data": {"method": "request_states"}}
    # All of them may be megabytes.
    for method in ("request_states", "request_state"):
        with pytest.raises(Unheard):
            heard(talk, "line", {"method": method})
    with pytest.raises(Unheard):
        heard(talk, "second", {}, "comm_open", target_name=control)


def test_who_says_too_much_has_to_wait() -> None:
    talk = conversation()
    assert sum(talk.may_go_on(1_000.0) for _ in range(500)) == 200
    assert not talk.may_go_on(1_000.0)
    assert sum(talk.may_go_on(1_001.0) for _ in range(500)) == 40


def test_each_kernel_has_its_own() -> None:
    class Kernel:
        """Anything that can be referred to weakly."""

    one, other = Kernel(), Kernel()
    assert conversation_with(one) is conversation_with(one)
    assert conversation_with(one) is not conversation_with(other)
