"""What may be said to the widgets of a kernel, by a browser of which nothing is believed.

Widgets exist if their kernel has announced them. What each kind of them hears is told by who made
them: values that a person can choose on the page, and nothing that names whose data is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from analytics_core.serving.frames import Content, Said

_CONTROL = "jupyter.widget.control"
# What a page says at once when it opens, and what it may go on to say a second.
_AT_ONCE, _A_SECOND = 200.0, 40.0
# To connect costs a kernel more than to be told something.
CONNECTING = 10.0
# A page has one socket, and a second for a moment where its connection was lost.
MOST_SOCKETS = 3
# Figures are made when a tab is first opened: some two hundred widgets are all that there are.
_MOST_WIDGETS = 5_000
# Close codes of RFC 6455.
NOT_OF_THIS_PAGE = 1008


class Unheard(Exception):
    """Something that is not passed on; with a `code` its socket is closed, else it is dropped."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


def _nothing(_said: Any) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one kind of widget hears from browsers: values of traits, and messages of its own.

    `traits` says for each trait that may be set which values it takes.
    """

    traits: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    takes: Callable[[Any], bool] = _nothing


# By kind of widget, as in `kind_of`. Widgets of other kinds can only be asked for their state.
Hearings = Mapping[str, Hearing]


def kind_of(state: Mapping[str, Any]) -> str:
    """The kind of a widget: its class for parts of the page, else its model's module and name."""
    own = state.get("_anywidget_id")
    return str(own or f"{state.get('_model_module')}.{state.get('_model_name')}")


class Conversation:
    """What is known of a kernel that a page talks to."""

    def __init__(self) -> None:
        self.widgets: dict[str, str] = {}
        self.sockets: WeakSet[Any] = WeakSet()
        self._control: str | None = None
        self._was_asked_for_all = False
        self._left, self._since = _AT_ONCE, 0.0

    def announced(self, kind: str, content: Mapping[str, Any]) -> None:
        """The kernel has said this of one of its widgets."""
        comm, data = content["comm_id"], content.get("data", {})
        if kind == "comm_close":
            self.widgets.pop(comm, None)
        elif "_model_name" in (state := data.get("state", {})) and (
            len(self.widgets) < _MOST_WIDGETS
        ):
            self.widgets[comm] = kind_of(state)

    def may_go_on(self, now: float, cost: float = 1.0) -> bool:
        """Whether so much may be said now, after what was said lately."""
        self._left = min(_AT_ONCE, self._left + (now - self._since) * _A_SECOND)
        self._since = now
        if self._left < cost:
            return False
        self._left -= cost
        return True

    def heard(self, said: Said, hearings: Hearings) -> dict[str, Any]:
        """The content to tell the kernel, written anew; raises `Unheard`."""
        if said.channel != "shell" or said.content is None:
            raise Unheard("it is no message of this page", NOT_OF_THIS_PAGE)
        match said.kind:
            case "comm_open":
                return self._opened(said.content)
            case "comm_msg":
                data = self._told(said.content, hearings)
                return {"comm_id": said.content.comm_id, "data": data}
        raise Unheard("it is no message of this page", NOT_OF_THIS_PAGE)

    def _opened(self, content: Content) -> dict[str, Any]:
        # The line on which ipywidgets' own managers ask for all widgets at once. One is enough.
        comm = content.comm_id
        if content.target_name != _CONTROL or comm in self.widgets:
            raise Unheard("it opens a comm", NOT_OF_THIS_PAGE)
        if self._control not in (None, comm):
            raise Unheard("it opens a second line of control", NOT_OF_THIS_PAGE)
        self._control = comm
        return {"comm_id": comm, "target_name": _CONTROL, "data": {}}

    def _told(self, content: Content, hearings: Hearings) -> dict[str, Any]:
        comm, data = content.comm_id, content.data
        if comm == self._control:
            if data.method == "request_states" and not self._was_asked_for_all:
                self._was_asked_for_all = True
                return {"method": "request_states"}
            raise Unheard("nothing else is asked on the line of control")
        # A widget may have gone while the message was under way: no reason to close anything.
        if comm not in self.widgets:
            raise Unheard("it is to a widget that is not on the page")
        hearing = hearings.get(self.widgets[comm], Hearing())
        match data.method:
            case "request_state":
                return {"method": "request_state"}
            case "update":
                if not data.state or not data.state.keys() <= hearing.traits.keys():
                    raise Unheard("it sets what is not for browsers to set")
                if not all(hearing.traits[name](value) for name, value in data.state.items()):
                    raise Unheard("it sets a value that cannot be chosen")
                return {"method": "update", "state": data.state, "buffer_paths": []}
            case "custom":
                if not hearing.takes(data.content):
                    raise Unheard("the widget has no use for it")
                return {"method": "custom", "content": data.content}
        raise Unheard("widgets know no such request")


# As long as Jupyter knows the kernel.
_of_kernels: WeakKeyDictionary[Any, Conversation] = WeakKeyDictionary()


def conversation_with(kernel: Any) -> Conversation:
    """The one of a kernel, which is told by Jupyter's manager of it."""
    return _of_kernels.setdefault(kernel, Conversation())
