"""What an engine takes over a restart: the records of confirmed tags, as they stand, without a card's number."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel
from hotpath.deadlines import push
from hotpath.lifecycle import count_in, deadline_ns
from hotpath.lists import join_list
from hotpath.people import card_hash
from hotpath.record import (
    DEPARTED,
    EPC_WORDS,
    EXITING,
    HOT_WORDS,
    PERSON,
    PRESENT,
    PRESENT_ITEMS,
    PRESENT_PEOPLE,
    RESTORED_PEOPLE,
    RETURNING,
    State,
)
from hotpath.room import take_free

Words = NDArray[np.uint64]
Word = np.uint64
_MIX = Word(0x9E3779B97F4A7C15)
_29 = Word(29)


@entry_kernel
def copy_kept(state: State, hot: NDArray[np.void], cold: NDArray[np.void]) -> int:
    """Copy the records of all that are or were present; returns how many.  Persons leave their card's hash for its number.

    Args:
        hot, cold: room for all tags; written.
    """
    kept = 0
    for tag in range(state.hot.shape[0]):
        if state.hot[tag]["state"] < PRESENT:
            continue
        hot[kept], cold[kept] = state.hot[tag], state.cold[tag]
        hot[kept]["hash"] = 0  # it says something of a card's number
        if hot[kept]["state"] == RETURNING:
            hot[kept]["state"] = DEPARTED
        if hot[kept]["kind"] == PERSON:
            h0, h1 = card_hash(state, tag)
            hot[kept]["epc"][0], hot[kept]["epc"][1] = h0, h1
            hot[kept]["epc_len"] = 0
            for word in range(EPC_WORDS - HOT_WORDS):
                cold[kept]["tail"][word] = 0
        kept += 1
    return kept


@entry_kernel
def put_back(state: State, hot: NDArray[np.void], cold: NDArray[np.void]) -> None:
    """Take records into an empty engine with room for them; the caller then rebuilds the index.

    Args:
        hot, cold: in the order in which their tags are to stand in the lists.
    """
    for row in range(hot.shape[0]):
        tag = take_free(state)
        state.hot[tag], state.cold[tag] = hot[row], cold[row]
        life, person = hot[row]["state"], hot[row]["kind"] == PERSON
        if life != DEPARTED:  # the place may be an exit now, or none any more
            life = EXITING if state.zones[hot[row]["zone"]]["is_exit"] else PRESENT
            state.hot[tag]["state"] = life
        push(state, tag, deadline_ns(state, tag))
        if person or life == DEPARTED:
            join_list(state, tag)
        state.numbers[RESTORED_PEOPLE] += person
        if life != DEPARTED:
            count_in(state, tag, 1)
            state.numbers[PRESENT_PEOPLE if person else PRESENT_ITEMS] += 1


@entry_kernel
def checksum(words: Words) -> Word:
    """64 bits that change with any change of the words."""
    total = Word(words.shape[0])
    for at in range(words.shape[0]):
        total = (total ^ words[at]) * _MIX
        total ^= total >> _29
    return total
