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
from hotpath.classes import classify
from hotpath.deadlines import hasten, push
from hotpath.events import explain, leave_door, put_event
from hotpath.lists import join_list, leave_list
from hotpath.members import NO_ROW
from hotpath.places import NO_SCORE, Record, best_place, forget_samples, place_cdbm, zone_of
from hotpath.record import (
    ARRIVALS,
    ARRIVED,
    CANDIDATE,
    CANDIDATES,
    DEPARTED,
    DEPARTURES,
    EXIT,
    EXITING,
    FAR,
    FORGOTTEN,
    ITEM,
    ITEM_FORGOTTEN,
    LEFT,
    PERSON,
    PERSON_FORGOTTEN,
    PRESENT,
    PRESENT_ITEMS,
    PRESENT_PEOPLE,
    RETURNED,
    RETURNING,
    RETURNS,
    SLOTS,
    STAFF,
    STAFF_SEEN,
    STRAY,
    STRAYS,
    STRAYS_FORGOTTEN,
    TIMEOUT,
    State,
)
from hotpath.room import erase, settle_in

Word = np.uint64
Words = NDArray[np.uint64]
MIN_PERSON_READS = 2
"""One read never names a person, whatever the settings."""
NOT_HERE = -4


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
def begin_candidacy(state: State, tag: int, zone: int, t_ns: int) -> None:
    """Start counting reads towards a presence."""
    hot = state.hot[tag]
    state.cold[tag]["first_ns"], hot["zone"], hot["reads"] = t_ns, zone, 0
    hot["last_ns"] = max(hot["last_ns"], t_ns) if hot["state"] == RETURNING else t_ns
    forget_samples(state, tag)
    state.numbers[CANDIDATES] += 1
    state.numbers[STRAYS] += hot["kind"] == STRAY
    state.numbers[STAFF_SEEN] += hot["kind"] == STAFF


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
