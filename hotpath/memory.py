"""Allocates an engine's memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotpath import record
from hotpath.deadlines import make_heap, make_wheel
from hotpath.index import MEMBER_KEYS, make_buckets, make_index_keys
from hotpath.members import make_slots

LINE_BYTES = 64
BLOCK = 32
"""Rows that go through each stage of a feed together; their hashes wait in the first words of `scratch`, their likely tags in `guesses`."""
WORDS_AT = BLOCK
SCRATCH_WORDS = WORDS_AT + record.EPC_WORDS
RESERVE = 16
"""One record in so many is kept free for persons."""


def allocate(
    capacity: int,
    seed: int,
    zones: NDArray[np.void],
    antennas: NDArray[np.void],
    goods: NDArray[np.uint8] | None,
    garments: NDArray[np.uint8],
    event_rows: int,
) -> record.State:
    """Fresh memory for `capacity` tags and no members, all pages touched: no read waits for the kernel to find one.

    Args:
        zones, antennas: rows of `record.ZONE` and `record.ANTENNA`.
        goods: prefixes of own goods; None: every tag is an item.
    """
    return record.State(
        hot=_lines(capacity, record.HOT),
        cold=_lines(capacity, record.COLD),
        buckets=make_buckets(capacity),
        keys=np.concatenate([np.zeros(MEMBER_KEYS, np.uint64), make_index_keys(seed)]),
        wheel=make_wheel(),
        heap=make_heap(capacity),
        free=np.arange(capacity - 1, -1, -1, dtype=np.int32),
        numbers=_numbers(capacity, has_goods=goods is not None),
        counters=np.zeros(record.COUNTERS, np.int64),
        zones=zones,
        antennas=antennas,
        goods=no_prefixes() if goods is None else goods,
        garments=garments,
        member_rows=np.zeros((0, 4), np.uint64),
        member_slots=make_slots(0),
        events=np.zeros(event_rows, record.EVENT),
        scratch=np.zeros(SCRATCH_WORDS, np.uint64),
        guesses=np.zeros(BLOCK, np.int64),
    )


def no_prefixes() -> NDArray[np.uint8]:
    """An empty list of prefixes."""
    return np.zeros((0, 1 + record.MAX_EPC_BYTES), np.uint8)


def _numbers(capacity: int, *, has_goods: bool) -> NDArray[np.int64]:
    numbers = np.zeros(record.NUMBERS, np.int64)
    numbers[record.NOW] = numbers[record.LEASED_UNTIL] = record.NEVER
    numbers[record.NEXT_DUE] = record.FAR
    numbers[record.FREE_COUNT] = capacity
    numbers[record.RESERVED] = capacity // RESERVE
    numbers[record.HAS_GOODS] = has_goods
    numbers[record.OLDEST :] = record.NOWHERE
    return numbers


def _lines(rows: int, dtype: np.dtype[Any]) -> NDArray[np.void]:
    """Zeroed rows that begin on a cache line."""
    memory = np.empty(rows * dtype.itemsize + LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % LINE_BYTES
    memory.fill(0)
    return memory[start : start + rows * dtype.itemsize].view(dtype)
