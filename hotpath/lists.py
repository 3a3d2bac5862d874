"""Four lists of tags, each in the order in which they came: who makes room first, and who the members are.

Links stand in the records, so joining and leaving cost the same however long a list is.
"""

from hotpath._jit import hot_kernel
from hotpath.record import CANDIDATE, DEPARTED, ITEM, NEWEST, NOWHERE, OLDEST, PERSON, RETURNING, State

STRAY_LIST, CANDIDATE_LIST, DEPARTED_LIST, PEOPLE_LIST = range(4)
"""Strays and staff; item candidates; items that have departed; persons of every state."""


@hot_kernel
def list_of(state: State, tag: int) -> int:
    """The list for a tag as it is now; NOWHERE for an item that is present."""
    kind, life = state.hot[tag]["kind"], state.hot[tag]["state"]
    if kind == PERSON:
        return PEOPLE_LIST
    if life == CANDIDATE:
        return CANDIDATE_LIST if kind == ITEM else STRAY_LIST
    return DEPARTED_LIST if life in (DEPARTED, RETURNING) else NOWHERE


@hot_kernel
def join_list(state: State, tag: int) -> None:
    """Put a tag at the young end of its list."""
    which = list_of(state, tag)
    newest = state.numbers[NEWEST + which]
    state.cold[tag]["older"], state.cold[tag]["newer"] = newest, NOWHERE
    if newest == NOWHERE:
        state.numbers[OLDEST + which] = tag
    else:
        state.cold[newest]["newer"] = tag
    state.numbers[NEWEST + which] = tag


@hot_kernel
def leave_list(state: State, tag: int) -> None:
    """Take a tag out of its list, before what it is changes; of an item that is present, nothing."""
    which = list_of(state, tag)
    if which == NOWHERE:
        return
    older, newer = state.cold[tag]["older"], state.cold[tag]["newer"]
    if older == NOWHERE:
        state.numbers[OLDEST + which] = newer
    else:
        state.cold[older]["newer"] = newer
    if newer == NOWHERE:
        state.numbers[NEWEST + which] = older
    else:
        state.cold[newer]["older"] = older
