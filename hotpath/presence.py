"""The presence engine: columns of reads in, events out.

Every time comes from the reads or from `tick`.  A read that moves the clock on first lets all deadlines before it fire, in
order, so that results do not depend on how the reads are cut into batches.
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, hot_kernel, kernel
from hotpath.deadlines import hasten, rearm
from hotpath.index import ABSENT, find_tag, hash_epc
from hotpath.lifecycle import (
    NO_ROOM,
    NOT_HERE,
    TOO_CROWDED,
    begin_candidacy,
    confirm,
    create,
    deadline_ns,
    depart,
    erase,
    expire,
    is_confirmed,
    put_event,
    settle,
)
from hotpath.members import NO_ROW, find_row
from hotpath.places import add_sample, advantage_cdbm, forget_stale, fresh_cdbm, mean_cdbm
from hotpath.record import (
    BAD_ANTENNA,
    BAD_EPC,
    BELOW_FLOOR,
    CANDIDATE,
    CLAMPED,
    CRC_WRONG,
    CROWDED,
    DEPARTED,
    DONE,
    EVENTS,
    EXITING,
    FIRED,
    FULL,
    HEAP_SIZE,
    ITEM,
    LATE,
    LEASE_IGNORED,
    LEASED_UNTIL,
    MAX_EPC_BYTES,
    MOVED,
    MOVES,
    NOW,
    PERSON,
    PRESENT,
    READS,
    REFUSED,
    RETURNING,
    TILL_IGNORED,
    WITHDRAWN,
    State,
)
from hotpath.siphash import siphash

NOBODY = -1
SOUND = -1
"""No counter: nothing is wrong with a read."""
EVENTS_PER_ROW = 4
"""A row needs room for one event of its own and for its tag's overdue ones."""


@entry_kernel
def feed(
    state: State,
    t_ns: NDArray[np.int64],
    antenna: NDArray[np.uint16],
    epc: NDArray[np.uint8],
    epc_len: NDArray[np.uint8],
    rssi_cdbm: NDArray[np.int16],
    crc_ok: NDArray[np.int8],
    start: int,
    received_ns: int,
) -> tuple[int, int]:
    """Work through the rows from `start`.

    Args:
        received_ns: reads dated later are clamped to it and counted.
    Returns: how many rows are done now, and DONE, or what the caller must do before calling again from there: FULL, take
        the events out; CROWDED, rebuild the index.
    """
    for row in range(start, t_ns.shape[0]):
        if state.events.shape[0] - state.numbers[EVENTS] < EVENTS_PER_ROW:
            return row, FULL
        now_ns = min(t_ns[row], received_ns)
        flaw = check(state, antenna[row], epc_len[row], rssi_cdbm[row], crc_ok[row])
        tag, zone, wanted, verdict = ABSENT, 0, np.uint64(0), flaw
        if flaw == SOUND:
            zone = state.antennas[antenna[row]]["zone"]
            wanted = hash_epc(state.hash_keys, epc[row], epc_len[row])
            tag = find_tag(state, epc[row], epc_len[row], wanted)
            verdict = ignored_for(state, tag, zone, now_ns)
        seen = tag if verdict == SOUND else NOBODY
        fired = state.numbers[FIRED]
        late = now_ns < state.numbers[NOW]
        if late:
            live_until(state, seen, now_ns)
        elif not fire_due(state, now_ns, seen):
            return row, FULL
        if flaw == SOUND and fired != state.numbers[FIRED]:  # the tag may have been forgotten a moment ago
            tag = find_tag(state, epc[row], epc_len[row], wanted)
            verdict = ignored_for(state, tag, zone, now_ns)
        if verdict == SOUND:
            if tag == ABSENT:
                tag = create(state, epc[row], epc_len[row], wanted, zone, now_ns)
            if tag == TOO_CROWDED:
                return row, CROWDED
            if tag == NO_ROOM:
                verdict = REFUSED
            elif tag == NOT_HERE:
                verdict = TILL_IGNORED
            else:
                sight(state, tag, antenna[row], zone, now_ns, rssi_cdbm[row])
        state.counters[READS] += 1
        state.counters[LATE] += late
        state.counters[CLAMPED] += t_ns[row] > received_ns
        if verdict != SOUND:
            state.counters[verdict] += 1
        state.numbers[NOW] = max(state.numbers[NOW], now_ns)
    return t_ns.shape[0], DONE


@hot_kernel
def check(state: State, antenna: int, size: int, cdbm: int, crc_ok: int) -> int:
    """What is wrong with a read by itself: the counter for it, or SOUND."""
    if antenna >= state.antennas.shape[0]:
        return BAD_ANTENNA
    if size < 1 or size > MAX_EPC_BYTES:
        return BAD_EPC
    if crc_ok == 0:  # whose EPC this is, nobody knows
        return CRC_WRONG
    if cdbm < state.antennas[antenna]["floor_cdbm"]:
        return BELOW_FLOOR
    return SOUND


@hot_kernel
def ignored_for(state: State, tag: int, zone: int, t_ns: int) -> int:
    """Why a sound read does not count for the tag it names: the counter for it, or SOUND."""
    if tag == ABSENT:
        return SOUND
    record = state.tags[tag]
    if record["kind"] == PERSON and t_ns >= state.numbers[LEASED_UNTIL]:
        return LEASE_IGNORED
    if record["kind"] == ITEM and record["state"] == CANDIDATE and not state.zones[zone]["creates_items"]:
        return TILL_IGNORED
    return SOUND


@hot_kernel
def fire_due(state: State, now_ns: int, seen: int) -> bool:
    """Let every deadline up to `now_ns` fire, in order; False when the events are full first.

    Args:
        seen: the tag that is being read at `now_ns`: seen in time, it meets a deadline at this very moment.
    """
    while state.numbers[HEAP_SIZE] > 0 and state.heap_ns[0] <= now_ns:
        if state.events.shape[0] - state.numbers[EVENTS] < EVENTS_PER_ROW:
            return False
        tag = state.heap_tag[0]
        due_ns = deadline_ns(state, state.tags[tag])
        if due_ns > state.heap_ns[0]:
            rearm(state, tag, due_ns)
        elif tag == seen and due_ns == now_ns:
            rearm(state, tag, now_ns + 1)
        else:
            live_once(state, tag)
    return True


@kernel
def live_once(state: State, tag: int) -> None:
    """Let a tag's deadline fire and enter its next one."""
    state.numbers[FIRED] += 1
    expire(state, tag)
    if state.tags[tag]["state"] != 0:
        rearm(state, tag, deadline_ns(state, state.tags[tag]))


@hot_kernel
def live_until(state: State, tag: int, now_ns: int) -> None:
    """For a late read: let only its own tag's deadlines before `now_ns` fire, so that each tag has one straight history."""
    while tag != NOBODY and state.tags[tag]["state"] != 0 and deadline_ns(state, state.tags[tag]) < now_ns:
        live_once(state, tag)


@hot_kernel
def sight(state: State, tag: int, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
    """What a read that counts does to its tag."""
    record = state.tags[tag]
    if record["state"] == DEPARTED and t_ns > record["left_ns"]:  # what is older than the departure is no return
        record["state"] = RETURNING
        begin_candidacy(state, record, zone, t_ns)
    if record["state"] == CANDIDATE or record["state"] == RETURNING:
        await_confirmation(state, tag, antenna, zone, t_ns, cdbm)
    elif record["state"] != DEPARTED:
        follow(state, tag, antenna, zone, t_ns, cdbm)


@hot_kernel
def await_confirmation(state: State, tag: int, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
    """Count a read towards the tag's presence; a late one counts if it is within a window before the first."""
    record = state.tags[tag]
    if t_ns >= record["first_ns"] - state.zones[record["first_zone"]]["window_ns"]:
        record["window_reads"] += 1
        record["last_ns"] = max(record["last_ns"], t_ns)
        add_sample(record, antenna, zone, t_ns, cdbm)
    if is_confirmed(state, record):
        confirm(state, tag, t_ns)
    else:
        hasten(state, tag, deadline_ns(state, record))


@hot_kernel
def follow(state: State, tag: int, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
    """Take a read of a present tag into account: statistics always, its place only when it is the tag's newest read."""
    record = state.tags[tag]
    record["reads"] += 1
    add_sample(record, antenna, zone, t_ns, cdbm)
    newest = t_ns >= record["last_ns"]
    record["last_ns"] = max(record["last_ns"], t_ns)
    if zone == record["zone"]:
        record["place_reads"] += 1
        record["place_last_ns"] = max(record["place_last_ns"], t_ns)
    elif newest:
        challenge(state, tag, zone, t_ns)


@kernel
def challenge(state: State, tag: int, zone: int, t_ns: int) -> None:
    """Move the tag to `zone` if its fresh samples there win against the current place."""
    record = state.tags[tag]
    here, profile = state.zones[record["zone"]], record["profile"]
    age_ns = max(here["sample_age_ns"], here["holdoff_ns"][profile])
    count, score = fresh_cdbm(record, zone, t_ns - age_ns)
    if count < state.zones[zone]["move_min_reads"]:
        return
    current = mean_cdbm(record, record["zone"], record["place_last_ns"] - age_ns)
    ahead = advantage_cdbm(
        here["threshold_db"][profile],
        here["slope_db_per_ms"][profile],
        here["holdoff_ns"][profile],
        t_ns - record["place_last_ns"],
    )
    if score <= current + ahead:
        return
    left = record["zone"]
    record["zone"], record["place_last_ns"], record["place_reads"] = zone, t_ns, 1
    record["place_since_ns"] = t_ns
    forget_stale(record, zone, t_ns - age_ns)
    settle(state, tag)
    state.counters[MOVES] += 1
    at = put_event(state, record, MOVED, t_ns, t_ns)
    state.events[at]["from_zone"] = left
    state.events[at]["reads"] = count
    state.events[at]["rssi_dbm"] = score / 100
    state.events[at]["margin_db"] = (score - current) / 100


@entry_kernel
def tick(state: State, now_ns: int) -> int:
    """Move the clock on: every deadline up to `now_ns` fires.  DONE, or FULL: take the events out and call again."""
    if not fire_due(state, now_ns, NOBODY):
        return FULL
    state.numbers[NOW] = max(state.numbers[NOW], now_ns)
    return DONE


@entry_kernel
def recheck_person(state: State, tag: int) -> None:
    """After a change of the member table: a person whose card is no member's any more, or another member's, departs
    (`withdrawn`) and is forgotten.
    """
    record = state.tags[tag]
    h0, h1 = siphash(state.member_key[0], state.member_key[1], record["epc"], record["epc_len"])
    row = find_row(state.member_rows, state.member_slots, h0, h1)
    handle = record["handle"]
    if row != NO_ROW and state.member_rows[row, 2] == handle[0] and state.member_rows[row, 3] == handle[1]:
        return
    if record["state"] == PRESENT or record["state"] == EXITING:
        depart(state, tag, max(state.numbers[NOW], record["last_ns"]), WITHDRAWN)
    erase(state, tag)
