"""The steps of a tag's life: candidacy, presence, departure, oblivion.  The table of all of them is in `docs/presence.md`."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel, kernel
from hotpath.deadlines import drop, hasten, push
from hotpath.index import enter, leave
from hotpath.members import NO_ROW, find_row
from hotpath.places import NO_SCORE, Record, best_place, forget_samples, mean_cdbm
from hotpath.record import (
    ARRIVALS,
    ARRIVED,
    CANDIDATE,
    CANDIDATES,
    DEPARTED,
    DEPARTURES,
    EVENTS,
    EVICTED,
    EXIT,
    EXITING,
    FORGOTTEN,
    FREE_COUNT,
    HAS_GOODS,
    ITEM,
    ITEM_FORGOTTEN,
    LEASED_UNTIL,
    LEFT,
    MAX_EPC_BYTES,
    NEVER,
    NEWEST,
    NEXT_SERIAL,
    NO_REASON,
    NOWHERE,
    OLDEST,
    PERSON,
    PERSON_FORGOTTEN,
    PRESENT,
    PRESENT_ITEMS,
    PRESENT_PEOPLE,
    PROFILE_GARMENT,
    PROFILE_ITEM,
    PROFILE_PERSON,
    RETURNED,
    RETURNING,
    RETURNS,
    SLOTS,
    STAFF,
    STAFF_SEEN,
    STRAY,
    STRAYS,
    STRAYS_FORGOTTEN,
    TAGS,
    TIMEOUT,
    UNKNOWN,
    State,
)
from hotpath.siphash import siphash

Word = np.uint64
GSRNP_96, GSRNP_PLUS = 0x2E, 0xF5
"""EPC headers of service relations of the provider, that is, of staff.  Source: GS1 TDS, EPC header values."""
MIN_PERSON_READS = 2
"""One read never names a person, whatever the settings."""
NO_ROOM, TOO_CROWDED, NOT_HERE = -2, -3, -4


@kernel
def has_prefix(prefixes: NDArray[np.uint8], epc: NDArray[np.uint8], size: int) -> bool:
    """Whether some prefix begins the EPC."""
    for row in range(prefixes.shape[0]):
        length = prefixes[row, 0]
        if length <= size:
            equal = True
            for byte in range(length):
                equal = equal and prefixes[row, 1 + byte] == epc[byte]
            if equal:
                return True
    return False


@kernel
def classify(state: State, record: Record, t_ns: int) -> None:
    """Find out whose tag this is: staff, a member with a lease that holds, one of our goods, or a stray."""
    epc, size = record["epc"], record["epc_len"]
    has_goods = state.numbers[HAS_GOODS] != 0
    record["profile"] = PROFILE_ITEM
    record["kind"] = STRAY
    if has_goods and (epc[0] == GSRNP_96 or epc[0] == GSRNP_PLUS):
        record["kind"] = STAFF
        return
    if state.member_rows.shape[0] > 0 and t_ns < state.numbers[LEASED_UNTIL]:
        h0, h1 = siphash(state.member_key[0], state.member_key[1], epc, size)
        row = find_row(state.member_rows, state.member_slots, h0, h1)
        if row != NO_ROW:
            record["kind"] = PERSON
            record["profile"] = PROFILE_PERSON
            record["handle"][0], record["handle"][1] = state.member_rows[row, 2], state.member_rows[row, 3]
            return
    if not has_goods or has_prefix(state.goods, epc, size):
        record["kind"] = ITEM
        if has_prefix(state.garments, epc, size):
            record["profile"] = PROFILE_GARMENT


@kernel
def find_room(state: State) -> int:
    """A free record, for which the oldest evictable candidate may have to go; NO_ROOM when there is none."""
    if state.numbers[FREE_COUNT] == 0:
        if state.numbers[OLDEST] == NOWHERE:
            return NO_ROOM
        state.counters[EVICTED] += 1
        erase(state, state.numbers[OLDEST])
    return int(state.free[state.numbers[FREE_COUNT] - 1])


@kernel
def create(state: State, epc: NDArray[np.uint8], size: int, wanted: Word, zone: int, t_ns: int) -> int:
    """UNKNOWN -> CANDIDATE.  The new tag, or else, with nothing changed: NO_ROOM, NOT_HERE (a till creates no item), or
    TOO_CROWDED (the index needs new keys).
    """
    tag = find_room(state)
    if tag == NO_ROOM:
        return NO_ROOM
    record = state.tags[tag]
    for byte in range(MAX_EPC_BYTES):
        record["epc"][byte] = epc[byte] if byte < size else 0
    record["epc_len"], record["hash"] = size, wanted
    classify(state, record, t_ns)
    if record["kind"] == ITEM and not state.zones[zone]["creates_items"]:
        return NOT_HERE
    if not enter(state.buckets, tag, wanted):
        return TOO_CROWDED
    state.numbers[FREE_COUNT] -= 1
    state.counters[TAGS] += 1
    record["serial"] = state.numbers[NEXT_SERIAL]
    state.numbers[NEXT_SERIAL] += 1
    record["state"] = CANDIDATE
    record["older"], record["newer"] = NOWHERE, NOWHERE
    begin_candidacy(state, record, zone, t_ns)
    push(state, tag, t_ns + state.zones[zone]["window_ns"])
    if record["kind"] != PERSON:
        link(state, tag)
    return tag


@kernel
def begin_candidacy(state: State, record: Record, zone: int, t_ns: int) -> None:
    """Start counting reads towards a presence."""
    record["first_ns"], record["first_zone"], record["window_reads"] = t_ns, zone, 0
    record["last_ns"] = max(record["last_ns"], t_ns) if record["state"] == RETURNING else t_ns
    forget_samples(record)
    state.counters[CANDIDATES] += 1
    state.counters[STRAYS] += record["kind"] == STRAY
    state.counters[STAFF_SEEN] += record["kind"] == STAFF


@kernel
def link(state: State, tag: int) -> None:
    """Put a candidate at the young end of the list of what may be evicted."""
    newest = state.numbers[NEWEST]
    state.tags[tag]["older"], state.tags[tag]["newer"] = newest, NOWHERE
    if newest == NOWHERE:
        state.numbers[OLDEST] = tag
    else:
        state.tags[newest]["newer"] = tag
    state.numbers[NEWEST] = tag


@kernel
def unlink(state: State, tag: int) -> None:
    """Take a candidate out of that list."""
    older, newer = state.tags[tag]["older"], state.tags[tag]["newer"]
    if older == NOWHERE:
        state.numbers[OLDEST] = newer
    else:
        state.tags[older]["newer"] = newer
    if newer == NOWHERE:
        state.numbers[NEWEST] = older
    else:
        state.tags[newer]["older"] = older


@kernel
def erase(state: State, tag: int) -> None:
    """Forget a tag altogether."""
    record = state.tags[tag]
    if record["state"] == CANDIDATE and record["kind"] != PERSON:
        unlink(state, tag)
    leave(state.buckets, tag, Word(record["hash"]))
    drop(state, tag)
    record["state"] = UNKNOWN
    state.free[state.numbers[FREE_COUNT]] = tag
    state.numbers[FREE_COUNT] += 1
    state.counters[TAGS] -= 1


@hot_kernel
def is_confirmed(state: State, record: Record) -> bool:
    """Whether a candidacy has the reads it needs; strays and staff never."""
    needed = state.zones[record["first_zone"]]["confirm_reads"]
    if record["kind"] == PERSON:
        needed = max(needed, MIN_PERSON_READS)
    return bool(record["kind"] >= ITEM and record["window_reads"] >= needed)


@kernel
def confirm(state: State, tag: int, t_ns: int) -> None:
    """CANDIDATE -> PRESENT (`arrived`), RETURNING -> PRESENT (`returned`)."""
    record = state.tags[tag]
    returned = record["state"] == RETURNING
    if not returned and record["kind"] != PERSON:
        unlink(state, tag)
    zone, score, second = best_place(record)
    record["zone"], record["place_since_ns"], record["place_last_ns"] = zone, record["first_ns"], NEVER
    record["place_reads"] = 0
    for slot in range(SLOTS):
        if record["slot_zone"][slot] == zone:
            record["place_reads"] += record["slot_count"][slot]
            record["place_last_ns"] = max(record["place_last_ns"], record["slot_last_ns"][slot])
    record["reads"] = record["window_reads"]
    settle(state, tag)
    state.counters[RETURNS if returned else ARRIVALS] += 1
    state.counters[PRESENT_PEOPLE if record["kind"] == PERSON else PRESENT_ITEMS] += 1
    at = put_event(state, record, RETURNED if returned else ARRIVED, record["first_ns"], max(t_ns, record["last_ns"]))
    state.events[at]["reads"] = record["window_reads"]
    state.events[at]["rssi_dbm"] = score / 100
    state.events[at]["margin_db"] = np.nan if second == NO_SCORE else (score - second) / 100


@kernel
def settle(state: State, tag: int) -> None:
    """After a change of place: PRESENT or EXITING, whichever the zone makes it."""
    record = state.tags[tag]
    record["state"] = EXITING if state.zones[record["zone"]]["is_exit"] else PRESENT
    hasten(state, tag, deadline_ns(state, record))


@kernel
def put_event(state: State, record: Record, kind: int, t_ns: int, detected_ns: int) -> int:
    """Append an event about a tag where it is now; its row, for the caller to complete."""
    at = state.numbers[EVENTS]
    state.numbers[EVENTS] = at + 1
    event = state.events[at]
    event["kind"], event["person"], event["reason"] = kind, record["kind"] == PERSON, NO_REASON
    event["epc_len"] = record["epc_len"]
    for byte in range(MAX_EPC_BYTES):
        event["epc"][byte] = record["epc"][byte]
    event["handle"][0], event["handle"][1] = record["handle"][0], record["handle"][1]
    event["zone"], event["from_zone"] = record["zone"], NOWHERE
    event["t_ns"], event["detected_ns"], event["last_ns"] = t_ns, detected_ns, record["last_ns"]
    return int(at)


@hot_kernel
def deadline_ns(state: State, record: Record) -> int:
    """When this tag's present state ends if it is not read again."""
    life = record["state"]
    if life in (CANDIDATE, RETURNING):
        return int(record["first_ns"] + state.zones[record["first_zone"]]["window_ns"])
    person = record["kind"] == PERSON
    if life == DEPARTED:
        return int(record["last_ns"] + state.numbers[PERSON_FORGOTTEN if person else ITEM_FORGOTTEN])
    rules = state.zones[record["zone"]]
    return int(record["last_ns"] + (rules["person_limit_ns"] if person else rules["item_limit_ns"]))


@kernel
def depart(state: State, tag: int, detected_ns: int, reason: int) -> None:
    """PRESENT or EXITING -> DEPARTED (`departed`)."""
    record = state.tags[tag]
    at = put_event(state, record, LEFT, record["last_ns"], detected_ns)
    state.events[at]["reason"] = reason
    state.events[at]["reads"] = record["reads"]
    rules = state.zones[record["zone"]]
    age_ns = max(rules["sample_age_ns"], rules["holdoff_ns"][record["profile"]])
    state.events[at]["rssi_dbm"] = mean_cdbm(record, record["zone"], record["place_last_ns"] - age_ns) / 100
    state.events[at]["margin_db"] = np.nan
    record["state"], record["left_ns"] = DEPARTED, detected_ns
    state.counters[DEPARTURES] += 1
    state.counters[PRESENT_PEOPLE if record["kind"] == PERSON else PRESENT_ITEMS] -= 1


@kernel
def expire(state: State, tag: int) -> None:
    """Do what is due at this tag's deadline.  At most one event.  Afterwards the tag has a later deadline or is gone."""
    record = state.tags[tag]
    life, due_ns = record["state"], deadline_ns(state, record)
    if life == CANDIDATE:
        state.counters[STRAYS_FORGOTTEN] += 1
        erase(state, tag)
    elif life == RETURNING:
        state.counters[STRAYS_FORGOTTEN] += 1
        record["state"] = DEPARTED
    elif life == DEPARTED:
        state.counters[FORGOTTEN] += 1
        erase(state, tag)
    else:
        depart(state, tag, due_ns, EXIT if life == EXITING else TIMEOUT)
