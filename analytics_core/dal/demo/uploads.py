"""The files that renders need and leave behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from analytics_core.dal.demo.columns import Column, Ints, instants, time_ordered_ids, words
from analytics_core.dal.demo.people import People
from analytics_core.dal.demo.renders import COMPLETED, Renders
from analytics_core.dal.demo.rhythm import Calendar

_MEDIA_TYPES = ("image/png", "video/mp4", "image/jpeg", "model/gltf-binary", "application/pdf")
_SUFFIXES = ("png", "mp4", "jpg", "glb", "pdf")
_STEMS = ("view", "animation", "reference", "model", "brief")
_TYPICAL_BYTES = np.array([4_200_000, 26_000_000, 1_500_000, 14_000_000, 2_600_000])
_SPREAD = np.array([0.5, 0.6, 0.6, 0.9, 0.7])
# What people upload themselves; the first two kinds are what renders leave behind.
_UPLOADED_KINDS = (2, 3, 4)
_DAY, _SECOND = 86_400_000_000, 1_000_000


@dataclass(frozen=True)
class Files:
    """Files in the order of time; `deleted` is 0 for those that are still there."""

    owners: Ints
    kinds: Ints
    moments: Ints
    sizes: Ints
    deleted: Ints


def make_files(calendar: Calendar, renders: Renders, rng: np.random.Generator) -> Files:
    luck = rng.random(len(renders))
    kept = np.flatnonzero((luck < 0.14) & (renders.statuses == COMPLETED))
    given = np.flatnonzero(luck > 0.93)
    of = np.concatenate([kept, given])
    kinds = np.concatenate(
        [renders.types[kept], rng.choice(_UPLOADED_KINDS, len(given), p=[0.62, 0.26, 0.12])]
    )
    moments = np.concatenate([renders.finished[kept], renders.moments[given]])
    moments = np.minimum(moments + _SECOND, calendar.now)
    order = np.argsort(moments, kind="stable")
    of, kinds, moments = of[order], kinds[order], moments[order]
    sizes = _TYPICAL_BYTES[kinds] * np.exp(rng.normal(0, 1, len(of)) * _SPREAD[kinds])
    deleted = moments + rng.exponential(45 * _DAY, len(of)).astype(np.int64) // 1000 * 1000
    stays = (rng.random(len(of)) < 0.75) | (deleted > calendar.now)
    return Files(
        owners=renders.owners[of],
        kinds=kinds,
        moments=moments,
        sizes=sizes.astype(np.int64) + 1024,
        deleted=np.where(stays, 0, deleted),
    )


def file_rows(people: People, files: Files, rng: np.random.Generator) -> Column:
    """The table `files`."""
    numbers = pa.array(rng.integers(1, 10_000, len(files.owners))).cast(pa.string())
    stems = compute.binary_join_element_wise(words(_STEMS, files.kinds), numbers, "-")
    return pa.table(
        {
            "id": time_ordered_ids(files.moments, rng),
            "user_id": people.ids.take(pa.array(files.owners)),
            "name": compute.binary_join_element_wise(stems, words(_SUFFIXES, files.kinds), "."),
            "media_type": words(_MEDIA_TYPES, files.kinds),
            "size": files.sizes,
            "created_at": instants(files.moments),
            "deleted_at": instants(files.deleted, files.deleted == 0),
        }
    )
