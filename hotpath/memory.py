"""Allocates an engine's memory."""

import numpy as np
from numpy.typing import NDArray

from hotpath import record
from hotpath.index import make_buckets, make_hash_keys
from hotpath.members import make_slots


def allocate(
    capacity: int,
    seed: int,
    zones: NDArray[np.void],
    antennas: NDArray[np.void],
    goods: NDArray[np.uint8] | None,
    garments: NDArray[np.uint8],
    event_rows: int,
) -> record.State:
    """Fresh memory for `capacity` tags and no members; pages are touched only as tags come.

    Args:
        zones, antennas: rows of `record.ZONE` and `record.ANTENNA`.
        goods: prefixes of own goods; None: every tag is an item.
    """
    numbers = np.zeros(record.NUMBERS, np.int64)
    numbers[record.NOW] = record.NEVER
    numbers[record.FREE_COUNT] = capacity
    numbers[record.OLDEST] = numbers[record.NEWEST] = record.NOWHERE
    numbers[record.LEASED_UNTIL] = record.NEVER
    numbers[record.HAS_GOODS] = goods is not None
    return record.State(
        tags=np.zeros(capacity, record.TAG),
        buckets=make_buckets(capacity),
        hash_keys=make_hash_keys(seed),
        heap_ns=np.zeros(capacity, np.int64),
        heap_serial=np.zeros(capacity, np.int64),
        heap_tag=np.zeros(capacity, np.int32),
        free=np.arange(capacity - 1, -1, -1, dtype=np.int32),
        numbers=numbers,
        counters=np.zeros(record.COUNTERS, np.int64),
        zones=zones,
        antennas=antennas,
        goods=no_prefixes() if goods is None else goods,
        garments=garments,
        member_key=np.zeros(2, np.uint64),
        member_rows=np.zeros((0, 4), np.uint64),
        member_slots=make_slots(0),
        events=np.zeros(event_rows, record.EVENT),
    )


def no_prefixes() -> NDArray[np.uint8]:
    """An empty list of prefixes."""
    return np.zeros((0, 1 + record.MAX_EPC_BYTES), np.uint8)
