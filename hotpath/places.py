"""Place: which zone a tag is in, by mean signal per antenna, never by counting reads.

A tag remembers at most `SLOTS` antennas, each by a mean that fades: an older signal weighs less with each moment, and
nothing after `fade_ms`.  Of more antennas the strongest are remembered, so that those of a place itself are not
pushed out by the many that overhear it.  A zone's score is its best antenna's mean.  A challenger's slots count
while fresh; the current place keeps the mean it had when the tag was last read there.
"""

from typing import Any

import numpy as np

from hotpath._jit import hot_kernel, kernel
from hotpath.record import EXITING, NEVER, NO_ANTENNA, NO_SIDE, NOWHERE, PRESENT, SLOTS, State

Record = Any
"""One row of HOT; numba sees its fields."""
NO_SCORE = -1e9
NS_PER_MS = 1e6
MAX_WEIGHT = 20.0
"""A mean is that of about so many reads, however fast they come."""
MAX_COUNT = 255
SLOT_STALE_NS = 5_000_000_000
"""A slot that was not read for longer makes way for any other antenna."""


@hot_kernel
def forget_samples(state: State, tag: int) -> None:
    """Empty all slots."""
    hot, cold = state.hot[tag], state.cold[tag]
    for slot in range(SLOTS):
        hot["slot_antenna"][slot] = NO_ANTENNA
        hot["slot_count"][slot] = 0
        hot["slot_last_ns"][slot] = NEVER
    cold["peak_ns"][0] = NEVER
    cold["peak_ns"][1] = NEVER


@hot_kernel
def zone_of(state: State, hot: Record, slot: int) -> int:
    """The zone of a slot's antenna; NOWHERE of an empty slot."""
    antenna = hot["slot_antenna"][slot]
    return NOWHERE if antenna == NO_ANTENNA else int(state.antennas[antenna]["zone"])


@hot_kernel
def add_sample(state: State, tag: int, antenna: int, t_ns: int, cdbm: int) -> None:
    """Remember one signal, unless the tag's slots hold stronger ones."""
    hot = state.hot[tag]
    slot = own_slot(hot, antenna)
    if slot == NOWHERE:
        slot = free_slot(state, hot, antenna, t_ns, cdbm)
        if slot != NOWHERE:
            hot["slot_antenna"][slot] = antenna
            hot["slot_last_ns"][slot] = NEVER
    if slot != NOWHERE:
        fade_in(state, hot, slot, t_ns, cdbm)
    if state.antennas[antenna]["side"] != NO_SIDE:
        note_peak(state, tag, antenna, t_ns, cdbm)


@hot_kernel
def fade_in(state: State, hot: Record, slot: int, t_ns: int, cdbm: int) -> None:
    """Take a signal into a slot's mean: the older what is there, the less it weighs; a late signal itself weighs less.

    When the last signal's weight has faded away, a new mean begins.
    """
    rules = state.antennas[hot["slot_antenna"][slot]]
    since_ns, fade_ns = t_ns - hot["slot_last_ns"][slot], rules["fade_ns"]
    if since_ns >= fade_ns:
        hot["slot_cdbm"][slot], hot["slot_weight"][slot], hot["slot_count"][slot] = cdbm, 1.0, 1
        hot["slot_last_ns"][slot] = t_ns
    elif since_ns > -fade_ns:
        fading = max(1.0 - abs(since_ns) * rules["inverse_fade"], 0.0)
        mean, weight = np.float64(hot["slot_cdbm"][slot]), np.float64(hot["slot_weight"][slot])
        if since_ns >= 0:
            weight = min(weight * fading, MAX_WEIGHT - 1.0) + 1.0
            mean += (cdbm - mean) / weight
            hot["slot_last_ns"][slot] = t_ns
        else:
            weight += fading
            mean += (cdbm - mean) * fading / weight
            weight = min(weight, MAX_WEIGHT)
        hot["slot_cdbm"][slot], hot["slot_weight"][slot] = mean, weight
        hot["slot_count"][slot] = min(np.int64(hot["slot_count"][slot]) + 1, MAX_COUNT)


@hot_kernel
def own_slot(hot: Record, antenna: int) -> int:
    """The antenna's slot, or NOWHERE."""
    for slot in range(SLOTS):
        if hot["slot_antenna"][slot] == antenna:
            return slot
    return NOWHERE


@kernel
def free_slot(state: State, hot: Record, antenna: int, t_ns: int, cdbm: int) -> int:
    """A slot for a new antenna: a free one, else the stalest, else the weakest; never the newest of the current place.

    NOWHERE when all others are stronger than this read, unless that was read at the current place, which always counts.
    """
    present = hot["state"] == PRESENT or hot["state"] == EXITING
    kept = newest_slot(state, hot) if present else NOWHERE
    stalest = weakest = NOWHERE
    for slot in range(SLOTS):
        if hot["slot_antenna"][slot] == NO_ANTENNA:
            return slot
        if slot == kept:
            continue
        if stalest == NOWHERE or hot["slot_last_ns"][slot] < hot["slot_last_ns"][stalest]:
            stalest = slot
        if weakest == NOWHERE or hot["slot_cdbm"][slot] < hot["slot_cdbm"][weakest]:
            weakest = slot
    if t_ns - hot["slot_last_ns"][stalest] > SLOT_STALE_NS:
        return stalest
    here = present and state.antennas[antenna]["zone"] == hot["zone"]
    return weakest if here or hot["slot_cdbm"][weakest] <= cdbm else NOWHERE


@hot_kernel
def newest_slot(state: State, hot: Record) -> int:
    """The slot of the current place that was read last, the first of equals."""
    newest = NOWHERE
    for slot in range(SLOTS):
        if zone_of(state, hot, slot) == hot["zone"] and (
            newest == NOWHERE or hot["slot_last_ns"][slot] > hot["slot_last_ns"][newest]
        ):
            newest = slot
    return newest


@kernel
def place_last_ns(state: State, hot: Record) -> int:
    """When the tag was last read at its place."""
    return int(hot["slot_last_ns"][newest_slot(state, hot)])


@kernel
def place_cdbm(state: State, hot: Record) -> float:
    """The current place's score: its best mean of those that were fresh when the tag was last read there."""
    last_ns, best = place_last_ns(state, hot), NO_SCORE
    for slot in range(SLOTS):
        if zone_of(state, hot, slot) == hot["zone"]:
            age_ns = state.antennas[hot["slot_antenna"][slot]]["age_ns"][hot["profile"]]
            if hot["slot_last_ns"][slot] > last_ns - age_ns:
                best = max(best, np.float64(hot["slot_cdbm"][slot]))
    return best


@kernel
def fresh_cdbm(state: State, hot: Record, zone: int, t_ns: int) -> tuple[int, float]:
    """How many reads a zone's fresh means go back to at `t_ns`, and the best of these means."""
    count, best = 0, NO_SCORE
    for slot in range(SLOTS):
        if zone_of(state, hot, slot) == zone:
            age_ns = state.antennas[hot["slot_antenna"][slot]]["age_ns"][hot["profile"]]
            if t_ns - hot["slot_last_ns"][slot] < age_ns:
                count += int(hot["slot_count"][slot])
                best = max(best, np.float64(hot["slot_cdbm"][slot]))
    return count, best


@hot_kernel
def best_place(state: State, hot: Record) -> tuple[int, float, float]:
    """The zone with the best mean, its score, and the next best zone's (`NO_SCORE`: no other)."""
    zone, score, second = NOWHERE, NO_SCORE, NO_SCORE
    for slot in range(SLOTS):
        place = zone_of(state, hot, slot)
        if place == NOWHERE:
            continue
        mean = np.float64(hot["slot_cdbm"][slot])
        if place == zone:
            score = max(score, mean)
        elif mean > score:
            zone, score, second = place, mean, score
        else:
            second = max(second, mean)
    return zone, score, second


@kernel
def advantage_cdbm(threshold_db: float, slope_db_per_ms: float, least_db: float, holdoff_ns: int, dt_ns: int) -> float:
    """What a challenger must have more than the current place, not read for `dt_ns`."""
    faded_db = threshold_db + slope_db_per_ms * ((dt_ns - holdoff_ns) / NS_PER_MS)
    return 100.0 * max(least_db, min(threshold_db, faded_db))


@kernel
def note_peak(state: State, tag: int, antenna: int, t_ns: int, cdbm: int) -> None:
    """Remember the strongest read on this side of a door, of equals the latest."""
    side, cold = np.int64(state.antennas[antenna]["side"]) - 1, state.cold[tag]
    if cold["peak_ns"][side] == NEVER or cdbm > cold["peak_cdbm"][side]:
        cold["peak_cdbm"][side], cold["peak_ns"][side] = cdbm, t_ns
    elif cdbm == cold["peak_cdbm"][side]:
        cold["peak_ns"][side] = max(cold["peak_ns"][side], t_ns)
