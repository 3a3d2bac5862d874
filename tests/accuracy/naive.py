"""Baseline: the naive re-report window.

A tag is where it was last read, and gone when it was not read for a window.  The rule of countless deployments, and of
the filters in readers and middleware that "smooth" with one fixed window per tag.  Source: S. R. Jeffery, M. Garofalakis,
M. J. Franklin, "Adaptive Cleaning for RFID Data Streams", VLDB 2006, section 2 (the static smoothing window).  It is given
the windows that are best for it on the tuning seeds, one for persons and one for items.
"""

from collections import OrderedDict

from edge.columns import Columns
from edge.presence_model import Layout
from tests.accuracy.engine import Change, is_person, rows
from tests.accuracy.plan import AWAY
from tests.accuracy.scorer import Limits

KINDS = ("door", "floor", "shelf", "fitting-room", "till", "exit", "desk", "stock")


class Naive:
    """Where it was last read, for so long."""

    name = "naive window"

    def __init__(self, layout: Layout, person_s: float, item_s: float) -> None:
        self.limits = Limits(dict.fromkeys(KINDS, person_s), dict.fromkeys(KINDS, item_s))
        self._zones = [antenna.zone for antenna in layout.antennas]
        self._window_ns = {True: round(person_s * 1e9), False: round(item_s * 1e9)}
        self._seen: dict[bool, OrderedDict[bytes, tuple[int, int]]] = {True: OrderedDict(), False: OrderedDict()}

    def feed(self, columns: Columns, now_ns: int) -> list[Change]:
        changes = []
        for read in rows(columns):
            seen, zone = self._seen[is_person(read.epc)], self._zones[read.antenna]
            last = seen.pop(read.epc, None)
            if last is None or last[1] != zone:
                changes.append(Change(read.epc, read.t_ns, zone))
            seen[read.epc] = (max(read.t_ns, last[0]) if last else read.t_ns, zone)
        return changes

    def tick(self, now_ns: int) -> list[Change]:
        changes = []
        for person, seen in self._seen.items():
            while seen:
                epc, (last_ns, _) = next(iter(seen.items()))
                gone_ns = last_ns + self._window_ns[person]
                if gone_ns >= now_ns:
                    break
                del seen[epc]
                changes.append(Change(epc, now_ns, AWAY))
        return changes

    def cover(self, reader_id: str, covered: bool, now_ns: int) -> list[Change]:
        return []
