"""The presence engine: columns of reads in, events out.

Every time comes from the reads or from `tick`.  A read that moves the clock on first lets all deadlines before it fire, in
order, so that results do not depend on how the reads are cut into batches.
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel, prefetch
from hotpath.expiry import EVENTS_PER_ROW, NOBODY, fire_due, live_until
from hotpath.index import ABSENT, find_tag, hash_epc, is_epc, peek_tag
from hotpath.lifecycle import NOT_HERE, create
from hotpath.members import prefetch_slot
from hotpath.record import (
    BAD_ANTENNA,
    BAD_EPC,
    BAD_TIME,
    BELOW_FLOOR,
    CANDIDATE,
    CLAMPED,
    CRC_WRONG,
    CROWDED,
    DONE,
    EVENTS,
    FAR,
    FIRED,
    FULL,
    ITEM,
    LATE,
    LATE_LIMIT,
    LEASE_IGNORED,
    LEASED_UNTIL,
    MAX_EPC_BYTES,
    NEXT_DUE,
    NOW,
    PERSON,
    PRESENT,
    READS,
    REFUSED,
    RSSI_CLAMPED,
    SOLD_IGNORED,
    STALE,
    TILL_IGNORED,
    State,
)
from hotpath.room import NO_ROOM, TOO_CROWDED
from hotpath.sighting import follow, sight
from hotpath.siphash import siphash
from hotpath.words import BLOCK, GUESSES_AT, HASHES_AT

Words = NDArray[np.uint64]
SOUND = -1
"""No counter: nothing is wrong with a read."""
LOWEST_CDBM, HIGHEST_CDBM = -15_000, 3_000
"""No tag is weaker, none stronger."""


@entry_kernel
def feed(
    state: State,
    t_ns: NDArray[np.int64],
    antenna: NDArray[np.uint16],
    epc: Words,
    epc_len: NDArray[np.uint8],
    rssi_cdbm: NDArray[np.int16],
    crc_ok: NDArray[np.int8],
    start: int,
    received_ns: int,
) -> tuple[int, int]:
    """Work through the rows from `start`.

    A block of them is hashed and its buckets are sent for; then its tags are; then each row is taken.  While the memory of
    one row is on its way that of the others is too.  Nearly every row is plain and takes a short way through.

    Args:
        epc: [n, w], w at least 2.
        received_ns: reads dated later are clamped to it and counted.
    Returns: how many rows are done now, and DONE, or what the caller must do before calling again from there: FULL, take
        the events out; CROWDED, rebuild the index.
    """
    rows = t_ns.shape[0]
    most = min(MAX_EPC_BYTES, 8 * epc.shape[1])
    for first in range(start, rows, BLOCK):
        last = min(first + BLOCK, rows)
        for row in range(first, last):
            state.words[HASHES_AT + row - first] = fetch_bucket(state, epc, row, epc_len[row], most)
        for row in range(first, last):
            guess = fetch_tag(state, state.words[HASHES_AT + row - first], epc, row, epc_len[row], most)
            state.words[GUESSES_AT + row - first] = np.uint64(guess + 1)
        for row in range(first, last):
            if take_plainly(
                state,
                int(state.words[GUESSES_AT + row - first]) - 1,
                t_ns[row],
                antenna[row],
                epc,
                row,
                epc_len[row],
                most,
                rssi_cdbm[row],
                crc_ok[row],
                received_ns,
            ):
                continue
            outcome = take(
                state,
                state.words[HASHES_AT + row - first],
                t_ns[row],
                antenna[row],
                epc,
                row,
                epc_len[row],
                most,
                rssi_cdbm[row],
                crc_ok[row],
                received_ns,
            )
            if outcome != DONE:
                state.numbers[READS] += row - start
                return row, outcome
    state.numbers[READS] += rows - start
    return rows, DONE


@hot_kernel
def fetch_bucket(state: State, epc: Words, row: int, size: int, most: int) -> np.uint64:
    """A row's hash, its bucket on the way to the cache."""
    wanted = hash_epc(state.words, epc, row, size if size <= most else 0)
    prefetch(state.buckets, np.int64(wanted) & (state.buckets.shape[0] - 1))
    return wanted


@hot_kernel
def fetch_tag(state: State, wanted: np.uint64, epc: Words, row: int, size: int, most: int) -> int:
    """The tag that a row will most likely turn out to name, on the way to the cache; or ABSENT, and for a newcomer its line
    of the member table is on the way.
    """
    tag = peek_tag(state, wanted)
    if tag != ABSENT:
        prefetch(state.hot, tag)
    elif state.member_rows.shape[0] > 0 and size <= most:
        h0, _ = siphash(state.words[0], state.words[1], epc[row], size)
        prefetch_slot(state.member_slots, h0)
    return tag


@hot_kernel
def take_plainly(
    state: State,
    tag: int,
    t_ns: int,
    antenna: int,
    epc: Words,
    row: int,
    size: int,
    most: int,
    cdbm: int,
    crc_ok: int,
    received_ns: int,
) -> bool:
    """What `take` does with a row of which nothing is remarkable: a sound read, in time, of a tag that is present, nothing
    being due.  False, and nothing is changed, if there is more to it.

    Args:
        tag: who it probably is, or ABSENT.
    """
    if t_ns < state.numbers[NOW] or t_ns >= state.numbers[NEXT_DUE] or t_ns > received_ns:
        return False
    if crc_ok == 0 or antenna >= state.antennas.shape[0] or size < 1 or size > most:
        return False
    if cdbm < state.antennas[antenna]["floor_cdbm"] or cdbm < LOWEST_CDBM or cdbm > HIGHEST_CDBM:
        return False
    if state.events.shape[0] - state.numbers[EVENTS] < EVENTS_PER_ROW:
        return False
    if tag == ABSENT or not is_epc(state, tag, epc, row, size):
        return False
    hot = state.hot[tag]
    if hot["state"] != PRESENT or hot["sold"] or (hot["kind"] == PERSON and t_ns >= state.numbers[LEASED_UNTIL]):
        return False
    follow(state, tag, antenna, state.antennas[antenna]["zone"], t_ns, cdbm)
    state.numbers[NOW] = t_ns
    return True


@hot_kernel
def take(
    state: State,
    wanted: np.uint64,
    t_ns: int,
    antenna: int,
    epc: Words,
    row: int,
    size: int,
    most: int,
    cdbm: int,
    crc_ok: int,
    received_ns: int,
) -> int:
    """Work through one row: DONE, or FULL or CROWDED with nothing changed that working through it again would spoil."""
    if state.events.shape[0] - state.numbers[EVENTS] < EVENTS_PER_ROW:
        return FULL
    if t_ns < 0 or t_ns >= FAR:
        state.numbers[BAD_TIME] += 1
        return DONE
    now_ns = min(t_ns, received_ns)
    late = now_ns < state.numbers[NOW]
    stale = late and state.numbers[NOW] - now_ns > state.numbers[LATE_LIMIT]
    flaw = check(state, antenna, size, most, cdbm, crc_ok)
    absurd = (cdbm < LOWEST_CDBM or cdbm > HIGHEST_CDBM) and flaw in (SOUND, BELOW_FLOOR)
    cdbm = min(max(cdbm, LOWEST_CDBM), HIGHEST_CDBM)
    if flaw == SOUND and stale:
        flaw = STALE
    tag, zone, verdict = ABSENT, 0, flaw
    if flaw == SOUND:
        zone = state.antennas[antenna]["zone"]
        tag = find_tag(state, epc, row, size, wanted)
        verdict = ignored_for(state, tag, zone, now_ns)
    if late or now_ns >= state.numbers[NEXT_DUE]:
        fired, seen = state.numbers[FIRED], tag if verdict == SOUND else NOBODY
        if late:
            live_until(state, seen, now_ns)
        elif not fire_due(state, now_ns, seen):
            return FULL
        if flaw == SOUND and fired != state.numbers[FIRED]:  # the tag may have been forgotten a moment ago
            tag = find_tag(state, epc, row, size, wanted)
            verdict = ignored_for(state, tag, zone, now_ns)
    if verdict == SOUND:
        if tag == ABSENT:
            tag = create(state, epc, row, size, wanted, zone, now_ns)
        if tag == TOO_CROWDED:
            return CROWDED
        if tag == NO_ROOM:
            verdict = REFUSED
        elif tag == NOT_HERE:
            verdict = TILL_IGNORED
        else:
            sight(state, tag, antenna, zone, now_ns, cdbm)
    if late:
        state.numbers[LATE] += 1
        state.numbers[STALE] += stale
    if t_ns > received_ns:
        state.numbers[CLAMPED] += 1
    if absurd:
        state.numbers[RSSI_CLAMPED] += 1
    if verdict != SOUND and verdict != STALE:
        state.numbers[verdict] += 1
    state.numbers[NOW] = max(state.numbers[NOW], now_ns)
    return DONE


@hot_kernel
def check(state: State, antenna: int, size: int, most: int, cdbm: int, crc_ok: int) -> int:
    """What is wrong with a read by itself: the counter for it, or SOUND."""
    if antenna >= state.antennas.shape[0]:
        return BAD_ANTENNA
    if size < 1 or size > most:
        return BAD_EPC
    if crc_ok == 0:  # whose EPC this is, nobody knows
        return CRC_WRONG
    if min(max(cdbm, LOWEST_CDBM), HIGHEST_CDBM) < state.antennas[antenna]["floor_cdbm"]:
        return BELOW_FLOOR
    return SOUND


@hot_kernel
def ignored_for(state: State, tag: int, zone: int, t_ns: int) -> int:
    """Why a sound read does not count for the tag it names: the counter for it, or SOUND."""
    if tag == ABSENT:
        return SOUND
    hot = state.hot[tag]
    if hot["kind"] == PERSON:
        return LEASE_IGNORED if t_ns >= state.numbers[LEASED_UNTIL] else SOUND
    if hot["state"] == CANDIDATE and hot["kind"] == ITEM and not state.zones[zone]["creates_items"]:
        return TILL_IGNORED
    if hot["sold"] and not state.zones[zone]["sees_sold"]:
        return SOLD_IGNORED
    return SOUND


@entry_kernel
def tick(state: State, now_ns: int) -> int:
    """Move the clock on: every deadline up to `now_ns` fires.  DONE, or FULL: take the events out and call again."""
    if not fire_due(state, now_ns, NOBODY):
        return FULL
    state.numbers[NOW] = max(state.numbers[NOW], now_ns)
    return DONE
