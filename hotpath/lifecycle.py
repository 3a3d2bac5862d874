"""The steps of a tag's life: candidacy, presence, departure, oblivion.  `docs/presence.md` draws them.

| from | when | to | event |
|---|---|---|---|
| UNKNOWN | a read that counts; an item not at a till | CANDIDATE | |
| CANDIDATE | enough reads within the window; a member or own goods | PRESENT, EXITING | arrived |
| CANDIDATE | the window is over; evicted | UNKNOWN | |
| CANDIDATE, unknown item | sold | DEPARTED | |
| PRESENT, EXITING | another zone wins | EXITING at an exit, else PRESENT | moved |
| PRESENT, EXITING | a person is read here for so long | the same | dwelled |
| PRESENT, EXITING | unseen for the zone's limit, its readers alive | DEPARTED | departed: timeout, exit |
| any, a person | no member any more | UNKNOWN | departed: withdrawn, if present |
| DEPARTED | a read later than the departure | RETURNING | |
| RETURNING | enough reads within the window | PRESENT, EXITING | returned |
| RETURNING | the window is over | DEPARTED | |
| DEPARTED | unseen for so long; an item also evicted | UNKNOWN | |
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel, kernel
from hotpath.classes import classify, has_prefix
from hotpath.deadlines import drop, hasten, push
from hotpath.events import explain, leave_door, put_event
from hotpath.index import enter, leave
from hotpath.lists import CANDIDATE_LIST, DEPARTED_LIST, STRAY_LIST, join_list, leave_list
from hotpath.members import NO_ROW
from hotpath.places import NO_SCORE, Record, best_place, forget_samples, place_cdbm, zone_of
from hotpath.record import (
    ARRIVALS,
    ARRIVED,
    CANDIDATE,
    CANDIDATES,
    DEPARTED,
    DEPARTURES,
    EPC_WORDS,
    EVICTED,
    EXIT,
    EXITING,
    FAR,
    FORGOTTEN,
    FREE,
    FREE_COUNT,
    HOT_WORDS,
    ITEM,
    ITEM_FORGOTTEN,
    LEFT,
    NEXT_SERIAL,
    NO_ZONE,
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
    RESERVED,
    RESTORED_PEOPLE,
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

Word = np.uint64
Words = NDArray[np.uint64]
MIN_PERSON_READS = 2
"""One read never names a person, whatever the settings."""
NO_ROOM, TOO_CROWDED, NOT_HERE = -2, -3, -4


@hot_kernel
def find_room(state: State, kind: int) -> int:
    """A free record; NO_ROW when there is none.  Strays make room first, a departed item last; some are only for persons."""
    free = state.numbers[FREE_COUNT]
    if free <= (0 if kind == PERSON else state.numbers[RESERVED]):
        victim = state.numbers[OLDEST + STRAY_LIST]
        if victim == NOWHERE and kind >= ITEM:
            victim = state.numbers[OLDEST + CANDIDATE_LIST]
            if victim == NOWHERE:
                victim = state.numbers[OLDEST + DEPARTED_LIST]
        if victim == NOWHERE:
            return NO_ROOM
        state.numbers[EVICTED] += 1
        erase(state, victim)
        free += 1
    return int(state.numbers[FREE])


@hot_kernel
def create(state: State, epc: Words, row: int, size: int, wanted: Word, zone: int, t_ns: int) -> int:
    """UNKNOWN -> CANDIDATE.  The new tag, or else, with nothing changed: NO_ROOM, NOT_HERE (a till creates no item), or
    TOO_CROWDED (the index needs new keys).
    """
    kind, member = classify(state, epc, row, size, t_ns)
    if kind == ITEM and not state.zones[zone]["creates_items"]:
        return NOT_HERE
    tag = settle_in(state, epc, row, size, wanted, kind)
    if tag < 0:
        return tag
    hot, cold = state.hot[tag], state.cold[tag]
    if member != NO_ROW:
        cold["handle"][0], cold["handle"][1] = state.member_rows[member, 2], state.member_rows[member, 3]
    hot["state"] = CANDIDATE
    begin_candidacy(state, tag, zone, t_ns)
    push(state, tag, deadline_ns(state, tag))
    join_list(state, tag)
    return tag


@hot_kernel
def take_free(state: State) -> int:
    """The first free record, free no more."""
    tag = state.numbers[FREE]
    state.numbers[FREE] = state.cold[tag]["newer"]
    state.numbers[FREE_COUNT] -= 1
    state.numbers[TAGS] += 1
    return int(tag)


@hot_kernel
def settle_in(state: State, epc: Words, row: int, size: int, wanted: Word, kind: int) -> int:
    """A new record with its EPC, class and serial, found by the index; or NO_ROOM or TOO_CROWDED."""
    tag = find_room(state, kind)
    if tag == NO_ROOM:
        return NO_ROOM
    if not enter(state.buckets, tag, wanted):
        return TOO_CROWDED
    take_free(state)
    hot, cold = state.hot[tag], state.cold[tag]
    words = (size + 7) // 8
    for word in range(HOT_WORDS):
        hot["epc"][word] = epc[row, word]
    for word in range(HOT_WORDS, EPC_WORDS):
        cold["tail"][word - HOT_WORDS] = epc[row, word] if word < words else Word(0)
    hot["epc_len"], hot["hash"], hot["kind"], hot["sold"], hot["zone"] = size, wanted, kind, 0, NO_ZONE
    hot["notice_ns"] = FAR
    hot["profile"] = PROFILE_PERSON if kind == PERSON else PROFILE_ITEM
    if kind == ITEM and has_prefix(state.prefixes, True, epc, row, size):
        hot["profile"] = PROFILE_GARMENT
    cold["serial"] = state.numbers[NEXT_SERIAL]
    cold["handle"][0], cold["handle"][1] = Word(0), Word(0)
    state.numbers[NEXT_SERIAL] += 1
    return tag


@hot_kernel
def begin_candidacy(state: State, tag: int, zone: int, t_ns: int) -> None:
    """Start counting reads towards a presence."""
    hot = state.hot[tag]
    state.cold[tag]["first_ns"], hot["zone"], hot["reads"] = t_ns, zone, 0
    hot["last_ns"] = max(hot["last_ns"], t_ns) if hot["state"] == RETURNING else t_ns
    forget_samples(state, tag)
    state.numbers[CANDIDATES] += 1
    state.numbers[STRAYS] += hot["kind"] == STRAY
    state.numbers[STAFF_SEEN] += hot["kind"] == STAFF


@kernel
def erase(state: State, tag: int) -> None:
    """Forget a tag altogether."""
    leave_list(state, tag)
    if state.hot[tag]["epc_len"] == 0:
        state.numbers[RESTORED_PEOPLE] -= 1
    else:
        leave(state.buckets, tag, Word(state.hot[tag]["hash"]))
    drop(state, tag)
    state.hot[tag]["state"] = UNKNOWN
    state.cold[tag]["newer"] = state.numbers[FREE]
    state.numbers[FREE] = tag
    state.numbers[FREE_COUNT] += 1
    state.numbers[TAGS] -= 1


@hot_kernel
def is_confirmed(state: State, hot: Record) -> bool:
    """Whether a candidacy has the reads it needs; strays and staff never."""
    needed = state.zones[hot["zone"]]["confirm_reads"]
    if hot["kind"] == PERSON:
        needed = max(needed, MIN_PERSON_READS)
    return bool(hot["kind"] >= ITEM and hot["reads"] >= needed)


@hot_kernel
def confirm(state: State, tag: int, t_ns: int) -> None:
    """CANDIDATE -> PRESENT (`arrived`), RETURNING -> PRESENT (`returned`)."""
    hot = state.hot[tag]
    returned = hot["state"] == RETURNING
    leave_list(state, tag)
    zone, score, second = best_place(state, hot)
    take_place(state, tag, zone, state.cold[tag]["first_ns"])
    if hot["kind"] == PERSON:
        join_list(state, tag)
    state.numbers[RETURNS if returned else ARRIVALS] += 1
    state.numbers[PRESENT_PEOPLE if hot["kind"] == PERSON else PRESENT_ITEMS] += 1
    at = put_event(
        state, tag, RETURNED if returned else ARRIVED, state.cold[tag]["first_ns"], max(t_ns, hot["last_ns"])
    )
    explain(state, at, hot["reads"], score, second)


@hot_kernel
def take_place(state: State, tag: int, zone: int, since_ns: int) -> None:
    """Make a zone the tag's place since `since_ns`, with what its slots know of it; PRESENT or EXITING, as the zone has it."""
    hot = state.hot[tag]
    hot["zone"], hot["place_reads"] = zone, 0
    for slot in range(SLOTS):
        if zone_of(state, hot, slot) == zone:
            hot["place_reads"] += hot["slot_count"][slot]
    begin_stay(state, tag, since_ns)
    count_in(state, tag, 1)


@hot_kernel
def begin_stay(state: State, tag: int, since_ns: int) -> None:
    """What follows from having a new place."""
    hot, rules = state.hot[tag], state.zones[state.hot[tag]["zone"]]
    hot["state"] = EXITING if rules["is_exit"] else PRESENT
    state.cold[tag]["place_since_ns"] = since_ns
    after_ns = rules["dwell_ns"] if hot["kind"] == PERSON else rules["sold_after_ns"]
    hot["notice_ns"] = since_ns + after_ns if after_ns > 0 else FAR
    hasten(state, tag, deadline_ns(state, tag))


@hot_kernel
def count_in(state: State, tag: int, change: int) -> None:
    """Correct the count of who is at the tag's place."""
    zone = state.zones[state.hot[tag]["zone"]]
    if state.hot[tag]["kind"] == PERSON:
        zone["people"] += change
    else:
        zone["items"] += change


@hot_kernel
def limit_ns(state: State, hot: Record) -> int:
    """How long a present tag may be unseen where it is."""
    rules = state.zones[hot["zone"]]
    return int(rules["person_limit_ns"] if hot["kind"] == PERSON else rules["item_limit_ns"])


@hot_kernel
def deadline_ns(state: State, tag: int) -> int:
    """When this tag's present state ends if it is not read again, and its zone is covered."""
    hot = state.hot[tag]
    life = hot["state"]
    if life in (PRESENT, EXITING):
        return int(max(hot["last_ns"], state.zones[hot["zone"]]["resumed_ns"]) + limit_ns(state, hot))
    if life == DEPARTED:
        return int(hot["last_ns"] + state.numbers[PERSON_FORGOTTEN if hot["kind"] == PERSON else ITEM_FORGOTTEN])
    return int(state.cold[tag]["first_ns"] + state.zones[hot["zone"]]["window_ns"])


@hot_kernel
def is_frozen(state: State, hot: Record) -> bool:
    """Whether the tag's clock stands still because a reader of its place is silent."""
    return bool((hot["state"] == PRESENT or hot["state"] == EXITING) and state.zones[hot["zone"]]["silent"] > 0)


@kernel
def depart(state: State, tag: int, detected_ns: int, reason: int) -> None:
    """PRESENT or EXITING -> DEPARTED (`departed`)."""
    hot = state.hot[tag]
    at = put_event(state, tag, LEFT, hot["last_ns"], detected_ns)
    state.events[at]["reason"] = reason
    explain(state, at, hot["reads"], place_cdbm(state, hot), NO_SCORE)
    leave_door(state, tag, hot["zone"], at)
    count_in(state, tag, -1)
    hot["state"], state.cold[tag]["left_ns"] = DEPARTED, detected_ns
    if hot["kind"] != PERSON:
        join_list(state, tag)
    state.numbers[DEPARTURES] += 1
    state.numbers[PRESENT_PEOPLE if hot["kind"] == PERSON else PRESENT_ITEMS] -= 1


@kernel
def expire(state: State, tag: int) -> None:
    """Do what is due at this tag's deadline.  At most one event.  Afterwards the tag has a later deadline or is gone."""
    life, due_ns = state.hot[tag]["state"], deadline_ns(state, tag)
    if life == CANDIDATE:
        state.numbers[STRAYS_FORGOTTEN] += 1
        erase(state, tag)
    elif life == RETURNING:
        state.numbers[STRAYS_FORGOTTEN] += 1
        state.hot[tag]["state"] = DEPARTED
    elif life == DEPARTED:
        state.numbers[FORGOTTEN] += 1
        erase(state, tag)
    else:
        depart(state, tag, due_ns, EXIT if life == EXITING else TIMEOUT)
