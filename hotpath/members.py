"""Member look-up: open addressing over a table of keyed card hashes.

A slot is 0, or the row's number plus one in its low half and 32 bits of the row's hash in its high half, so that a card
which is not in the table costs one line of memory and the rows are touched only for a likely hit.  The hashes are keyed
and uniform: crafted cards cannot cluster.
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel
from hotpath.siphash import siphash

Words = NDArray[np.uint64]
Word = np.uint64

_LOW = Word(0xFFFFFFFF)
_32 = Word(32)
_ONE = Word(1)
NO_ROW = -1
AHEAD = 16
"""How many look-ups the batch kernel hashes ahead, so that their memory accesses overlap."""


def make_ahead() -> Words:
    """The scratch of `match`."""
    return np.zeros((AHEAD, 2), np.uint64)


def make_slots(rows: int) -> Words:
    """Empty slots for a table of `rows`: a power of two, at most two thirds full."""
    return np.zeros(1 << max(4, (rows * 3 // 2).bit_length()), np.uint64)


@entry_kernel
def fill_slots(rows: Words, slots: Words) -> None:
    """Enter all rows.

    Args:
        rows: [n, 4]: hash and handle, two little-endian words each.
        slots: zeroed, from `make_slots(n)`; written.
    """
    mask = Word(slots.shape[0] - 1)
    for row in range(rows.shape[0]):
        at = rows[row, 0] & mask
        while slots[at] != 0:
            at = (at + _ONE) & mask
        slots[at] = ((rows[row, 0] >> _32) << _32) | Word(row + 1)


@hot_kernel
def find_row(rows: Words, slots: Words, h0: Word, h1: Word) -> int:
    """The row with this hash, or `NO_ROW`."""
    mask = Word(slots.shape[0] - 1)
    at = h0 & mask
    while slots[at] != 0:
        if slots[at] >> _32 == h0 >> _32:
            row = np.int64(slots[at] & _LOW) - 1
            if rows[row, 0] == h0 and rows[row, 1] == h1:
                return int(row)
        at = (at + _ONE) & mask
    return NO_ROW


@entry_kernel
def match(
    key: Words,
    rows: Words,
    slots: Words,
    epc: NDArray[np.uint8],
    epc_len: NDArray[np.uint8],
    found: NDArray[np.int64],
    ahead: Words,
) -> int:
    """Look up a column of EPCs; returns how many are members.

    Args:
        key: [2], the 16-byte match key as little-endian words.
        found: [n], written: row or `NO_ROW`.
        ahead: [AHEAD, 2], scratch.
    """
    hits = 0
    for start in range(0, epc.shape[0], AHEAD):
        stop = min(start + AHEAD, epc.shape[0])
        for i in range(start, stop):
            ahead[i - start, 0], ahead[i - start, 1] = siphash(key[0], key[1], epc[i], epc_len[i])
        for i in range(start, stop):  # independent of one another: the processor overlaps their misses
            found[i] = find_row(rows, slots, ahead[i - start, 0], ahead[i - start, 1])
            hits += found[i] != NO_ROW
    return hits


@entry_kernel
def hash_cards(key: Words, epc: NDArray[np.uint8], epc_len: NDArray[np.uint8], hashes: Words) -> None:
    """Write the keyed hash of each EPC into `hashes` [n, 2]."""
    for i in range(epc.shape[0]):
        hashes[i, 0], hashes[i, 1] = siphash(key[0], key[1], epc[i], epc_len[i])
