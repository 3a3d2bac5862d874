"""Events out: rows of columns, each with its evidence."""

import numpy as np

from hotpath._jit import hot_kernel, kernel
from hotpath.index import copy_epc
from hotpath.places import NO_SCORE
from hotpath.record import EPC_WORDS, EVENTS, INWARDS, NEVER, NO_REASON, NO_WAY, NOWHERE, OUTWARDS, PERSON, State


@hot_kernel
def put_event(state: State, tag: int, kind: int, t_ns: int, detected_ns: int) -> int:
    """Append an event about a tag where it is now; its row, for the caller to complete."""
    at = state.numbers[EVENTS]
    state.numbers[EVENTS] = at + 1
    event, hot, cold = state.events[at], state.hot[tag], state.cold[tag]
    event["kind"], event["person"], event["reason"], event["direction"] = kind, hot["kind"] == PERSON, NO_REASON, NO_WAY
    event["epc_len"] = hot["epc_len"]
    copy_epc(state, tag, event["epc"])
    if hot["epc_len"] == 0:  # what stands there is no EPC but the hash of a card
        for word in range(EPC_WORDS):
            event["epc"][word] = 0
    event["handle"][0], event["handle"][1] = cold["handle"][0], cold["handle"][1]
    event["serial"], event["zone"], event["from_zone"] = cold["serial"], hot["zone"], NOWHERE
    event["t_ns"], event["detected_ns"], event["last_ns"] = t_ns, detected_ns, hot["last_ns"]
    return int(at)


@hot_kernel
def explain(state: State, at: int, reads: int, score_cdbm: float, other_cdbm: float) -> None:
    """Complete an event with its evidence."""
    event = state.events[at]
    event["reads"], event["rssi_dbm"] = reads, score_cdbm / 100
    event["margin_db"] = np.nan if other_cdbm == NO_SCORE else (score_cdbm - other_cdbm) / 100


@kernel
def leave_door(state: State, tag: int, zone: int, at: int) -> None:
    """Complete an event that leaves a door with its direction: towards the side whose strongest read is the later."""
    if not state.zones[zone]["is_door"]:
        return
    cold = state.cold[tag]
    outside_ns, inside_ns = cold["peak_ns"][0], cold["peak_ns"][1]
    if outside_ns != NEVER and inside_ns != NEVER and outside_ns != inside_ns:
        state.events[at]["direction"] = INWARDS if inside_ns > outside_ns else OUTWARDS
    cold["peak_ns"][0] = NEVER
    cold["peak_ns"][1] = NEVER
