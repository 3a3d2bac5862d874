"""Persons: those whose consent is gone, and those remembered over a restart by their card's hash alone."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, kernel
from hotpath.events import explain, leave_door, put_event
from hotpath.index import copy_epc, replace
from hotpath.lifecycle import count_in, depart, take_place
from hotpath.lists import PEOPLE_LIST
from hotpath.members import NO_ROW, find_row
from hotpath.places import best_place, zone_of
from hotpath.record import (
    DEPARTED,
    EPC_WORDS,
    EVENTS,
    EXITING,
    HOT_WORDS,
    MOVED,
    MOVES,
    NOW,
    NOWHERE,
    OLDEST,
    PRESENT,
    PRESENT_PEOPLE,
    RETURNED,
    RETURNS,
    SLOTS,
    WITHDRAWN,
    State,
)
from hotpath.room import erase
from hotpath.siphash import siphash
from hotpath.words import EPC_AT

Word = np.uint64


@kernel
def card_hash(state: State, tag: int) -> tuple[Word, Word]:
    """The keyed hash of a person's card."""
    hot = state.hot[tag]
    if hot["epc_len"] == 0:
        return hot["epc"][0], hot["epc"][1]
    words = state.words[EPC_AT:]
    copy_epc(state, tag, words)
    return siphash(state.words[0], state.words[1], words, hot["epc_len"])


@entry_kernel
def recheck_persons(state: State, persons: NDArray[np.int64], done: int) -> int:
    """After a change of the member table, see who of these is still a member; how many are `done`, all or as many as there
    is room for their events.
    """
    while done < persons.shape[0] and state.numbers[EVENTS] < state.events.shape[0]:
        recheck_person(state, persons[done])
        done += 1
    return done


@kernel
def recheck_person(state: State, tag: int) -> None:
    """A person whose card is no member's any more, or another member's, departs
    (`withdrawn`) and is forgotten.
    """
    hot, handle = state.hot[tag], state.cold[tag]["handle"]
    h0, h1 = card_hash(state, tag)
    row = find_row(state.member_rows, state.member_slots, h0, h1)
    if row != NO_ROW and state.member_rows[row, 2] == handle[0] and state.member_rows[row, 3] == handle[1]:
        return
    if hot["state"] == PRESENT or hot["state"] == EXITING:
        depart(state, tag, max(state.numbers[NOW], hot["last_ns"]), WITHDRAWN)
    erase(state, tag)


@kernel
def find_restored(state: State, tag: int) -> int:
    """The record in which this person's card was before a restart, or NOWHERE."""
    h0, h1 = card_hash(state, tag)
    other = state.numbers[OLDEST + PEOPLE_LIST]
    while other != NOWHERE:
        hot = state.hot[other]
        if hot["epc_len"] == 0 and hot["epc"][0] == h0 and hot["epc"][1] == h1:
            return int(other)
        other = state.cold[other]["newer"]
    return NOWHERE


@kernel
def adopt(state: State, restored: int, tag: int, t_ns: int) -> None:
    """A confirmed candidate turns out to have been here before the restart: the old record goes on, with the card it lacked.

    One who was present has neither arrived nor returned; it may have `moved`.  One who had departed returns, unless the
    candidacy began before that.
    """
    hot = state.hot[restored]
    life, left = hot["state"], hot["zone"]
    reads = int(state.hot[tag]["reads"])
    zone, score, second = best_place(state, state.hot[tag])
    hand_over(state, tag, restored)
    hot["reads"] = reads if life == DEPARTED else hot["reads"] + reads
    first_ns, detected_ns = state.cold[restored]["first_ns"], max(t_ns, hot["last_ns"])
    if life == DEPARTED and first_ns <= state.cold[restored]["left_ns"]:
        return  # what is older than the departure is no return
    if life == DEPARTED:
        take_place(state, restored, zone, first_ns)
        state.numbers[RETURNS] += 1
        state.numbers[PRESENT_PEOPLE] += 1
        at = put_event(state, restored, RETURNED, first_ns, detected_ns)
        explain(state, at, reads, score, second)
    elif zone != left:
        count_in(state, restored, -1)
        take_place(state, restored, zone, first_ns)
        state.numbers[MOVES] += 1
        at = put_event(state, restored, MOVED, detected_ns, detected_ns)
        state.events[at]["from_zone"] = left
        explain(state, at, reads, score, second)
        leave_door(state, restored, left, at)
    else:
        for slot in range(SLOTS):
            if zone_of(state, hot, slot) == zone:
                hot["place_reads"] += hot["slot_count"][slot]


@kernel
def hand_over(state: State, tag: int, restored: int) -> None:
    """Give a candidate's card, signals and times to a restored record, and forget the candidate."""
    hot, cold, new, more = state.hot[restored], state.cold[restored], state.hot[tag], state.cold[tag]
    wanted = Word(new["hash"])
    for word in range(HOT_WORDS):
        hot["epc"][word] = new["epc"][word]
    for word in range(EPC_WORDS - HOT_WORDS):
        cold["tail"][word] = more["tail"][word]
    for slot in range(SLOTS):
        hot["slot_antenna"][slot], hot["slot_count"][slot] = new["slot_antenna"][slot], new["slot_count"][slot]
        hot["slot_last_ns"][slot] = new["slot_last_ns"][slot]
        hot["slot_cdbm"][slot], hot["slot_weight"][slot] = new["slot_cdbm"][slot], new["slot_weight"][slot]
    for end in range(2):
        cold["peak_ns"][end], cold["peak_cdbm"][end] = more["peak_ns"][end], more["peak_cdbm"][end]
        cold["handle"][end] = more["handle"][end]
    cold["first_ns"], hot["last_ns"] = more["first_ns"], max(hot["last_ns"], new["last_ns"])
    hot["epc_len"], hot["hash"] = new["epc_len"], wanted
    replace(state.buckets, tag, restored, wanted)
    new["epc_len"] = 0  # the candidate is now the one without a card
    erase(state, tag)
