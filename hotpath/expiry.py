"""Time passes: every deadline fires in its turn."""

from hotpath._jit import kernel
from hotpath.deadlines import drop, first_due, push
from hotpath.lifecycle import (
    deadline_ns,
    expire,
    is_frozen,
    limit_ns,
)
from hotpath.record import (
    EVENTS,
    FIRED,
    NOWHERE,
    State,
)

NOBODY = -1
EVENTS_PER_ROW = 4
"""A row needs room for one event of its own and for its tag's overdue ones."""


@kernel
def fire_due(state: State, now_ns: int, seen: int) -> bool:
    """Let every deadline up to `now_ns` fire, in order; False when the events are full first.

    Args:
        seen: the tag that is being read at `now_ns`: seen in time, it meets a deadline at this very moment.
    """
    while state.events.shape[0] - state.numbers[EVENTS] >= EVENTS_PER_ROW:
        tag = first_due(state, now_ns)
        if tag == NOWHERE:
            return True
        due_ns, armed_ns = deadline_ns(state, tag), state.cold[tag]["armed_ns"]
        if is_frozen(state, state.hot[tag]):  # looked at again no later than it can be due after its zone is covered
            rearm(state, tag, max(due_ns, armed_ns + limit_ns(state, state.hot[tag]), armed_ns + 1))
        elif due_ns > armed_ns:
            rearm(state, tag, due_ns)
        elif tag == seen and due_ns == now_ns:
            rearm(state, tag, now_ns + 1)
        else:
            live_once(state, tag)
    return False


@kernel
def rearm(state: State, tag: int, at_ns: int) -> None:
    """Set a tag's entry right."""
    drop(state, tag)
    push(state, tag, at_ns)


@kernel
def live_once(state: State, tag: int) -> None:
    """Let a tag's deadline fire and enter its next one."""
    state.numbers[FIRED] += 1
    expire(state, tag)
    if state.hot[tag]["state"] != 0:
        rearm(state, tag, deadline_ns(state, tag))


@kernel
def live_until(state: State, tag: int, now_ns: int) -> None:
    """For a late read: let only its own tag's deadlines before `now_ns` fire, so that each tag has one straight history."""
    while (
        tag != NOBODY
        and state.hot[tag]["state"] != 0
        and not is_frozen(state, state.hot[tag])
        and deadline_ns(state, tag) < now_ns
    ):
        live_once(state, tag)
