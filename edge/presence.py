"""Presence: reads in, transitions out.  Wires the kernels of `hotpath` to the layout and the member table."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from broker_config.member_table import MemberTable
from edge.columns import Columns
from edge.presence_model import (
    Antenna,
    Counters,
    Layout,
    PresenceSettings,
    PresentTag,
    Profile,
    Transition,
    TransitionKind,
    ZoneSettings,
    ZoneSpec,
)

if TYPE_CHECKING:
    from hotpath.record import State

__all__ = [
    "Antenna",
    "Counters",
    "Layout",
    "PresenceSettings",
    "PresentTag",
    "Profile",
    "Tracker",
    "Transition",
    "TransitionKind",
    "ZoneSettings",
    "ZoneSpec",
]

Events = NDArray[np.void]
"""Rows of `hotpath.record.EVENT`."""
FAR_FUTURE_NS = 1 << 62
_KINDS: tuple[TransitionKind, ...] = ("arrived", "moved", "departed", "returned")  # as hotpath.record.ARRIVED and so on
_REASONS = (None, "timeout", "exit", "withdrawn")  # as hotpath.record.NO_REASON and so on


class Tracker:
    """The presence engine of one gateway.  All times come from the reads and from `tick`; it never looks at a clock."""

    def __init__(
        self,
        layout: Layout,
        settings: PresenceSettings,
        *,
        seed: int,
        own_goods: Sequence[bytes] | None,
        capacity: int = 65_536,
    ) -> None:
        """Allocates everything; the first `feed` compiles, unless `hotpath.warm.warm_up` did.

        Args:
            seed: of the table's hash, fresh per start (`secrets.randbits(64)`); it never changes what comes out.
            own_goods: EPC prefixes of the site's own goods; None: every EPC is an item (recordings).
            capacity: tags held at once, strays included.

        Raises:
            ValueError: a setting that no store can mean.
        """
        from edge.presence_state import make_state  # numba comes with the kernels, so only where an engine is made

        self._state: State = make_state(layout, settings, seed, own_goods, capacity)
        self._seeds = np.random.default_rng(seed)

    def set_members(self, match_key: bytes, table: MemberTable | None) -> list[Transition]:
        """Match cards against this table from now on; None: nobody is a member.

        Present persons that it no longer holds, or holds under another handle, depart with the reason `withdrawn`.
        The lease is compared with the times of the reads: later reads of a card are those of a stray.

        Args:
            match_key: 16 bytes.
        """
        from hotpath import members, record

        words = b"" if table is None else table.records
        rows = np.frombuffer(words, "<u8").astype(np.uint64).reshape(-1, 4)
        slots = members.make_slots(len(rows))
        members.fill_slots(rows, slots)
        self._state.numbers[record.LEASED_UNTIL] = record.NEVER if table is None else table.leased_until_ns
        self._state = self._state._replace(
            member_key=np.frombuffer(match_key, "<u8").astype(np.uint64), member_rows=rows, member_slots=slots
        )
        return [each for events in self._recheck_persons() for each in to_transitions(events)]

    def feed(self, columns: Columns, received_ns: int | None = None) -> list[Transition]:
        """The transitions that these reads cause, in order.

        Args:
            received_ns: where given, reads dated later are clamped to it and counted.
        """
        return [each for events in self.feed_columns(columns, received_ns) for each in to_transitions(events)]

    def feed_columns(self, columns: Columns, received_ns: int | None = None) -> Iterator[Events]:
        """As `feed`, without an object per transition: chunks of event rows, each valid until the next is asked for."""
        from hotpath import presence, record

        row, outcome = 0, record.FULL
        limit_ns = FAR_FUTURE_NS if received_ns is None else received_ns
        while outcome != record.DONE:
            row, outcome = presence.feed(
                self._state, columns.t_ns, columns.antenna, columns.epc_bytes, columns.epc_len, columns.rssi_cdbm, columns.crc_ok,
                row, limit_ns,
            )  # fmt: skip
            if outcome == record.CROWDED:
                self._rebuild()
            yield from self._take_events()

    def tick(self, now_ns: int) -> list[Transition]:
        """The departures that are due by `now_ns`, in deadline order; reads before it are late from now on."""
        from hotpath import presence, record

        transitions: list[Transition] = []
        outcome = record.FULL
        while outcome != record.DONE:
            outcome = presence.tick(self._state, now_ns)
            for events in self._take_events():
                transitions += to_transitions(events)
        return transitions

    def present_in(self, zone: int) -> list[PresentTag]:
        """The items in a zone, by EPC."""
        from hotpath import record

        tags = self._state.tags
        here = np.isin(tags["state"], (record.PRESENT, record.EXITING)) & (tags["zone"] == zone)
        found = tags[here & (tags["kind"] == record.ITEM)]
        return sorted((_present_tag(tag) for tag in found), key=lambda tag: tag.epc)

    def next_deadline_ns(self) -> int | None:
        """When to `tick` next.  Nothing is due before; it may turn out that nothing is due then either."""
        from hotpath import record

        return int(self._state.heap_ns[0]) if self._state.numbers[record.HEAP_SIZE] else None

    @property
    def counters(self) -> Counters:
        """A copy of the counters."""
        return Counters(*(int(count) for count in self._state.counters))

    def _take_events(self) -> Iterator[Events]:
        from hotpath import record

        count = int(self._state.numbers[record.EVENTS])
        self._state.numbers[record.EVENTS] = 0
        if count:
            yield self._state.events[:count]

    def _recheck_persons(self) -> Iterator[Events]:
        from hotpath import presence, record

        tags = self._state.tags
        persons = np.flatnonzero((tags["state"] != record.UNKNOWN) & (tags["kind"] == record.PERSON))
        for tag in persons[np.argsort(tags["serial"][persons])]:
            presence.recheck_person(self._state, int(tag))
            yield from self._take_events()

    def _rebuild(self) -> None:
        """Give the index new keys.  A universal hash makes this rare, and two failures in a row rarer still."""
        from hotpath import index, record

        self._state.counters[record.REBUILDS] += 1
        self._state.hash_keys[:] = index.make_hash_keys(int(self._seeds.integers(1 << 62)))
        while not index.rebuild(self._state):
            self._state.hash_keys[:] = index.make_hash_keys(int(self._seeds.integers(1 << 62)))


def to_transitions(events: Events) -> list[Transition]:
    """Event rows as values."""
    return [_to_transition(event) for event in events]


def _to_transition(event: np.void) -> Transition:
    person = bool(event["person"])
    from_zone, margin_db = int(event["from_zone"]), float(event["margin_db"])
    return Transition(
        kind=_KINDS[event["kind"]],
        person=person,
        epc=event["epc"][: event["epc_len"]].tobytes(),
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
    )


def _present_tag(tag: np.void) -> PresentTag:
    reads, since_ns = int(tag["place_reads"]), int(tag["place_since_ns"])
    spread_ns = int(tag["place_last_ns"]) - since_ns
    return PresentTag(
        epc=tag["epc"][: tag["epc_len"]].tobytes(),
        last_read_ns=int(tag["last_ns"]),
        reads=reads,
        arrived_ns=since_ns,
        mean_interval_ns=spread_ns // (reads - 1) if reads > 1 and spread_ns > 0 else None,
    )
