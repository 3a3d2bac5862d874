"""Records come and go: one for a newcomer, for whom somebody may have to make room, and none for who is forgotten."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel, kernel
from hotpath.classes import has_prefix
from hotpath.deadlines import drop
from hotpath.index import enter, leave
from hotpath.lists import CANDIDATE_LIST, DEPARTED_LIST, STRAY_LIST, leave_list
from hotpath.record import (
    EPC_WORDS,
    EVICTED,
    FAR,
    FREE,
    FREE_COUNT,
    HOT_WORDS,
    ITEM,
    NEXT_SERIAL,
    NO_ZONE,
    NOWHERE,
    OLDEST,
    PERSON,
    PROFILE_GARMENT,
    PROFILE_ITEM,
    PROFILE_PERSON,
    RESERVED,
    RESTORED_PEOPLE,
    TAGS,
    UNKNOWN,
    State,
)

Word = np.uint64
Words = NDArray[np.uint64]
NO_ROOM, TOO_CROWDED = -2, -3


@hot_kernel
def find_room(state: State, kind: int) -> int:
    """A free record; NO_ROOM when there is none.  Strays make room first, a departed item last; some are only for persons."""
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
