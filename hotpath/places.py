"""Place: which zone a tag is in, by mean signal per antenna, never by counting reads.

A tag remembers the last `SAMPLES` signals of at most `SLOTS` antennas.  A zone's score is its best antenna's mean.  The
samples of a challenger count while fresh; the current place keeps the mean it had when the tag was last read there.
"""

from typing import Any

import numpy as np

from hotpath._jit import hot_kernel, kernel
from hotpath.record import EXITING, NEVER, NO_ANTENNA, NOWHERE, PRESENT, SAMPLES, SLOTS

Record = Any
"""One row of TAG; numba sees its fields."""
NO_SCORE = -1e9
NS_PER_MS = 1e6


@kernel
def forget_samples(record: Record) -> None:
    """Empty all slots."""
    for slot in range(SLOTS):
        record["slot_antenna"][slot] = NO_ANTENNA
        record["slot_zone"][slot] = NOWHERE
        clear_slot(record, slot)


@hot_kernel
def clear_slot(record: Record, slot: int) -> None:
    """Empty one slot."""
    record["slot_count"][slot] = 0
    record["slot_next"][slot] = 0
    record["slot_sum"][slot] = 0
    record["slot_last_ns"][slot] = NEVER


@hot_kernel
def add_sample(record: Record, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
    """Remember one signal."""
    slot = pick_slot(record, antenna)
    if record["slot_antenna"][slot] != antenna:
        clear_slot(record, slot)
        record["slot_antenna"][slot] = antenna
        record["slot_zone"][slot] = zone
    put_sample(record, slot, t_ns, cdbm)


@hot_kernel
def put_sample(record: Record, slot: int, t_ns: int, cdbm: int) -> None:
    """Add to a slot's ring; the oldest of twenty makes room."""
    at = np.int64(record["slot_next"][slot])
    if record["slot_count"][slot] == SAMPLES:
        record["slot_sum"][slot] -= record["sample_cdbm"][slot, at]
    else:
        record["slot_count"][slot] += 1
    record["sample_cdbm"][slot, at] = cdbm
    record["sample_ns"][slot, at] = t_ns
    record["slot_sum"][slot] += cdbm
    record["slot_next"][slot] = (at + 1) % SAMPLES
    record["slot_last_ns"][slot] = max(record["slot_last_ns"][slot], t_ns)


@hot_kernel
def pick_slot(record: Record, antenna: int) -> int:
    """The antenna's slot, else a free one, else the least recently read; never the newest of the current place."""
    kept = newest_slot(record, record["zone"]) if record["state"] == PRESENT or record["state"] == EXITING else NOWHERE
    oldest = NOWHERE
    for slot in range(SLOTS):
        if record["slot_antenna"][slot] == antenna or record["slot_antenna"][slot] == NO_ANTENNA:
            return slot
        if slot != kept and (oldest == NOWHERE or record["slot_last_ns"][slot] < record["slot_last_ns"][oldest]):
            oldest = slot
    return oldest


@hot_kernel
def newest_slot(record: Record, zone: int) -> int:
    """The slot of a zone that was read last, the first of equals."""
    newest = NOWHERE
    for slot in range(SLOTS):
        if record["slot_zone"][slot] == zone and (
            newest == NOWHERE or record["slot_last_ns"][slot] > record["slot_last_ns"][newest]
        ):
            newest = slot
    return newest


@kernel
def mean_cdbm(record: Record, zone: int, since_ns: int) -> float:
    """The best mean of a zone's antennas that were read after `since_ns`, all their samples counted."""
    best = NO_SCORE
    for slot in range(SLOTS):
        if (
            record["slot_zone"][slot] == zone
            and record["slot_count"][slot] > 0
            and record["slot_last_ns"][slot] > since_ns
        ):
            best = max(best, record["slot_sum"][slot] / record["slot_count"][slot])
    return best


@kernel
def fresh_cdbm(record: Record, zone: int, since_ns: int) -> tuple[int, float]:
    """How many samples of a zone are newer than `since_ns`, and the best mean of its antennas over these."""
    count, best = 0, NO_SCORE
    for slot in range(SLOTS):
        if record["slot_zone"][slot] != zone:
            continue
        fresh, total = 0, np.int64(0)
        for at in range(record["slot_count"][slot]):
            if record["sample_ns"][slot, at] > since_ns:
                fresh += 1
                total += np.int64(record["sample_cdbm"][slot, at])
        if fresh > 0:
            count += fresh
            best = max(best, total / fresh)
    return count, best


@kernel
def forget_stale(record: Record, zone: int, since_ns: int) -> None:
    """Keep only what is newer than `since_ns` of a zone that was just won: what did not count must not weigh later."""
    for slot in range(SLOTS):
        if record["slot_zone"][slot] != zone:
            continue
        count = np.int64(record["slot_count"][slot])
        first = (np.int64(record["slot_next"][slot]) - count) % SAMPLES
        clear_slot(record, slot)
        record["slot_next"][slot] = first  # so that writing never overtakes reading
        for step in range(count):
            at = (first + step) % SAMPLES
            if record["sample_ns"][slot, at] > since_ns:
                put_sample(record, slot, record["sample_ns"][slot, at], record["sample_cdbm"][slot, at])


@kernel
def best_place(record: Record) -> tuple[int, float, float]:
    """The zone with the best score over all samples, its score, and the next best zone's (`NO_SCORE`: no other)."""
    zone, score, second = NOWHERE, NO_SCORE, NO_SCORE
    for slot in range(SLOTS):
        if record["slot_count"][slot] == 0:
            continue
        mean = record["slot_sum"][slot] / record["slot_count"][slot]
        if record["slot_zone"][slot] == zone:
            score = max(score, mean)
        elif mean > score:
            zone, score, second = record["slot_zone"][slot], mean, score
        else:
            second = max(second, mean)
    return zone, score, second


@kernel
def advantage_cdbm(threshold_db: float, slope_db_per_ms: float, holdoff_ns: int, dt_ns: int) -> float:
    """What a challenger must have more than the current place, not read for `dt_ns`."""
    return 100.0 * min(threshold_db, threshold_db + slope_db_per_ms * ((dt_ns - holdoff_ns) / NS_PER_MS))
