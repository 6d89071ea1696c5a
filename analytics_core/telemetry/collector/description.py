"""What the collector speaks, as OpenAPI 3.1, made from the types that it reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, TypeAlias

import msgspec

from analytics_core.telemetry.collector.answers import Collected, MediaType, Problem, Well
from analytics_core.telemetry.collector.cloudevents import TOLD, CloudEvent

Json: TypeAlias = dict[str, Any]

_REF = "#/components/schemas/{name}"
_TOLD = "Events, each in the envelope that CloudEvents 1.0 gives it."
_WHY = {
    HTTPStatus.BAD_REQUEST: "The body is not JSON, or not compressed as it says.",
    HTTPStatus.UNAUTHORIZED: "No key, or a wrong one.",
    HTTPStatus.REQUEST_TIMEOUT: "The request took too long to come.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body has too many bytes or events.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of another type, or compressed another way.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Every event was refused, each for its own reason.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much at once: try again after Retry-After seconds.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not just now: try again after Retry-After seconds.",
}
_BACK_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def description(body_bytes: int, events: int) -> Json:
    """The OpenAPI document of a collector that takes so much in one request."""
    (told, collected, problem, well), schemas = msgspec.json.schema_components(
        [TOLD, Collected, Problem, Well], ref_template=_REF
    )
    schemas["Event"] = told
    event = {"$ref": _REF.format(name="Event")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Usage collector",
            "version": version("usage-analytics-workspace"),
            "description": f"{_TOLD} A body has at most {body_bytes} bytes, a batch at most"
            f" {events} events.",
        },
        "paths": {
            "/events": {
                "post": {
                    "operationId": "tell",
                    "summary": "Tell of one event, or of several at once.",
                    "description": "Each event is accepted or refused by itself. Accepted ones are"
                    " on the disk before the answer comes, and count once however often they are"
                    " told. A body may be compressed with gzip (`Content-Encoding`).",
                    "security": [{"key": []}],
                    "parameters": [*_attributes()],
                    "requestBody": {
                        "required": True,
                        "content": {
                            MediaType.ONE: {"schema": event},
                            MediaType.BATCH: {
                                "schema": {"type": "array", "items": event, "maxItems": events}
                            },
                            MediaType.BINARY: {
                                "schema": {
                                    "description": "The data alone: the rest of the event is in"
                                    " the ce- headers.",
                                    "anyOf": _data_of(schemas),
                                }
                            },
                        },
                    },
                    "responses": {
                        "200": _json("All events were accepted.", collected),
                        "207": _json("Some were accepted, some refused.", collected),
                        **_problems(problem, [*_WHY]),
                    },
                }
            },
            "/metrics": {
                "get": {
                    "operationId": "metrics",
                    "summary": "What waits for the database, and what was refused.",
                    "security": [{"key": []}],
                    "responses": {
                        "200": {
                            "description": "OpenMetrics text.",
                            "content": {MediaType.OPENMETRICS: {"schema": {"type": "string"}}},
                        },
                        **_problems(
                            problem,
                            [HTTPStatus.UNAUTHORIZED, HTTPStatus.INTERNAL_SERVER_ERROR],
                        ),
                    },
                }
            },
            "/healthz": {
                "get": {
                    "operationId": "alive",
                    "summary": "Whether the collector runs.",
                    "responses": {"200": _json("It does.", well)},
                }
            },
            "/readyz": {
                "get": {
                    "operationId": "ready",
                    "summary": "Whether the collector has room for events.",
                    "responses": {
                        "200": _json("It has.", well),
                        **_problems(problem, [HTTPStatus.SERVICE_UNAVAILABLE]),
                    },
                }
            },
            "/openapi.json": {
                "get": {
                    "operationId": "describe",
                    "summary": "This description.",
                    "responses": {"200": _json("OpenAPI 3.1.", {"type": "object"})},
                }
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _attributes() -> Iterable[Json]:
    """The headers of an event whose body is its data alone."""
    types = {field.name: field.type for field in msgspec.structs.fields(CloudEvent)}
    del types["datacontenttype"]
    (*schemas,), _ = msgspec.json.schema_components([*types.values(), str], ref_template=_REF)
    for name, schema in zip([*types, "type"], schemas, strict=True):
        yield {
            "name": f"ce-{name}",
            "in": "header",
            "required": False,
            "description": f"With a body of {MediaType.BINARY}: the event's `{name}`.",
            "schema": schema,
        }


def _data_of(schemas: Json) -> list[Json]:
    return [{"$ref": _REF.format(name=name)} for name in schemas if name.endswith("Data")]


def _json(text: str, schema: Json) -> Json:
    return {"description": text, "content": {MediaType.JSON: {"schema": schema}}}


def _problems(schema: Json, statuses: list[HTTPStatus]) -> Json:
    answers: Json = {}
    for status in statuses:
        answer: Json = {
            "description": _WHY[status],
            "content": {MediaType.PROBLEM: {"schema": schema}},
        }
        if status in _BACK_LATER:
            seconds = {"description": "Seconds.", "schema": {"type": "string"}}
            answer["headers"] = {"Retry-After": seconds}
        answers[str(int(status))] = answer
    return answers
