"""Who uses the product: their zones, habits and keys; few of them make most of the renders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pyarrow as pa

from analytics_core.dal.demo.columns import (
    Column,
    Flags,
    Floats,
    Ints,
    instants,
    keyed_ids,
    words,
)
from analytics_core.dal.demo.rhythm import ZONES, Calendar
from analytics_core.dal.demo.shape import DemoShape

PLUGINS = ("sketchup", "revit", "rhino", "archicad", "blender", "vectorworks")

MARA, NILS = ("Mara Lindqvist", "mara@example.com"), ("Nils Berg", "nils@example.com")
_FIRST_NAMES = (
    *("Ada", "Aiko", "Amara", "Bruno", "Carla", "Chen", "Dara", "Elif", "Emeka", "Farid"),
    *("Greta", "Hana", "Ines", "Ivan", "Jonas", "Kavya", "Lena", "Lucia", "Marek", "Mina"),
    *("Noor", "Olga", "Pablo", "Priya", "Rafael", "Ravi", "Sofia", "Tariq", "Yuki", "Zoe"),
)
_LAST_NAMES = (
    *("Aalto", "Barros", "Costa", "Duarte", "Eriksen", "Fischer", "Garcia", "Hoffmann"),
    *("Ivanova", "Joshi", "Kowalski", "Lopez", "Moreau", "Nakamura", "Okafor", "Petrov"),
    *("Quist", "Rossi", "Sato", "Tanaka", "Usman", "Virtanen", "Weber", "Yilmaz"),
)
_DAY, _MINUTE = 86_400_000_000, 60_000_000
# The heaviest of forty makes a fifth of all renders, the heaviest of ten thousand half a percent.
_HEAVY_TAIL = 1.4
_NEVER = 0


@dataclass(frozen=True)
class People:
    """Everybody, one array entry each; a share is a number from 0 to 1.

    Arrays ending in `_shares` hold a row per user that adds up to 1.
    """

    ids: Column
    zones: Ints
    signed_up: Ints
    first_days: Ints
    last_days: Ints
    weights: Floats
    video: Floats
    plugin: Floats
    failing: Floats
    quality_shares: Floats
    platform_shares: Floats
    plugin_shares: Floats
    billing_days: Ints
    version_lags: Ints
    gone: Flags

    def __len__(self) -> int:
        return len(self.zones)


def invent_people(shape: DemoShape, calendar: Calendar) -> People:
    count = shape.users
    rng = np.random.default_rng([shape.seed, 1])
    zones = rng.choice(
        len(ZONES), count, p=[0.14, 0.14, 0.14, 0.2, 0.1, 0.06, 0.07, 0.06, 0.05, 0.04]
    )
    zones[0], zones[-1] = 0, len(ZONES) - 1
    today = len(calendar.dates) - 2
    # More arrive as the product becomes known; one in seven leaves again.
    first_days = (today * rng.random(count) ** 1.3 * 0.95).astype(np.int64)
    leaves = rng.random(count) < 0.14
    last_days = np.where(leaves, first_days + rng.integers(20, 300, count), today + 1)
    first_days[0], last_days[0], first_days[-1], last_days[-1] = 2, today + 1, today, today + 1
    signed_up = calendar.moments(zones, np.maximum(first_days - 1, 0), rng)
    ranks = NormalDist()
    weights = np.exp([_HEAVY_TAIL * ranks.inv_cdf((count - n - 0.5) / count) for n in range(count)])
    # Mara stays the heaviest; the others come in no order.
    rng.shuffle(weights[1:])
    weights[-1] = 0
    plugin = np.clip(rng.beta(1.2, 2.2, count), 0.02, 0.95) * (rng.random(count) < 0.7)
    video = rng.beta(1.2, 12, count)
    plugin[0], video[0] = 0.36, 0.08
    shares = {
        "quality_shares": rng.dirichlet(np.array([6.2, 2.7, 1.0, 0.12]) * 3, count),
        "platform_shares": rng.dirichlet(np.array([6.4, 2.4, 1.2]) * 2, count),
        "plugin_shares": rng.dirichlet(np.array([3.0, 2.0, 1.1, 0.8, 0.8, 0.3]) * 0.6, count),
    }
    shares["quality_shares"][0] = (0.62, 0.265, 0.1, 0.015)
    shares["platform_shares"][0] = (0.7, 0.2, 0.1)
    shares["plugin_shares"][0] = (0.55, 0.22, 0.12, 0.05, 0.06, 0.0)
    numbers = np.arange(count)
    return People(
        ids=keyed_ids(shape.seed, "users", numbers, numbers),
        zones=zones,
        signed_up=signed_up,
        first_days=first_days,
        last_days=last_days,
        weights=weights,
        video=video,
        plugin=plugin,
        failing=rng.gamma(4, 0.25, count),
        billing_days=rng.integers(1, 29, count),
        version_lags=rng.integers(0, 60, count),
        gone=last_days < today,
        **shares,
    )


def user_rows(shape: DemoShape, people: People, last_logins: Ints) -> Column:
    """The table `users`; those who have left are not active."""
    rng = np.random.default_rng([shape.seed, 2])
    count = len(people)
    first = rng.choice(_FIRST_NAMES, count)
    last = rng.choice(_LAST_NAMES, count)
    named = [
        (f"{a} {b}", f"{a}.{b}{n}@example.com".lower())
        for n, (a, b) in enumerate(zip(first, last, strict=True))
    ]
    named[0], named[-1] = MARA, NILS
    return pa.table(
        {
            "id": people.ids,
            "email": [email for _, email in named],
            "name": [name for name, _ in named],
            "zone": words([zone.key for zone in ZONES], people.zones),
            "is_active": ~people.gone,
            "last_login_at": instants(last_logins, last_logins == _NEVER),
            "created_at": instants(people.signed_up),
        }
    )


def key_rows(shape: DemoShape, people: People, last_calls: Ints, now: int) -> Column:
    """The table `plugin_api_keys`: in use, used less, switched off, expired, never used.

    Mara has one of each, in this order; others the first few.
    """
    rng = np.random.default_rng([shape.seed, 3])
    callers = np.flatnonzero(last_calls != _NEVER)
    how_many = np.minimum(1 + rng.poisson(0.9, len(callers)), 5)
    how_many[callers == 0] = 5
    owner = np.repeat(callers, how_many)
    kind = np.arange(len(owner)) - np.repeat(np.cumsum(how_many) - how_many, how_many)
    ago = np.array([0, 2, 40, 60, 0])[kind] * _DAY
    created = people.signed_up[owner] + (rng.random(len(owner)) * 5 * _DAY).astype(np.int64)
    created = np.minimum(created, last_calls[owner] - 10 * _MINUTE) // 1000 * 1000
    used = np.maximum(last_calls[owner] - ago, created + 5 * _MINUTE)
    expires = np.where(kind == 3, used + _MINUTE, now + 200 * _DAY)
    where: Sequence[str] = ("Workstation", "Laptop", "Old workstation", "Trial", "Render farm")
    # A hash says nothing about the key, so that any 64 digits will do.
    hashes = [rng.bytes(32).hex() for _ in owner]
    return pa.table(
        {
            "id": keyed_ids(shape.seed, "keys", owner, kind),
            "user_id": people.ids.take(pa.array(owner)),
            "name": words(where, kind),
            "key_hash": hashes,
            "prefix": [f"rk_{digits[-6:]}" for digits in hashes],
            "is_active": kind != 2,
            "expires_at": instants(expires, (kind == 0) | (kind == 4)),
            "last_used_at": instants(used, kind == 4),
            "created_at": instants(created),
        }
    )
