"""Member look-up: a directory over a table that is sorted by keyed hash.

Hashes are keyed and uniform, so the first 32 bits of one, scaled to the number of rows, say where in the table it must be:
`slots[home]` is the first row of that home, `slots[home + 1]` the first row after it, one row on average.  Building the
directory is one pass in order, and a look-up costs two visits to memory, be it a member's or not; `match` has both under way
for several cards at once.  Without the key nobody can craft cards that share a home.
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel, prefetch
from hotpath.siphash import siphash

Words = NDArray[np.uint64]
Slots = NDArray[np.uint32]
Word = np.uint64

_8, _24, _32 = Word(8), Word(24), Word(32)
_BYTE_0, _BYTE_1 = Word(0xFF), Word(0xFF00)
NO_ROW = -1
AHEAD = 8
"""From hashing a card to its first visit to memory, and from there to the second, so many look-ups go by.

Measured with ten million members: from 6 to 16 it hardly matters; without, a look-up takes four times as long.
"""
_RING = np.int64(32)  # a power of two that holds the two stages' look-ups


def make_ahead() -> Words:
    """The scratch of `match`."""
    return np.zeros((_RING, 4), np.uint64)


def make_slots(rows: int) -> Slots:
    """The directory of an empty table, and room for that of a table of `rows`."""
    return np.zeros(max(rows, 1) + 1, np.uint32)


@hot_kernel
def find_home(slots: Slots, h0: Word) -> np.int64:
    """The place in the directory of a hash, by its first four bytes as a big-endian number: the order of the table."""
    first = (h0 & _BYTE_0) << _24 | (h0 & _BYTE_1) << _8 | (h0 >> _8) & _BYTE_1 | (h0 >> _24) & _BYTE_0
    return np.int64((first * Word(slots.shape[0] - 1)) >> _32)


@entry_kernel
def fill_slots(rows: Words, slots: Slots) -> bool:
    """Write the directory of a table; False when its rows are not in order, and the directory then is of no use.

    Args:
        rows: [n, 4]: hash and handle, two little-endian words each; sorted by the bytes of the hash.
        slots: from `make_slots(n)`; written.
    """
    home = 0
    for row in range(rows.shape[0]):
        wanted = find_home(slots, rows[row, 0])
        if wanted < home - 1:
            return False
        while home <= wanted:
            slots[home] = row
            home += 1
    for beyond in range(home, slots.shape[0]):
        slots[beyond] = rows.shape[0]
    return True


@hot_kernel
def prefetch_slot(slots: Slots, h0: Word) -> None:
    """Hint that `find_row` will be asked for this hash."""
    prefetch(slots, int(find_home(slots, h0)))


@hot_kernel
def find_row(rows: Words, slots: Slots, h0: Word, h1: Word) -> int:
    """The row with this hash, the first of several, or `NO_ROW`."""
    home = find_home(slots, h0)
    return _search(rows, np.int64(slots[home]), np.int64(slots[home + 1]), h0, h1)


@hot_kernel
def _search(rows: Words, start: np.int64, stop: np.int64, h0: Word, h1: Word) -> int:
    for row in range(start, stop):
        if rows[row, 0] == h0 and rows[row, 1] == h1:
            return row
    return NO_ROW


@entry_kernel
def match(
    key: Words,
    rows: Words,
    slots: Slots,
    epc: Words,
    epc_len: NDArray[np.uint8],
    found: NDArray[np.int64],
    ahead: Words,
) -> int:
    """Look up a column of EPCs; returns how many are members.

    Three stages, `AHEAD` apart: hash and ask for the directory's line; read it and ask for the table's; compare.

    Args:
        key: [2], the 16-byte match key as little-endian words.
        epc: [n, w], as in `edge.columns.Columns`.
        found: [n], written: row or `NO_ROW`.
        ahead: from `make_ahead()`.
    """
    hits, count = 0, epc.shape[0]
    for hashed in range(count + 2 * AHEAD):
        read, compared = hashed - AHEAD, hashed - 2 * AHEAD
        if hashed < count:
            own = ahead[hashed % _RING]
            own[0], own[1] = siphash(key[0], key[1], epc[hashed], epc_len[hashed])
            prefetch_slot(slots, own[0])
        if 0 <= read < count:
            own = ahead[read % _RING]
            home = find_home(slots, own[0])
            own[2], own[3] = slots[home], slots[home + 1]
            prefetch(rows, int(np.int64(own[2])))
            prefetch(rows, int(np.int64(own[3]) - 1))  # a home with many rows lies in several lines
        if compared >= 0:
            own = ahead[compared % _RING]
            found[compared] = _search(rows, np.int64(own[2]), np.int64(own[3]), own[0], own[1])
            hits += found[compared] != NO_ROW
    return hits


@entry_kernel
def match_singly(
    key: Words, rows: Words, slots: Slots, epc: Words, epc_len: NDArray[np.uint8], found: NDArray[np.int64]
) -> int:
    """As `match`, one after the other and without hints: what the pipeline is measured against."""
    hits = 0
    for each in range(epc.shape[0]):
        h0, h1 = siphash(key[0], key[1], epc[each], epc_len[each])
        found[each] = find_row(rows, slots, h0, h1)
        hits += found[each] != NO_ROW
    return hits


@entry_kernel
def hash_cards(key: Words, epc: Words, epc_len: NDArray[np.uint8], hashes: Words) -> None:
    """Write the keyed hash of each EPC into `hashes` [n, 2]."""
    for i in range(epc.shape[0]):
        hashes[i, 0], hashes[i, 1] = siphash(key[0], key[1], epc[i], epc_len[i])
