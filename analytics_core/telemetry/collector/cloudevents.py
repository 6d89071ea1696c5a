"""CloudEvents 1.0, and the events that they tell of.

A CloudEvent's `type` is the kind of the event behind `usage.`, its `data` the fields of that kind,
its `time` when it happened; `source` and `id` together are what makes it the same event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Literal, TypeAlias, cast, get_args

import msgspec
from msgspec import Meta, Struct

from analytics_core.model.event import Event, Instant, id_from, to_json
from analytics_core.telemetry.recorder import Refused, check_text, check_time

PREFIX = "usage."
# Of the kinds these are told by the CloudEvent itself.
_TOLD_BESIDE = ("id", "occurred_at")
# Of what is given back of somebody else's words.
_LONGEST = 255

Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
# References are printable ASCII. The end, in words that Python and JavaScript both take: a dollar
# sign lets a line break through in Python.
Source: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[!-~]+(?![\s\S])")]
Json: TypeAlias = Annotated[str, Meta(pattern=r"^application/json *(;.*)?$")]


class CloudEvent(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What all kinds have; attributes that are not known are extensions, and ignored."""

    specversion: Literal["1.0"]
    id: Text
    source: Source
    time: Instant
    datacontenttype: Json | None = None


def _told_by(kind: type[Any]) -> type[CloudEvent]:
    """The CloudEvent of a kind, whose data has the fields of the kind."""
    fields = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(kind)
        if field.name not in _TOLD_BESIDE
    ]
    data = msgspec.defstruct(
        f"{kind.__name__}Data", fields, frozen=True, kw_only=True, forbid_unknown_fields=True
    )
    told = msgspec.defstruct(
        f"{kind.__name__}Told",
        [("data", data)],
        bases=(CloudEvent,),
        frozen=True,
        kw_only=True,
        tag_field="type",
        tag=f"{PREFIX}{kind.__struct_config__.tag}",
    )
    return cast("type[CloudEvent]", told)


_KINDS: dict[type[CloudEvent], type[Any]] = {_told_by(kind): kind for kind in get_args(Event)}


def _any_of(kinds: list[type[CloudEvent]]) -> UnionType:
    first: Any = kinds[0]
    for one in kinds[1:]:
        first = first | one
    return cast("UnionType", first)


TOLD = _any_of([*_KINDS])
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(TOLD)


@dataclass(frozen=True, slots=True)
class Told:
    """What was made of a CloudEvent: its own id, and its line, or why there is none."""

    id: str | None
    line: bytes | None = None
    refused: Refused | None = None


def read(text: bytes | msgspec.Raw, now: datetime) -> Told:
    """A CloudEvent in JSON; whatever it is, nothing is raised."""
    try:
        told = _decoder.decode(text)
    except (ValueError, RecursionError) as wrong:
        return Told(_id_in(text), refused=_invalid(wrong))
    return _told(told, now)


def read_headers(attributes: Mapping[str, str], data: Any, now: datetime) -> Told:
    """One whose attributes are headers, without their `ce-`, and whose data is parsed JSON."""
    try:
        told = msgspec.convert({**attributes, "data": data}, TOLD)
    except (ValueError, RecursionError) as wrong:
        return Told(attributes.get("id"), refused=_invalid(wrong))
    return _told(told, now)


def _told(told: Any, now: datetime) -> Told:
    try:
        return Told(told.id, _line(told, now))
    except Refused as refused:
        return Told(told.id, refused=refused)
    except ValueError as wrong:
        return Told(told.id, refused=_invalid(wrong))


def _line(told: Any, now: datetime) -> bytes:
    check_time(told.time, now)
    event = _KINDS[type(told)](
        id=id_from(told.source, told.id),
        # The same instant in another zone is the same content.
        occurred_at=told.time.astimezone(UTC),
        **msgspec.structs.asdict(told.data),
    )
    line = to_json(event)
    check_text(line)
    return line


class _Named(Struct):
    id: Any = None


_named = msgspec.json.Decoder(_Named)


def _id_in(text: bytes | msgspec.Raw) -> str | None:
    """The id of what is no CloudEvent of ours, where it can be read."""
    try:
        found = _named.decode(text).id
    except (ValueError, RecursionError):
        return None
    return found[:_LONGEST] if isinstance(found, str) else None


def _invalid(problem: Exception) -> Refused:
    return Refused("invalid", " ".join(str(problem).split())[:_LONGEST])
