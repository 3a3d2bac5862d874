"""Goods that are sold: remembered, and ignored but where a sold thing may be brought to."""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import entry_kernel, kernel
from hotpath.classes import classify
from hotpath.deadlines import push
from hotpath.index import ABSENT, find_tag, hash_epc
from hotpath.lifecycle import deadline_ns
from hotpath.lists import join_list, leave_list
from hotpath.places import forget_samples
from hotpath.record import (
    CANDIDATE,
    CROWDED,
    DEPARTED,
    DONE,
    FAR,
    ITEM,
    MAX_EPC_BYTES,
    NO_ZONE,
    REFUSED,
    SOLD,
    State,
)
from hotpath.room import NO_ROOM, TOO_CROWDED, settle_in

Words = NDArray[np.uint64]


@entry_kernel
def mark_sold(state: State, epc: Words, row: int, size: int, now_ns: int, sold: bool) -> int:
    """Set or clear the mark of one EPC.  DONE, or CROWDED: rebuild the index and call again.

    An item that is not known, or not confirmed, counts as departed now, so that it is remembered.
    """
    if size < 1 or size > MAX_EPC_BYTES:
        return DONE
    wanted = hash_epc(state.words, epc, row, size)
    tag = find_tag(state, epc, row, size, wanted)
    if tag == ABSENT:
        if not sold or classify(state, epc, row, size, now_ns)[0] != ITEM:
            return DONE
        tag = settle_in(state, epc, row, size, wanted, ITEM)
        if tag == TOO_CROWDED:
            return CROWDED
        if tag == NO_ROOM:
            state.numbers[REFUSED] += 1
            return DONE
        remember(state, tag, now_ns)
        push(state, tag, deadline_ns(state, tag))
    hot = state.hot[tag]
    if hot["kind"] != ITEM or (hot["state"] == CANDIDATE and not sold):
        return DONE
    if hot["state"] == CANDIDATE:
        leave_list(state, tag)
        remember(state, tag, now_ns)
    state.numbers[SOLD] += sold and not hot["sold"]
    hot["sold"] = sold
    hot["notice_ns"] = FAR  # what we were told is not guessed again before the tag's next stay
    return DONE


@kernel
def remember(state: State, tag: int, now_ns: int) -> None:
    """Make a tag one that has departed now, from nowhere."""
    hot = state.hot[tag]
    hot["state"], hot["zone"], hot["reads"], hot["place_reads"] = DEPARTED, NO_ZONE, 0, 0
    hot["last_ns"] = now_ns
    state.cold[tag]["left_ns"] = state.cold[tag]["first_ns"] = state.cold[tag]["place_since_ns"] = now_ns
    forget_samples(state, tag)
    join_list(state, tag)
