"""Allocates an engine's memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotpath import record
from hotpath.deadlines import make_queue
from hotpath.index import make_buckets, make_index_keys
from hotpath.members import make_slots
from hotpath.words import HASHES_AT, MEMBER_KEYS, WORDS

LINE_BYTES = 64
RESERVE = 16
"""One record in so many is kept free for persons."""


def allocate(
    capacity: int,
    seed: int,
    zones: NDArray[np.void],
    antennas: NDArray[np.void],
    prefixes: NDArray[np.uint8],
    event_rows: int,
    *,
    has_goods: bool,
) -> record.State:
    """Fresh memory for `capacity` tags and no members, all pages touched: no read waits for the kernel to find one.

    Args:
        zones, antennas: rows of `record.ZONE` and `record.ANTENNA`.
        prefixes: see `record.State`; has_goods: False: every tag is an item.
    """
    cold = _lines(capacity, record.COLD)
    cold["newer"] = np.arange(1, capacity + 1)  # the free ones, one after the other
    return record.State(
        hot=_lines(capacity, record.HOT),
        cold=cold,
        buckets=make_buckets(capacity),
        words=_words(seed),
        queue=make_queue(capacity),
        numbers=_numbers(capacity, has_goods=has_goods),
        zones=zones,
        antennas=antennas,
        prefixes=prefixes,
        member_rows=np.zeros((0, 4), np.uint64),
        member_slots=make_slots(0),
        events=np.zeros(event_rows, record.EVENT),
    )


def no_prefixes() -> NDArray[np.uint8]:
    """An empty list of prefixes."""
    return np.zeros((0, 2 + record.MAX_EPC_BYTES), np.uint8)


def _words(seed: int) -> NDArray[np.uint64]:
    words = np.zeros(WORDS, np.uint64)
    words[MEMBER_KEYS:HASHES_AT] = make_index_keys(seed)
    return words


def _numbers(capacity: int, *, has_goods: bool) -> NDArray[np.int64]:
    numbers = np.zeros(record.NUMBERS, np.int64)
    numbers[record.NOW] = numbers[record.LEASED_UNTIL] = record.NEVER
    numbers[record.NEXT_DUE] = record.FAR
    numbers[record.FREE_COUNT] = capacity
    numbers[record.RESERVED] = capacity // RESERVE
    numbers[record.HAS_GOODS] = has_goods
    numbers[record.OLDEST : record.READS_AT] = record.NOWHERE
    return numbers


def _lines(rows: int, dtype: np.dtype[Any]) -> NDArray[np.void]:
    """Zeroed rows that begin on a cache line."""
    memory = np.empty(rows * dtype.itemsize + LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % LINE_BYTES
    memory.fill(0)
    return memory[start : start + rows * dtype.itemsize].view(dtype)
