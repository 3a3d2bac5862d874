"""Baseline: EdgeX's RFID inventory with its mobility profile.

A tag arrives at its first read.  Per antenna the last 20 signals are kept; an antenna other than the tag's present one takes
it over when it has at least 2 signals whose mean is more than the present one's mean plus

    min(T, m * dt + (T - m * holdoff)),      T 6 dB, m -0.008 dB/ms, holdoff 500 ms, dt = now - last read at the present antenna

Antennas of one zone are aliases: changing between them is no event.  Unseen for 600 s a tag departs, its signals are
forgotten; the sweep runs every 30 s.  All of these are the published defaults; a second run takes the time-outs that are
best for it on the tuning seeds (the published ones never blank a screen in time).

Source: github.com/edgexfoundry/app-rfid-llrp-inventory, internal/inventory: tagprocessor.go (processData,
AggregateDeparted), mobilityprofile.go (ComputeOffset), tagstats.go (20 values), config.go (defaults).  Its shift of a
report's times to their receipt is left out: the recording has no skewed clock, so it would only make late reads newest.
"""

from collections import deque
from dataclasses import dataclass, field

from edge.columns import Columns
from edge.presence_model import Layout
from tests.accuracy.engine import Change, Row, is_person, rows
from tests.accuracy.naive import KINDS
from tests.accuracy.plan import AWAY
from tests.accuracy.scorer import Limits

SIGNALS, LEAST_SIGNALS = 20, 2
THRESHOLD_DB, HOLDOFF_MS, SLOPE_DB_PER_MS = 6.0, 500.0, -0.008
DEPARTED_S, SWEEP_S = 600.0, 30.0


@dataclass(slots=True)
class _Stats:
    last_ns: int = 0
    signals: deque[float] = field(default_factory=lambda: deque(maxlen=SIGNALS))

    @property
    def mean(self) -> float:
        return sum(self.signals) / len(self.signals)


@dataclass(slots=True)
class _Tag:
    antenna: int
    present: bool = False
    last_ns: int = 0
    stats: dict[int, _Stats] = field(default_factory=dict)


class EdgeX:
    """Its tag processor, one read per report."""

    def __init__(
        self, layout: Layout, person_s: float = DEPARTED_S, item_s: float = DEPARTED_S, sweep_s: float = SWEEP_S
    ) -> None:
        published = (person_s, item_s, sweep_s) == (DEPARTED_S, DEPARTED_S, SWEEP_S)
        self.name = "EdgeX" if published else "EdgeX, tuned time-outs"
        self.limits = Limits(dict.fromkeys(KINDS, person_s + sweep_s), dict.fromkeys(KINDS, item_s + sweep_s))
        self._zones = [antenna.zone for antenna in layout.antennas]
        self._limit_ns = {True: round(person_s * 1e9), False: round(item_s * 1e9)}
        self._sweep_ns, self._swept_ns = round(sweep_s * 1e9), 0
        self._tags: dict[bytes, _Tag] = {}

    def feed(self, columns: Columns, now_ns: int) -> list[Change]:
        return [change for read in rows(columns) for change in self._process(read)]

    def _process(self, read: Row) -> list[Change]:
        tag = self._tags.get(read.epc)
        if tag is None:
            tag = self._tags[read.epc] = _Tag(read.antenna)
        before = self._zones[tag.antenna] if tag.present else AWAY
        if not tag.present:
            tag.antenna, tag.present = (read.antenna if not tag.stats else tag.antenna), True
        tag.last_ns = max(tag.last_ns, read.t_ns)
        here = tag.stats.setdefault(read.antenna, _Stats())
        here.signals.append(read.rssi_dbm)
        here.last_ns = max(here.last_ns, read.t_ns)
        if tag.antenna != read.antenna:
            there = tag.stats.get(tag.antenna)
            if there is None:
                tag.antenna = read.antenna
            elif len(here.signals) >= LEAST_SIGNALS:
                dt_ms = (read.t_ns - there.last_ns) / 1e6
                offset = min(THRESHOLD_DB, SLOPE_DB_PER_MS * dt_ms + THRESHOLD_DB - SLOPE_DB_PER_MS * HOLDOFF_MS)
                if here.mean > there.mean + offset:
                    tag.antenna = read.antenna
        zone = self._zones[tag.antenna]
        return [Change(read.epc, read.t_ns, zone)] if zone != before else []

    def tick(self, now_ns: int) -> list[Change]:
        if now_ns - self._swept_ns < self._sweep_ns:
            return []
        self._swept_ns = now_ns
        changes = []
        for epc, tag in self._tags.items():
            if tag.present and tag.last_ns < now_ns - self._limit_ns[is_person(epc)]:
                tag.present = False
                tag.stats.clear()
                changes.append(Change(epc, now_ns, AWAY))
        return changes

    def cover(self, reader_id: str, covered: bool, now_ns: int) -> list[Change]:
        return []
