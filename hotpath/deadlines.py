"""Deadlines in order: a binary heap over (time, serial) in which every tag stands exactly once.

A read only moves a deadline later, as a rule, so a tag's place in the heap is corrected lazily, when it comes to the top:
a read costs nothing here, and expiry costs what expires.
"""

from hotpath._jit import hot_kernel, kernel
from hotpath.record import HEAP_SIZE, State


@hot_kernel
def is_before(state: State, a: int, b: int) -> bool:
    """Whether heap entry `a` is due before `b`; of two at the same time the tag that was created first."""
    if state.heap_ns[a] != state.heap_ns[b]:
        return bool(state.heap_ns[a] < state.heap_ns[b])
    return bool(state.heap_serial[a] < state.heap_serial[b])


@hot_kernel
def swap(state: State, a: int, b: int) -> None:
    """Exchange two entries."""
    ns, serial, tag = state.heap_ns[a], state.heap_serial[a], state.heap_tag[a]
    state.heap_ns[a], state.heap_serial[a], state.heap_tag[a] = (
        state.heap_ns[b],
        state.heap_serial[b],
        state.heap_tag[b],
    )
    state.heap_ns[b], state.heap_serial[b], state.heap_tag[b] = ns, serial, tag
    state.tags[state.heap_tag[a]]["heap_at"] = a
    state.tags[state.heap_tag[b]]["heap_at"] = b


@kernel
def sift_up(state: State, at: int) -> None:
    """Restore the order after entry `at` became earlier."""
    while at > 0 and is_before(state, at, (at - 1) // 2):
        swap(state, at, (at - 1) // 2)
        at = (at - 1) // 2


@kernel
def sift_down(state: State, at: int) -> None:
    """Restore the order after entry `at` became later."""
    size = state.numbers[HEAP_SIZE]
    while True:
        first = at
        for child in (2 * at + 1, 2 * at + 2):
            if child < size and is_before(state, child, first):
                first = child
        if first == at:
            return
        swap(state, at, first)
        at = first


@kernel
def push(state: State, tag: int, at_ns: int) -> None:
    """Enter a new tag."""
    at = state.numbers[HEAP_SIZE]
    state.numbers[HEAP_SIZE] = at + 1
    state.heap_ns[at], state.heap_serial[at], state.heap_tag[at] = at_ns, state.tags[tag]["serial"], tag
    state.tags[tag]["heap_at"] = at
    sift_up(state, at)


@kernel
def drop(state: State, tag: int) -> None:
    """Take a tag out."""
    at = state.tags[tag]["heap_at"]
    last = state.numbers[HEAP_SIZE] - 1
    if at != last:
        swap(state, at, last)
    state.numbers[HEAP_SIZE] = last
    if at != last:
        moved = state.heap_tag[at]
        sift_up(state, at)
        sift_down(state, state.tags[moved]["heap_at"])


@kernel
def rearm(state: State, tag: int, at_ns: int) -> None:
    """Set a tag's entry right."""
    at = state.tags[tag]["heap_at"]
    state.heap_ns[at] = at_ns
    sift_up(state, at)
    sift_down(state, state.tags[tag]["heap_at"])


@hot_kernel
def hasten(state: State, tag: int, at_ns: int) -> None:
    """Correct a tag's entry if it stands later than `at_ns`."""
    at = state.tags[tag]["heap_at"]
    if state.heap_ns[at] > at_ns:
        state.heap_ns[at] = at_ns
        sift_up(state, at)
