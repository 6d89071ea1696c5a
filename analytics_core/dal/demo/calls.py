"""What plugins ask of the API for their renders: routes, answers and durations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analytics_core.dal.demo.columns import (
    Column,
    Flags,
    Floats,
    Ints,
    instants,
    time_ordered_ids,
    words,
)
from analytics_core.dal.demo.people import People
from analytics_core.dal.demo.renders import Renders, plugin_names, plugin_versions
from analytics_core.dal.demo.rhythm import Calendar
from analytics_core.dal.demo.work import Weather
from analytics_core.model.latency import bucket_of

_ROUTES = (
    ("POST", "/v1/renders"),
    ("GET", "/v1/renders/{id}"),
    ("GET", "/v1/credits"),
    ("GET", "/v1/projects"),
    ("POST", "/v1/files"),
)
_CREATE, _LOOK, _CREDITS, _PROJECTS, _UPLOAD = range(5)
_MEDIAN_MS = np.array([165.0, 31.0, 19.0, 44.0, 410.0])
_SPREAD = np.array([0.5, 0.6, 0.4, 0.5, 0.7])
_ANSWERS = np.array([201, 200, 200, 200, 201])
_REFUSALS = np.array([402, 422, 429, 429])
_BREAKDOWNS = np.array([500, 502, 503])
_SECOND = 1_000_000
_LONGEST_MS = 30_000
_BUCKETS = np.array([bucket_of(max(ms, 0.5)) for ms in range(_LONGEST_MS + 1)])


@dataclass(frozen=True)
class Calls:
    """API calls in the order of time; `renders` are the positions of the renders they are for."""

    renders: Ints
    owners: Ints
    routes: Ints
    moments: Ints
    statuses: Ints
    buckets: Ints


def make_calls(
    calendar: Calendar, weather: Weather, renders: Renders, rng: np.random.Generator
) -> Calls:
    asked = np.flatnonzero(renders.from_plugin)
    # Most plugins are told when a render is done; the others look now and then.
    looks = np.minimum(rng.poisson(0.4 + renders.seconds[asked] / 90), 4)
    number = np.arange(looks.sum()) - np.repeat(np.cumsum(looks) - looks, looks)
    waited = np.repeat(renders.seconds[asked], looks) * (number + 1) / np.repeat(looks, looks)
    parts = [
        (asked, _CREATE, np.zeros(len(asked))),
        (np.repeat(asked, looks), _LOOK, waited + 0.2),
        *(
            (some := asked[rng.random(len(asked)) < share], route, 1 + 3 * rng.random(len(some)))
            for route, share in ((_CREDITS, 0.12), (_PROJECTS, 0.05), (_UPLOAD, 0.07))
        ),
    ]
    of = np.concatenate([part[0] for part in parts])
    routes = np.repeat([part[1] for part in parts], [len(part[0]) for part in parts])
    later = np.concatenate([part[2] for part in parts])
    # The call that made a render succeeded; one more was turned away before some of them.
    certain = routes == _CREATE
    tried = asked[rng.random(len(asked)) < 0.045]
    of, routes = np.append(of, tried), np.append(routes, np.full(len(tried), _CREATE))
    later = np.append(later, rng.random(len(tried)) * 20 + 0.5)
    certain = np.append(certain, np.zeros(len(tried), dtype=bool))
    moments = renders.moments[of] + (later * 1000).astype(np.int64) * 1000
    order = np.argsort(moments, kind="stable")
    order = order[moments[order] <= calendar.now]
    of, routes, moments, certain = of[order], routes[order], moments[order], certain[order]
    statuses = _statuses(weather, renders.days[of], routes, certain, rng)
    ms = _MEDIAN_MS[routes] * np.exp(rng.normal(0, 1, len(of)) * _SPREAD[routes])
    ms *= weather.slowness[renders.days[of]] * np.where(statuses == 503, 20, 1)
    return Calls(
        renders=of,
        owners=renders.owners[of],
        routes=routes,
        moments=moments,
        statuses=statuses,
        buckets=_BUCKETS[np.minimum(ms, _LONGEST_MS).astype(np.int64)],
    )


def _statuses(
    weather: Weather, days: Ints, routes: Ints, certain: Flags, rng: np.random.Generator
) -> Ints:
    luck: Floats = rng.random(len(days))
    breaks = np.where(weather.bad[days], 0.03, 0.002)
    refused = np.where((routes == _CREATE) & ~certain, 0.85, 0.006)
    statuses = _ANSWERS[routes]
    turned_away = np.where(routes == _CREATE, rng.choice(_REFUSALS, len(days)), 404)
    statuses = np.where(luck < refused, turned_away, statuses)
    statuses = np.where(luck > 1 - breaks, rng.choice(_BREAKDOWNS, len(days)), statuses)
    # A second try that was let through would have made a render of its own.
    statuses = np.where(
        (routes == _CREATE) & ~certain & (statuses == 201), rng.choice(_BREAKDOWNS), statuses
    )
    return np.where(certain, 201, statuses)


def call_rows(
    people: People, renders: Renders, calls: Calls, recorded: Flags, rng: np.random.Generator
) -> Column:
    """The table `api_calls`, of those calls that were recorded."""
    of = pa.array(calls.renders[recorded])
    moments, routes = calls.moments[recorded], calls.routes[recorded]
    return pa.table(
        {
            "id": time_ordered_ids(moments, rng),
            "user_id": people.ids.take(pa.array(calls.owners[recorded])),
            "method": words([method for method, _ in _ROUTES], routes),
            "route": words([route for _, route in _ROUTES], routes),
            "status_code": calls.statuses[recorded],
            "duration_bucket": calls.buckets[recorded],
            "platform": plugin_names(renders).take(of),
            "plugin_version": plugin_versions(renders).take(of),
            "occurred_at": instants(moments),
        }
    )
