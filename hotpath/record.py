"""The layout of the engine's memory: two packed records per tag, the columns of events, and what the kernels share.

What a read touches stands in `HOT`, two cache lines: the first finds the tag and counts it, the second places it.  What
only a transition touches stands in `COLD`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_EPC_BYTES = 62
EPC_WORDS = 8
HOT_WORDS = 2
"""EPC words in the first cache line; the longer an EPC, the rarer."""
SLOTS = 4
"""Antennas remembered per tag."""
NO_ANTENNA = 0xFFFF
NOWHERE = -1
NO_ZONE = 0xFFFF
NEVER = -(1 << 62)
FAR = 1 << 62
"""Later than any deadline."""
PROFILES = 3

# State.  EXITING is PRESENT at an exit; RETURNING is DEPARTED with a candidacy running.
UNKNOWN, CANDIDATE, PRESENT, EXITING, DEPARTED, RETURNING = range(6)
# Class of a tag, found out when its candidacy begins.
STRAY, STAFF, ITEM, PERSON = range(4)
# Profile.
PROFILE_PERSON, PROFILE_ITEM, PROFILE_GARMENT = range(3)
# Kind of event, and why a presence ended.
ARRIVED, MOVED, LEFT, RETURNED, DWELLED = range(5)
NO_REASON, TIMEOUT, EXIT, WITHDRAWN = range(4)
# Side of a door, and which way somebody left it.
NO_SIDE, OUTSIDE, INSIDE = range(3)
NO_WAY, INWARDS, OUTWARDS = range(3)
# What a feed ended with: all rows done; events must be taken out first; the index needs a new seed.
DONE, FULL, CROWDED = range(3)

HOT = np.dtype(
    [
        ("epc", "u8", HOT_WORDS), ("last_ns", "i8"), ("notice_ns", "i8"), ("reads", "u4"), ("place_reads", "u4"),
        ("slot_antenna", "u2", SLOTS), ("slot_count", "u1", SLOTS), ("zone", "u2"), ("epc_len", "u1"), ("state", "u1"),
        ("kind", "u1"), ("profile", "u1"), ("sold", "u1"), ("spare", "u1"), ("hash", "u4"),
        ("slot_last_ns", "i8", SLOTS), ("slot_cdbm", "f4", SLOTS), ("slot_weight", "f4", SLOTS),
    ],
    align=True,
)  # fmt: skip
"""One tag, 128 bytes.

`last_ns`: its newest read; `notice_ns`: when a read at its place is news beyond a count (dwell, sold by age); `reads`: of the
running candidacy or presence; `place_reads`: of these at the current place; `zone`: the place, during a candidacy that of
the first read; `epc_len` 0: a person restored by the card's hash, which stands in `epc`; `slot_*`: per antenna the newest
read, the fading mean of the signal, its weight, and the reads it goes back to (at most 255).
"""

COLD = np.dtype(
    [
        ("tail", "u8", EPC_WORDS - HOT_WORDS), ("serial", "i8"), ("first_ns", "i8"), ("left_ns", "i8"),
        ("place_since_ns", "i8"), ("handle", "u8", 2), ("armed_ns", "i8"), ("peak_ns", "i8", 2), ("peak_cdbm", "i2", 2),
        ("where", "i4"), ("before", "i4"), ("after", "i4"), ("older", "i4"), ("newer", "i4"),
    ],
    align=True,
)  # fmt: skip
"""The rest of a tag.

`tail`: EPC words after the first two; `serial`: order of creation, which breaks ties of time; `first_ns`: begin of the
candidacy; `left_ns`: when the departure was detected; `armed_ns`, `where`, `before`, `after`: see `hotpath.deadlines`;
`peak_*`: the strongest read on each side of a door; `older`, `newer`: see `hotpath.lists`.
"""

EVENT = np.dtype(
    [
        ("kind", "u1"), ("person", "u1"), ("reason", "u1"), ("direction", "u1"), ("epc_len", "u1"),
        ("epc", "u8", EPC_WORDS), ("handle", "u8", 2), ("serial", "i8"), ("zone", "i4"), ("from_zone", "i4"),
        ("t_ns", "i8"), ("detected_ns", "i8"), ("last_ns", "i8"), ("reads", "i8"), ("rssi_dbm", "f8"), ("margin_db", "f8"),
    ],
    align=True,
)  # fmt: skip
"""One event; `margin_db` is NaN where there was no other place, `from_zone` is `NOWHERE` where there was none."""

ZONE = np.dtype(
    [
        ("threshold_db", "f8", PROFILES), ("slope_db_per_ms", "f8", PROFILES), ("least_db", "f8", PROFILES),
        ("holdoff_ns", "i8", PROFILES),
        ("person_limit_ns", "i8"), ("item_limit_ns", "i8"), ("resumed_ns", "i8"), ("silent", "i4"),
        ("move_min_reads", "i4"), ("confirm_reads", "i4"), ("is_exit", "u1"), ("is_door", "u1"), ("creates_items", "u1"),
        ("sees_sold", "u1"), ("window_ns", "i8"), ("dwell_ns", "i8"), ("sold_after_ns", "i8"), ("items", "i8"), ("people", "i8"),
    ],
    align=True,
)  # fmt: skip
"""One zone: its rules (at an exit the limits are already the smaller ones), how many of its readers are silent, since when
none is, and who is in it."""

ANTENNA = np.dtype(
    [
        ("age_ns", "i8", PROFILES),
        ("fade_ns", "i8"),
        ("inverse_fade", "f8"),
        ("zone", "i4"),
        ("floor_cdbm", "i4"),
        ("side", "u1"),
    ],
    align=True,
)
"""One antenna; of its zone: `age_ns`: how long a signal is fresh, by profile; `fade_ns`: in which its weight fades,
`inverse_fade`: 1 / that."""

# Numbers the kernels keep between calls; the four lists of `hotpath.lists` have a first and a last each.
(
    NOW, NEXT_DUE, CURSOR, HEAP_SIZE, FREE_COUNT, FREE, RESERVED, NEXT_SERIAL, LEASED_UNTIL, HAS_GOODS, PERSON_FORGOTTEN,
    ITEM_FORGOTTEN, LATE_LIMIT, EVENTS, FIRED, RESTORED_PEOPLE, OLDEST,
) = range(17)  # fmt: skip
NEWEST = OLDEST + 4

# Counters, behind them, in the order of `edge.presence_model.Counters`.
READS_AT = NEWEST + 4
COUNTERS = 29
NUMBERS = READS_AT + COUNTERS
(
    READS, BELOW_FLOOR, LATE, CLAMPED, BAD_EPC, BAD_ANTENNA, CRC_WRONG, TILL_IGNORED, LEASE_IGNORED, CANDIDATES, STRAYS,
    STRAYS_FORGOTTEN, STAFF_SEEN, EVICTED, REFUSED, ARRIVALS, MOVES, DEPARTURES, RETURNS, FORGOTTEN, PRESENT_ITEMS,
    PRESENT_PEOPLE, TAGS, REBUILDS, BAD_TIME, RSSI_CLAMPED, STALE, SOLD, SOLD_IGNORED,
) = range(READS_AT, READS_AT + COUNTERS)  # fmt: skip


class State(NamedTuple):
    """All memory of an engine; the caller allocates it, the kernels change it in place.

    Few arrays, because each one more makes every call of a kernel dearer.

    Args:
        hot, cold: HOT[capacity], COLD[capacity].
        buckets: u8, the tag index, a power of two; 0, or hash << 32 | tag + 1.
        words: u8: keys and what a block of rows needs, see `hotpath.words`.
        queue: i4, see `hotpath.deadlines`.
        numbers: i8, see the constants above.
        zones, antennas: ZONE[], ANTENNA[].
        prefixes: u1[n, 64], of own goods, then of garments: the length, whether of garments, then the bytes.
        member_rows, member_slots: see `hotpath.members`.
        events: EVENT[], filled up to numbers[EVENTS].
    """

    hot: NDArray[np.void]
    cold: NDArray[np.void]
    buckets: NDArray[np.uint64]
    words: NDArray[np.uint64]
    queue: NDArray[np.int32]
    numbers: NDArray[np.int64]
    zones: NDArray[np.void]
    antennas: NDArray[np.void]
    prefixes: NDArray[np.uint8]
    member_rows: NDArray[np.uint64]
    member_slots: NDArray[np.uint32]
    events: NDArray[np.void]
