"""What a product tells while it happens: one frozen value for each kind of event.

Events are read and written as JSON by msgspec, which checks fields, vocabularies and lengths in one
pass; lengths are those of the tables' columns. `kind` says which of them an object is.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, TypeAlias

from msgspec import Meta, Struct, json

from analytics_core.model.vocabulary import (
    ActivityEvent,
    Category,
    Platform,
    Quality,
    RenderStatus,
    RenderType,
    TransactionKind,
)

MAX_ID = 64
# So long an event's id is known: older events could be counted twice.
REMEMBERED = timedelta(days=35)
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Text64: TypeAlias = Annotated[str, Meta(max_length=64)]
Text128: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
Text255: TypeAlias = Annotated[str, Meta(max_length=255)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Amount: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Bytes: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0)]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]


class _Event(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    # Nothing in an event can lead back to it.
    gc=False,
):
    """`id` is what makes it the same event when it is told again; `occurred_at` is aware."""

    id: Id
    occurred_at: Instant


class RenderCreated(_Event, frozen=True, kw_only=True, gc=False, tag="render_created"):
    user_id: Id
    render_id: Id
    type: RenderType
    status: RenderStatus = RenderStatus.PENDING
    quality: Quality | None = None
    platform: Platform = Platform.WEB
    source_platform: Text64 | None = None
    plugin_version: Text64 | None = None
    project_id: Id | None = None
    credits_cost: Count = 0
    processing_time: Seconds | None = None

    def __post_init__(self) -> None:
        if self.platform == Platform.PLUGIN:
            raise ValueError("platform cannot be plugin; source_platform says which plugin it was")


class RenderFinished(_Event, frozen=True, kw_only=True, gc=False, tag="render_finished"):
    """A render came to its end; `processing_time` in seconds."""

    user_id: Id
    render_id: Id
    status: RenderStatus
    processing_time: Seconds | None = None

    _ENDS: ClassVar = (RenderStatus.COMPLETED, RenderStatus.FAILED)

    def __post_init__(self) -> None:
        if self.status not in self._ENDS:
            raise ValueError("a render finishes as completed or failed")


class ApiCall(_Event, frozen=True, kw_only=True, gc=False, tag="api_call"):
    """A call that was answered: `route` is the template, never the raw path; seconds.

    Whose it is says `user_id`, or `key_hash`, the hash of the key it was made with.
    """

    user_id: Id | None = None
    method: Annotated[str, Meta(min_length=1, max_length=16)]
    route: Text255
    status_code: Annotated[int, Meta(ge=0, le=999)]
    duration: Seconds
    platform: Text64 | None = None
    plugin_version: Text64 | None = None
    key_hash: Text128 | None = None

    def __post_init__(self) -> None:
        if self.user_id is None and self.key_hash is None:
            raise ValueError("an API call needs a user_id or a key_hash")


class FileStored(_Event, frozen=True, kw_only=True, gc=False, tag="file_stored"):
    """A file came; `size` in bytes."""

    user_id: Id
    file_id: Id
    name: Text255
    media_type: Text255
    size: Bytes


class FileDeleted(_Event, frozen=True, kw_only=True, gc=False, tag="file_deleted"):
    user_id: Id
    file_id: Id


class Credits(_Event, frozen=True, kw_only=True, gc=False, tag="credits"):
    """An entry of the ledger; `amount` is positive, `direction` says which way it went."""

    user_id: Id
    transaction_id: Id
    direction: TransactionKind
    amount: Amount
    category: Category
    reference_id: Text64 | None = None


class Activity(_Event, frozen=True, kw_only=True, gc=False, tag="activity"):
    user_id: Id
    event: ActivityEvent


Event: TypeAlias = (
    RenderCreated | RenderFinished | ApiCall | FileStored | FileDeleted | Credits | Activity
)

_encoder = json.Encoder()
_decoder: json.Decoder[Event] = json.Decoder(Event)


def to_json(event: Event) -> bytes:
    """One line of JSON; raises `UnicodeEncodeError` for text that is none."""
    return _encoder.encode(event)


def line_of(fields: dict[str, Any]) -> bytes:
    """The line of an event that is told as plain values, in the order of its fields.

    Reading back is the check: what is written can be read by every writer. Raises as both others.
    """
    line = _encoder.encode(fields)
    _decoder.decode(line)
    return line


def from_json(line: bytes | str) -> Event:
    """The event of a JSON object; raises `msgspec.ValidationError` or `msgspec.DecodeError`.

    What it refuses: unknown kinds and fields, wrong types, text that is too long for its column.
    """
    return _decoder.decode(line)


def id_for(kind: str, noun_id: str) -> str:
    """The id of the event of this kind that a noun has once, the same whoever tells it.

    Hashed where it would be longer than an id may be.
    """
    return _short(f"{kind}:{noun_id}")


def id_from(source: str, id: str) -> str:
    """The id of an event that has one among the events of its source, which holds no space."""
    return _short(f"{source} {id}")


def _short(plain: str) -> str:
    if len(plain) <= MAX_ID:
        return plain
    return hashlib.blake2b(plain.encode(), digest_size=MAX_ID // 2).hexdigest()
