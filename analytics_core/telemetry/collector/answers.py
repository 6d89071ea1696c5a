"""What the collector answers, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus

from msgspec import UNSET, Struct, UnsetType


class MediaType(StrEnum):
    """Of bodies: events as they are told, and answers."""

    ONE = "application/cloudevents+json"
    BATCH = "application/cloudevents-batch+json"
    # The data alone; the rest is in headers.
    BINARY = "application/json"
    JSON = "application/json"
    PROBLEM = "application/problem+json"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What became of one event: `accepted`, and else the `reason`; in the order they came in."""

    id: str | None
    accepted: bool
    reason: str | None = None


class Collected(Struct, frozen=True):
    """Accepted events are on the disk and will be counted once."""

    accepted: int
    refused: int
    events: list[Outcome]


class Problem(Struct, frozen=True):
    """Why a request was not done (RFC 9457); `events` where each has a reason of its own."""

    title: str
    status: int
    detail: str
    events: list[Outcome] | UnsetType = UNSET


class Well(Struct, frozen=True):
    status: str


class NotDone(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
        events: list[Outcome] | None = None,
    ) -> None:
        self.status, self.detail, self.headers = status, detail, dict(headers or {})
        self.events = events
        super().__init__(detail)

    def to_problem(self) -> Problem:
        return Problem(
            self.status.phrase,
            int(self.status),
            self.detail,
            UNSET if self.events is None else self.events,
        )
