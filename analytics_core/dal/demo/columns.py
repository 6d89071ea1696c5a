"""Columns of many rows at once, as Arrow arrays: ids, instants, and words out of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Column: TypeAlias = Any  # a pyarrow.Array, which has no types of its own

_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2").view(np.uint8)
_HEX_PAIRS = _HEX.reshape(256, 2)
# Where the groups of a written UUID begin, and which hexadecimal digits they hold.
_GROUPS = ((0, 0, 8), (9, 8, 12), (14, 12, 16), (19, 16, 20), (24, 20, 32))


def instants(microseconds: Ints, missing: Flags | None = None) -> Column:
    """UTC instants from microseconds since 1970; null where `missing`."""
    return pa.array(microseconds, mask=missing, type=pa.timestamp("us", tz="UTC"))


def words(vocabulary: Sequence[str | None], codes: NDArray[Any]) -> Column:
    """Text by its position in a vocabulary, which may hold None."""
    return pa.array(vocabulary, type=pa.string()).take(pa.array(codes))


def time_ordered_ids(microseconds: Ints, rng: np.random.Generator) -> Column:
    """One UUID version 7 (RFC 9562) for each instant: in time's order, as products make them."""
    count = len(microseconds)
    raw = np.frombuffer(rng.bytes(16 * count), dtype=np.uint8).reshape(count, 16).copy()
    milliseconds = (microseconds // 1000).astype(">u8").view(np.uint8).reshape(count, 8)
    raw[:, :6] = milliseconds[:, 2:]
    return _written(raw, version=7)


def keyed_ids(seed: int, noun: str, owners: Ints, numbers: Ints) -> Column:
    """One UUID version 8 for each (owner, number), always the same for the same seed and noun."""
    start = _mixed(np.array([crc32(f"{seed}/{noun}".encode())], dtype=np.uint64))
    key = (owners.astype(np.uint64) << np.uint64(32)) | numbers.astype(np.uint64)
    high = _mixed(key ^ start)
    low = _mixed(high + np.uint64(0x9E3779B97F4A7C15))
    raw = np.empty((len(key), 16), dtype=np.uint8)
    raw[:, :8] = high.astype(">u8").view(np.uint8).reshape(-1, 8)
    raw[:, 8:] = low.astype(">u8").view(np.uint8).reshape(-1, 8)
    return _written(raw, version=8)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea, Flood, 2014): no two inputs share an output."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _written(raw: NDArray[np.uint8], version: int) -> Column:
    count = len(raw)
    raw[:, 6] = (raw[:, 6] & 0x0F) | (version << 4)
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    digits = _HEX_PAIRS[raw].reshape(count, 32)
    text = np.full((count, 36), ord("-"), dtype=np.uint8)
    for at, first, last in _GROUPS:
        text[:, at : at + last - first] = digits[:, first:last]
    ends = np.arange(0, 36 * (count + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(text.tobytes()))
