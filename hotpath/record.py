"""The layout of the engine's memory: one packed record per tag, the columns of events, and what the kernels share.

A tag's record is one row of `TAG`; its first 64 bytes (EPC, length, state) are what a look-up compares.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_EPC_BYTES = 62
SLOTS = 4
"""Antennas remembered per tag."""
SAMPLES = 20
"""Signals remembered per antenna."""
NO_ANTENNA = 0xFFFF
NOWHERE = -1
NEVER = -(1 << 62)
PROFILES = 3

# State.  EXITING is PRESENT at an exit; RETURNING is DEPARTED with a candidacy running.
UNKNOWN, CANDIDATE, PRESENT, EXITING, DEPARTED, RETURNING = range(6)
# Class of a tag, found out when its candidacy begins.
STRAY, STAFF, ITEM, PERSON = range(4)
# Profile.
PROFILE_PERSON, PROFILE_ITEM, PROFILE_GARMENT = range(3)
# Kind of event, and why a presence ended.
ARRIVED, MOVED, LEFT, RETURNED = range(4)
NO_REASON, TIMEOUT, EXIT, WITHDRAWN = range(4)
# What a feed ended with: all rows done; events must be taken out first; the index needs a new seed.
DONE, FULL, CROWDED = range(3)

TAG = np.dtype(
    [
        ("epc", "u1", MAX_EPC_BYTES), ("epc_len", "u1"), ("state", "u1"),
        ("hash", "u4"), ("heap_at", "i4"), ("zone", "i4"), ("first_zone", "i4"),
        ("serial", "i8"), ("first_ns", "i8"), ("last_ns", "i8"), ("place_last_ns", "i8"), ("place_since_ns", "i8"),
        ("left_ns", "i8"), ("reads", "i8"), ("place_reads", "i8"), ("window_reads", "i8"),
        ("handle", "u8", 2), ("older", "i4"), ("newer", "i4"), ("kind", "u1"), ("profile", "u1"),
        ("slot_count", "u1", SLOTS), ("slot_next", "u1", SLOTS),
        ("slot_antenna", "u2", SLOTS), ("slot_zone", "i4", SLOTS), ("slot_sum", "i4", SLOTS), ("slot_last_ns", "i8", SLOTS),
        ("sample_cdbm", "i2", (SLOTS, SAMPLES)), ("sample_ns", "i8", (SLOTS, SAMPLES)),
    ],
    align=True,
)  # fmt: skip
"""One tag.

`hash`: its index hash; `heap_at`: its place in the deadline heap; `serial`: order of creation, which breaks ties of time;
`first_ns`, `first_zone`, `window_reads`: of the running candidacy; `place_*`: of the current zone; `left_ns`: when the
departure was detected; `reads`: of the whole presence; `older`, `newer`: list of what may be evicted.
"""

EVENT = np.dtype(
    [
        ("kind", "u1"), ("person", "u1"), ("reason", "u1"), ("epc_len", "u1"), ("epc", "u1", MAX_EPC_BYTES),
        ("handle", "u8", 2), ("zone", "i4"), ("from_zone", "i4"), ("t_ns", "i8"), ("detected_ns", "i8"), ("last_ns", "i8"),
        ("reads", "i8"), ("rssi_dbm", "f8"), ("margin_db", "f8"),
    ],
    align=True,
)  # fmt: skip
"""One event; `margin_db` is NaN where there was no other place, `from_zone` is `NOWHERE` where there was none."""

ZONE = np.dtype(
    [
        ("confirm_reads", "i8"), ("window_ns", "i8"), ("person_limit_ns", "i8"), ("item_limit_ns", "i8"),
        ("move_min_reads", "i8"), ("sample_age_ns", "i8"),
        ("threshold_db", "f8", PROFILES), ("slope_db_per_ms", "f8", PROFILES), ("holdoff_ns", "i8", PROFILES),
        ("is_exit", "u1"), ("creates_items", "u1"),
    ],
    align=True,
)  # fmt: skip
"""One zone's rules; at an exit the limits are already the smaller ones."""

ANTENNA = np.dtype([("zone", "i4"), ("floor_cdbm", "i4")], align=True)

# Numbers the kernels keep between calls.
(
    NOW,
    HEAP_SIZE,
    FREE_COUNT,
    NEXT_SERIAL,
    OLDEST,
    NEWEST,
    LEASED_UNTIL,
    HAS_GOODS,
    PERSON_FORGOTTEN,
    ITEM_FORGOTTEN,
    EVENTS,
    FIRED,
) = range(12)
NUMBERS = 12

# Counters, in the order of `edge.presence_model.Counters`.
(
    READS, BELOW_FLOOR, LATE, CLAMPED, BAD_EPC, BAD_ANTENNA, CRC_WRONG, TILL_IGNORED, LEASE_IGNORED, CANDIDATES, STRAYS,
    STRAYS_FORGOTTEN, STAFF_SEEN, EVICTED, REFUSED, ARRIVALS, MOVES, DEPARTURES, RETURNS, FORGOTTEN, PRESENT_ITEMS,
    PRESENT_PEOPLE, TAGS, REBUILDS, BAD_TIME, RSSI_CLAMPED, STALE, SOLD, SOLD_IGNORED,
) = range(29)  # fmt: skip
COUNTERS = 29


class State(NamedTuple):
    """All memory of an engine; the caller allocates it, the kernels change it in place.

    Args:
        tags: TAG[capacity].
        buckets: u8, the tag index, a power of two; 0, or hash << 32 | tag + 1.
        hash_keys: u8[18], random per start.
        heap_ns, heap_serial, heap_tag: the deadline heap.
        free: i4, a stack of unused tags.
        numbers, counters: i8, see the constants above.
        zones, antennas: ZONE[], ANTENNA[].
        goods, garments: u1[n, 63]: a prefix's length, then its bytes.
        member_key, member_rows, member_slots: see `hotpath.members`.
        events: EVENT[], filled up to numbers[EVENTS].
    """

    tags: NDArray[np.void]
    buckets: NDArray[np.uint64]
    hash_keys: NDArray[np.uint64]
    heap_ns: NDArray[np.int64]
    heap_serial: NDArray[np.int64]
    heap_tag: NDArray[np.int32]
    free: NDArray[np.int32]
    numbers: NDArray[np.int64]
    counters: NDArray[np.int64]
    zones: NDArray[np.void]
    antennas: NDArray[np.void]
    goods: NDArray[np.uint8]
    garments: NDArray[np.uint8]
    member_key: NDArray[np.uint64]
    member_rows: NDArray[np.uint64]
    member_slots: NDArray[np.uint64]
    events: NDArray[np.void]
