"""What must hold of times: dates are right whatever a host's clock shows, and nobody is recognised beyond a lease."""

import re
from datetime import datetime

import msgspec

from server.clock import NS_PER_S, to_ns
from server.members.tables import LEASE_NS
from tests.faults.report import Outcome
from tests.faults.simulation.found import Found
from tests.faults.simulation.store import Store

EXACT_NS = 2 * NS_PER_S
"""Source: row 10 of the fault matrix."""
AHEAD_NS = 60 * NS_PER_S
BY_ITS_AGE = re.compile(rb',"agems":[0-9]+')
"""Sent by an agent that does not know the server's time yet: it can be dated by its arrival only."""


class _Stamped(msgspec.Struct):
    time: datetime


_stamped = msgspec.json.Decoder(_Stamped)


def check_times(store: Store, found: Found, outcome: Outcome) -> None:
    """Hold dates and leases to the true time."""
    _dates(store, found, outcome)
    _leases(store, outcome)


def _dates(store: Store, found: Found, outcome: Outcome) -> None:
    """Every event has the date that it happened at, by the server's clock.

    By that of one of its starts, and as one of its agent's starts saw it: what happened before a clock was set, and is
    said after it, nobody can tell better.  What came with its age alone is at least not of the future.
    """
    wrong = []
    for key, at_ns in found.at_ns.items():
        if key not in store.truth.handed:
            continue
        if BY_ITS_AGE.search(found.events[key]):
            if at_ns > found.received_ns[key] + AHEAD_NS:
                wrong.append(f"{key} is dated {(at_ns - found.received_ns[key]) // NS_PER_S} s after it came")
            continue
        said_ns = to_ns(_stamped.decode(store.truth.handed[key]).time)
        servers_ns = [error_ns for _, error_ns in store.server.clocks]
        agents_ns = store.edges[key[0]].clock_errors_ns
        off_ns = min((at_ns - said_ns + own - theirs for own in agents_ns for theirs in servers_ns), key=abs)
        if abs(off_ns) > EXACT_NS:
            wrong.append(f"{key} is dated {off_ns // NS_PER_S} s wrong")
    outcome.broken += wrong[:1]


def _leases(store: Store, outcome: Outcome) -> None:
    """Nobody is recognised by a table that no server has vouched for in 72 hours."""
    for agent, at_ns, vouched_ns in store.truth.recognised:
        if at_ns - vouched_ns > LEASE_NS + NS_PER_S:
            hours = (at_ns - vouched_ns) // (3600 * NS_PER_S)
            outcome.broken.append(f"{agent} recognised somebody {hours} h after the server vouched for its table")
            return
