"""Deadlines in order: a hierarchical timing wheel for what is far, a binary heap over (time, serial) for what is near.

Every tag stands in exactly one place: a bucket of the wheel (`where` = -1 - bucket, `before` and `after` its neighbours)
or the heap (`where` its position).  A read only moves a deadline later, as a rule, so a tag's entry (`armed_ns`) is
corrected when its time comes: a read costs nothing here, and expiry costs what expires.

Time is cut into ticks of 2^23 ns (8.4 ms).  Level 0 has a bucket per tick, each further level one per 256 of the level
below.  `CURSOR` is the newest tick whose entries are in the heap; all that the wheel holds is later.
Source: Varghese and Lauck, Hashed and hierarchical timing wheels, 1987, scheme 7.
"""

import numpy as np
from numpy.typing import NDArray

from hotpath._jit import hot_kernel, kernel
from hotpath.record import CURSOR, FAR, HEAP_SIZE, NEXT_DUE, NOWHERE, State

TICK_BITS = 23
LEVEL_BITS = 8
LEVELS = 4
BUCKETS = 1 << LEVEL_BITS
HORIZON = 1 << (LEVEL_BITS * LEVELS)
"""Ticks that the wheel looks ahead: 416 days; what is later is looked at again then."""


def make_queue(capacity: int) -> NDArray[np.int32]:
    """Room for a heap of all tags, then the buckets, level after level; each holds the first of its tags."""
    return np.full(capacity + LEVELS * BUCKETS, NOWHERE, np.int32)


@hot_kernel
def first_bucket(state: State) -> int:
    """Where in the queue the buckets begin."""
    return int(state.hot.shape[0])


@hot_kernel
def push(state: State, tag: int, at_ns: int) -> None:
    """Enter a tag that has no entry."""
    state.cold[tag]["armed_ns"] = at_ns
    tick = at_ns >> TICK_BITS
    if tick <= state.numbers[CURSOR]:
        push_near(state, tag)
        state.numbers[NEXT_DUE] = min(state.numbers[NEXT_DUE], at_ns)
        return
    tick = min(tick, state.numbers[CURSOR] + HORIZON - 1)
    level, ahead = 0, tick - state.numbers[CURSOR]
    while ahead >= BUCKETS:
        ahead >>= LEVEL_BITS
        level += 1
    shift = level * LEVEL_BITS
    bucket = level * BUCKETS + ((tick >> shift) & (BUCKETS - 1))
    first = state.queue[first_bucket(state) + bucket]
    state.cold[tag]["where"] = -1 - bucket
    state.cold[tag]["before"], state.cold[tag]["after"] = NOWHERE, first
    if first != NOWHERE:
        state.cold[first]["before"] = tag
    state.queue[first_bucket(state) + bucket] = tag
    state.numbers[NEXT_DUE] = min(state.numbers[NEXT_DUE], (tick >> shift) << (shift + TICK_BITS))


@kernel
def drop(state: State, tag: int) -> None:
    """Take a tag's entry out."""
    where = state.cold[tag]["where"]
    if where >= 0:
        drop_near(state, where)
        return
    before, after = state.cold[tag]["before"], state.cold[tag]["after"]
    if before == NOWHERE:
        state.queue[first_bucket(state) - 1 - where] = after
    else:
        state.cold[before]["after"] = after
    if after != NOWHERE:
        state.cold[after]["before"] = before


@hot_kernel
def hasten(state: State, tag: int, at_ns: int) -> None:
    """Correct a tag's entry if it stands later than `at_ns`."""
    if state.cold[tag]["armed_ns"] > at_ns:
        drop(state, tag)
        push(state, tag, at_ns)


@kernel
def first_due(state: State, now_ns: int) -> int:
    """The tag whose entry is first of those up to `now_ns`, or NOWHERE; it keeps its entry."""
    while True:
        if state.numbers[HEAP_SIZE] > 0:
            tag = state.queue[0]
            armed_ns = state.cold[tag]["armed_ns"]
            state.numbers[NEXT_DUE] = armed_ns
            return int(tag) if armed_ns <= now_ns else NOWHERE
        tick = next_tick(state)
        if tick == FAR:
            state.numbers[NEXT_DUE] = FAR
            return NOWHERE
        state.numbers[NEXT_DUE] = tick << TICK_BITS
        if tick << TICK_BITS > now_ns:
            return NOWHERE
        advance(state, tick)


@kernel
def next_tick(state: State) -> int:
    """The first tick at which a bucket that is not empty begins; FAR when all are."""
    best = FAR
    for level in range(LEVELS):
        shift = level * LEVEL_BITS
        here = state.numbers[CURSOR] >> shift
        for ahead in range(1, BUCKETS + 1):
            tick = (here + ahead) << shift
            if tick >= best:
                break
            if state.queue[first_bucket(state) + level * BUCKETS + ((here + ahead) & (BUCKETS - 1))] != NOWHERE:
                best = tick
                break
    return best


@kernel
def advance(state: State, tick: int) -> None:
    """Move the cursor to the beginning of a bucket, past empty ones only, and deal out what begins there."""
    state.numbers[CURSOR] = tick
    for level in range(LEVELS - 1, -1, -1):
        shift = level * LEVEL_BITS
        if tick & ((1 << shift) - 1) == 0:
            bucket = level * BUCKETS + ((tick >> shift) & (BUCKETS - 1))
            tag = state.queue[first_bucket(state) + bucket]
            state.queue[first_bucket(state) + bucket] = NOWHERE
            while tag != NOWHERE:
                after = state.cold[tag]["after"]
                push(state, tag, state.cold[tag]["armed_ns"])
                tag = after


@hot_kernel
def is_before(state: State, a: int, b: int) -> bool:
    """Whether tag `a` is due before `b`; of two at the same time the one that was created first."""
    if state.cold[a]["armed_ns"] != state.cold[b]["armed_ns"]:
        return bool(state.cold[a]["armed_ns"] < state.cold[b]["armed_ns"])
    return bool(state.cold[a]["serial"] < state.cold[b]["serial"])


@hot_kernel
def set_near(state: State, at: int, tag: int) -> None:
    """Put a tag at a place of the heap."""
    state.queue[at] = tag
    state.cold[tag]["where"] = at


@kernel
def sift_up(state: State, at: int) -> None:
    """Restore the order after the entry at `at` became earlier."""
    tag = state.queue[at]
    while at > 0 and is_before(state, tag, state.queue[(at - 1) // 2]):
        set_near(state, at, state.queue[(at - 1) // 2])
        at = (at - 1) // 2
    set_near(state, at, tag)


@kernel
def sift_down(state: State, at: int) -> None:
    """Restore the order after the entry at `at` became later."""
    tag, size = state.queue[at], state.numbers[HEAP_SIZE]
    while True:
        child = 2 * at + 1
        if child + 1 < size and is_before(state, state.queue[child + 1], state.queue[child]):
            child += 1
        if child >= size or not is_before(state, state.queue[child], tag):
            break
        set_near(state, at, state.queue[child])
        at = child
    set_near(state, at, tag)


@kernel
def push_near(state: State, tag: int) -> None:
    """Enter a tag into the heap."""
    at = state.numbers[HEAP_SIZE]
    state.numbers[HEAP_SIZE] = at + 1
    set_near(state, at, tag)
    sift_up(state, at)


@kernel
def drop_near(state: State, at: int) -> None:
    """Take an entry out of the heap."""
    last = state.numbers[HEAP_SIZE] - 1
    state.numbers[HEAP_SIZE] = last
    if at != last:
        moved = state.queue[last]
        set_near(state, at, moved)
        sift_up(state, at)
        sift_down(state, state.cold[moved]["where"])
