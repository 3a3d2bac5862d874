"""From reads to events, without waiting: a bounded queue, columns, the presence engine, visits, messages, the outbox."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.columns import Columns
from edge.events import Announcer
from edge.health import Tally
from edge.member_file import OpenedMembers
from edge.outbox_rows import PendingEvent
from edge.presence_model import Counters, Layout, PresentTag, Transition
from edge.presence_snapshot import Restored, Since
from edge.read_ring import ReadRing
from edge.visits import FORGETTING, Visits
from edge.wire_scan import WireScan
from readers.model import ClockNs, Read, ReaderId
from readers.wire_format import WireFormat

COVERAGE = ("coverage_lost", "coverage_restored")
MAX_WAITING_READS = 20_000
MAX_BATCH = 4096  # reads per call of the engine: a quarter of a millisecond of the event loop


class EngineCopy(Protocol):
    """`edge.presence_snapshot.Snapshot`."""

    def to_bytes(self) -> bytes: ...


class Engine(Protocol):
    """`edge.presence.Tracker`."""

    def set_members(self, match_key: bytes, table: OpenedMembers | None) -> list[Transition]: ...
    def feed(self, columns: Columns, received_ns: int | None = None) -> list[Transition]: ...
    def tick(self, now_ns: int) -> list[Transition]: ...
    def set_coverage(self, reader_id: str, covered: bool, now_ns: int) -> list[Transition]: ...
    def mark_sold(self, epcs: Sequence[bytes], now_ns: int) -> list[Transition]: ...
    def counts(self) -> NDArray[np.int64]: ...
    def snapshot(self) -> EngineCopy: ...
    def restore(self, data: bytes, now_ns: int, since: Since = ...) -> Restored: ...
    def present_in(self, zone: int) -> list[PresentTag]: ...
    def next_deadline_ns(self) -> int | None: ...
    @property
    def counters(self) -> Counters: ...


class Pipeline:
    """One agent's reads on their way to the outbox.

    Args:
        append: takes events over, `Outbox.append`.
        match_key: 16 bytes; cards are looked up under it.
        cover: told of each zone that is covered from a time on (UTC ns), or is not.
        forget: called when somebody withdrew, or a new member table may have left somebody out.
    """

    def __init__(
        self,
        engine: Engine,
        layout: Layout,
        visits: Visits,
        announcer: Announcer,
        append: Callable[[Sequence[PendingEvent]], object],
        match_key: bytes,
        tally: Tally,
        clock_ns: ClockNs,
        *,
        cover: Callable[[int, bool, int], None],
        forget: Callable[[], None],
    ) -> None:
        self.engine, self.visits = engine, visits
        self._cover, self._forget = cover, forget
        self._announcer, self._append, self._match_key = announcer, append, match_key
        self._tally, self._clock_ns = tally, clock_ns
        self._antennas = {(each.reader_id, each.number): index for index, each in enumerate(layout.antennas)}
        self._waiting = ReadRing(MAX_WAITING_READS)

    def put(self, read: Read) -> None:
        """Take a read in; of too many the oldest is dropped and counted."""
        index = self._antennas.get((read.reader_id, read.antenna))
        if index is None:
            self._tally.unknown_antenna += 1
            self._tally.unnamed.add(read.reader_id)
            return
        self._tally.dropped_reads += self._waiting.put(read, index)

    def open_stream(self, reader_id: ReaderId, wire: WireFormat) -> WireScan:
        """The way in for the bytes of a reader that has just been opened; of too many reads the oldest are dropped."""
        antennas = {number: index for (each, number), index in self._antennas.items() if each == reader_id}
        return WireScan(wire, antennas, self._waiting, self._tally, reader_id)

    def has_reads(self) -> bool:
        """Whether reads wait."""
        return bool(self._waiting)

    def feed_batch(self) -> None:
        """Hand what waits, at most a batch, to the engine, and its transitions to the outbox."""
        batch = self._waiting.front(MAX_BATCH)
        transitions = self.engine.feed(batch, self._clock_ns())
        self._waiting.done(len(batch))
        self._report(transitions)

    def tick(self, now_ns: int) -> None:
        """Departures and visits that are over by now.  Call it with no read waiting: those before `now_ns` would be late."""
        self._report(self.engine.tick(now_ns))
        self.visits.expire(now_ns)

    def set_members(self, table: OpenedMembers | None) -> None:
        """From now on these are the members."""
        gone = self.engine.set_members(self._match_key, table)
        self._report(gone)
        if self.visits.members_replaced(0 if table is None else table.version):
            self._forget()

    def end_visits(self, tokens: Sequence[str], cause: str) -> None:
        """The server says that these are over."""
        self.visits.end(tokens, cause)
        if cause in FORGETTING:
            self._forget()

    def set_coverage(self, reader_id: str, covered: bool) -> None:
        """A reader delivers, or no longer does."""
        self._feed_all()
        self._report(self.engine.set_coverage(reader_id, covered, self._clock_ns()))

    def mark_sold(self, epcs: Sequence[bytes]) -> None:
        """These goods are paid."""
        self._feed_all()
        self._report(self.engine.mark_sold(epcs, self._clock_ns()))

    def report(self, events: Sequence[PendingEvent]) -> None:
        """Hand events over, counted."""
        if events:
            self._tally.events += len(events)
            self._append(events)

    def _feed_all(self) -> None:
        """Whatever is dated now comes after the reads that wait, or these would be late."""
        while self.has_reads():
            self.feed_batch()

    def _report(self, transitions: Sequence[Transition]) -> None:
        events: list[PendingEvent] = []
        for transition in transitions:
            if transition.kind in COVERAGE:
                self._cover(transition.zone, transition.kind == "coverage_restored", transition.detected_t_ns)
            elif transition.person:
                events += [self._announcer.visit(change) for change in self.visits.apply(transition)]
            else:
                events.append(self._announcer.item(transition))
        self.report(events)
