"""What a read does to the tag that it names."""

from hotpath._jit import hot_kernel, kernel
from hotpath.deadlines import hasten
from hotpath.events import explain, leave_door, put_event
from hotpath.lifecycle import (
    begin_candidacy,
    begin_stay,
    confirm,
    count_in,
    deadline_ns,
    is_confirmed,
)
from hotpath.people import adopt, find_restored
from hotpath.places import NO_SCORE, add_sample, advantage_cdbm, fresh_cdbm, place_cdbm, place_last_ns
from hotpath.record import (
    CANDIDATE,
    DEPARTED,
    DWELLED,
    FAR,
    MOVED,
    MOVES,
    NOWHERE,
    PERSON,
    RESTORED_PEOPLE,
    RETURNING,
    SOLD,
    State,
)


@hot_kernel
def sight(state: State, tag: int, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
    """What a read that counts does to its tag."""
    hot = state.hot[tag]
    if hot["state"] == DEPARTED and t_ns > state.cold[tag]["left_ns"]:  # what is older than the departure is no return
        hot["state"] = RETURNING
        begin_candidacy(state, tag, zone, t_ns)
    if hot["state"] == CANDIDATE or hot["state"] == RETURNING:
        await_confirmation(state, tag, antenna, t_ns, cdbm)
    elif hot["state"] != DEPARTED:
        follow(state, tag, antenna, zone, t_ns, cdbm)


@hot_kernel
def await_confirmation(state: State, tag: int, antenna: int, t_ns: int, cdbm: int) -> None:
    """Count a read towards the tag's presence; a late one counts if it is within a window before the first."""
    hot = state.hot[tag]
    if t_ns >= state.cold[tag]["first_ns"] - state.zones[hot["zone"]]["window_ns"]:
        hot["reads"] += 1
        hot["last_ns"] = max(hot["last_ns"], t_ns)
        add_sample(state, tag, antenna, t_ns, cdbm)
    if not is_confirmed(state, hot):
        hasten(state, tag, deadline_ns(state, tag))
        return
    restored = find_restored(state, tag) if state.numbers[RESTORED_PEOPLE] > 0 and hot["kind"] == PERSON else NOWHERE
    if restored == NOWHERE:
        confirm(state, tag, t_ns)
    else:
        adopt(state, restored, tag, t_ns)


@hot_kernel
def follow(state: State, tag: int, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
    """Take a read of a present tag into account: statistics always, its place only when it is the tag's newest read."""
    hot = state.hot[tag]
    newest = t_ns >= hot["last_ns"]
    hot["reads"] += 1
    hot["last_ns"] = max(hot["last_ns"], t_ns)
    add_sample(state, tag, antenna, t_ns, cdbm)
    if zone == hot["zone"]:
        hot["place_reads"] += 1
        if newest and t_ns >= hot["notice_ns"]:
            notice(state, tag, t_ns)
    elif newest:
        challenge(state, tag, zone, t_ns)


@kernel
def notice(state: State, tag: int, t_ns: int) -> None:
    """A tag was read at its place for as long as its zone waits for: a person has `dwelled`, an item is sold."""
    hot = state.hot[tag]
    hot["notice_ns"] = FAR
    if hot["kind"] == PERSON:
        at = put_event(state, tag, DWELLED, t_ns, t_ns)
        explain(state, at, hot["place_reads"], place_cdbm(state, hot), NO_SCORE)
    elif not hot["sold"]:
        hot["sold"] = 1
        state.numbers[SOLD] += 1


@kernel
def challenge(state: State, tag: int, zone: int, t_ns: int) -> None:
    """Move the tag to `zone` if its fresh means there win against the current place."""
    hot = state.hot[tag]
    count, score = fresh_cdbm(state, hot, zone, t_ns)
    if count < state.zones[zone]["move_min_reads"]:
        return
    left, current, rules, profile = hot["zone"], place_cdbm(state, hot), state.zones[hot["zone"]], hot["profile"]
    ahead = advantage_cdbm(
        rules["threshold_db"][profile],
        rules["slope_db_per_ms"][profile],
        rules["least_db"][profile],
        rules["holdoff_ns"][profile],
        t_ns - place_last_ns(state, hot),
    )
    if score <= current + ahead:
        return
    count_in(state, tag, -1)
    hot["zone"], hot["place_reads"] = zone, 1
    begin_stay(state, tag, t_ns)
    count_in(state, tag, 1)
    state.numbers[MOVES] += 1
    at = put_event(state, tag, MOVED, t_ns, t_ns)
    state.events[at]["from_zone"] = left
    explain(state, at, count, score, current)
    leave_door(state, tag, left, at)
