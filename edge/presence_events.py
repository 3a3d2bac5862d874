"""Rows of events, as the kernels write them, as values."""

import math

import numpy as np
from numpy.typing import NDArray

from edge.presence_model import Direction, Transition, TransitionKind

Events = NDArray[np.void]
"""Rows of `hotpath.record.EVENT`."""
_KINDS: tuple[TransitionKind, ...] = (
    "arrived",
    "moved",
    "departed",
    "returned",
    "dwelled",
)  # as hotpath.record.ARRIVED …
_REASONS = (None, "timeout", "exit", "withdrawn")  # as hotpath.record.NO_REASON and so on
_DIRECTIONS: tuple[Direction | None, ...] = (None, "in", "out")  # as hotpath.record.NO_WAY and so on


def to_transitions(events: Events) -> list[Transition]:
    """Event rows as values."""
    return [_to_transition(event) for event in events]


def _to_transition(event: np.void) -> Transition:
    person = bool(event["person"])
    from_zone, margin_db = int(event["from_zone"]), float(event["margin_db"])
    return Transition(
        kind=_KINDS[event["kind"]],
        person=person,
        epc=event["epc"].tobytes()[: event["epc_len"]],
        handle=event["handle"].astype("<u8").tobytes() if person else None,
        zone=int(event["zone"]),
        from_zone=None if from_zone < 0 else from_zone,
        t_ns=int(event["t_ns"]),
        detected_t_ns=int(event["detected_ns"]),
        last_read_ns=int(event["last_ns"]),
        reads=int(event["reads"]),
        rssi_dbm=float(event["rssi_dbm"]),
        margin_db=None if math.isnan(margin_db) else margin_db,
        reason=_REASONS[event["reason"]],
        serial=int(event["serial"]),
        direction=_DIRECTIONS[event["direction"]],
    )


def coverage_event(zone: int, now_ns: int, *, covered: bool) -> Transition:
    """What is told when the first of a zone's readers falls silent, and when the last of them is back."""
    return Transition(
        kind="coverage_restored" if covered else "coverage_lost",
        person=False,
        epc=b"",
        handle=None,
        zone=zone,
        from_zone=None,
        t_ns=now_ns,
        detected_t_ns=now_ns,
        last_read_ns=now_ns,
        reads=0,
        rssi_dbm=0.0,
        margin_db=None,
        reason=None,
    )
