"""Presence: reads in, transitions out.  Wires the kernels of `hotpath` to the layout and the member table."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from broker_config.member_table import MemberTable
from edge.columns import MAX_EPC_WORDS, Columns, make_columns
from edge.member_file import OpenedMembers, index_members
from edge.presence_events import Events, coverage_event, to_transitions
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
from edge.presence_snapshot import (
    NOTHING_SINCE,
    Restored,
    Since,
    Snapshot,
    SnapshotError,
    restore_snapshot,
    take_snapshot,
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
    "Restored",
    "Snapshot",
    "SnapshotError",
    "Tracker",
    "Transition",
    "TransitionKind",
    "ZoneSettings",
    "ZoneSpec",
]

FAR_FUTURE_NS = 1 << 62


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
        from hotpath import presence, record
        from hotpath._jit import bind

        self._layout = layout
        self._state: State = make_state(layout, settings, seed, own_goods, capacity)
        self._seeds = np.random.default_rng(seed)
        columns = make_columns(0)
        self._feed = bind(
            presence.feed, self._state, columns.t_ns, columns.antenna, columns.epc, columns.epc_len, columns.rssi_cdbm,
            columns.crc_ok, 0, 0,
        )  # fmt: skip
        self._codes = record  # here, because an import in `feed` would be a good part of it
        self._silent: set[str] = set()
        self._zones_of = {
            reader: sorted({antenna.zone for antenna in layout.antennas if antenna.reader_id == reader})
            for reader in {antenna.reader_id for antenna in layout.antennas}
        }

    def set_members(self, match_key: bytes, table: MemberTable | OpenedMembers | None) -> list[Transition]:
        """Match cards against this table from now on; None: nobody is a member.

        Present persons that it no longer holds, or holds under another handle, depart with the reason `withdrawn`.
        The lease is compared with the times of the reads: later reads of a card are those of a stray.

        Args:
            match_key: 16 bytes.
            table: of the agent, opened from its file, which takes no longer for ten million; else indexed here.

        Raises:
            MessageError: its rows are not in order.
        """
        from hotpath import record, words

        members = table if isinstance(table, OpenedMembers) else index_members(table)
        self._state.numbers[record.LEASED_UNTIL] = record.NEVER if table is None else members.leased_until_ns
        self._state.words[: words.MEMBER_KEYS] = np.frombuffer(match_key, "<u8")
        self._state = self._state._replace(member_rows=members.rows, member_slots=members.slots)
        return [each for events in self._recheck_persons() for each in to_transitions(events)]

    def feed(self, columns: Columns, received_ns: int | None = None) -> list[Transition]:
        """The transitions that these reads cause, in order.

        Args:
            received_ns: where given, reads dated later are clamped to it and counted.
        """
        return [each for events in self.feed_columns(columns, received_ns) for each in to_transitions(events)]

    def feed_columns(self, columns: Columns, received_ns: int | None = None) -> Iterator[Events]:
        """As `feed`, without an object per transition: chunks of event rows, each valid until the next is asked for."""
        row, outcome = 0, self._codes.FULL
        limit_ns = FAR_FUTURE_NS if received_ns is None else received_ns
        while outcome != self._codes.DONE:
            row, outcome = self._feed(
                self._state, columns.t_ns, columns.antenna, columns.epc, columns.epc_len, columns.rssi_cdbm, columns.crc_ok,
                row, limit_ns,
            )  # fmt: skip
            if outcome == self._codes.CROWDED:
                self._rebuild()
            if self._state.numbers[self._codes.EVENTS]:
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

    def set_coverage(self, reader_id: str, covered: bool, now_ns: int) -> list[Transition]:
        """Say that a reader has gone silent or is back.  While one of a zone's readers is silent nobody departs there; once
        all are back everybody has a whole limit to be seen again.

        Returns: the departures due until now, then `coverage_lost` or `coverage_restored` of each zone that changed.  A
            reader that is not in the layout, or says nothing new, changes nothing.
        """
        if reader_id not in self._zones_of or covered == (reader_id not in self._silent):
            return []
        now_ns = self._at_least_now(now_ns)
        transitions = self.tick(now_ns)
        (self._silent.discard if covered else self._silent.add)(reader_id)
        for zone in self._zones_of[reader_id]:
            row = self._state.zones[zone]
            row["silent"] += -1 if covered else 1
            if row["silent"] == (0 if covered else 1):
                transitions.append(coverage_event(zone, now_ns, covered=covered))
                if covered:
                    row["resumed_ns"] = now_ns
        return transitions

    def mark_sold(self, epcs: Sequence[bytes], now_ns: int, *, sold: bool = True) -> list[Transition]:
        """Items that are sold (or not, after all) are remembered, and ignored but at tills, desks and exits.

        Returns: the departures due until now.  What is no item of the site is passed over.
        """
        from hotpath import goods, record

        now_ns = self._at_least_now(now_ns)
        transitions = self.tick(now_ns)
        for epc in epcs:
            words = np.frombuffer(epc[: 8 * MAX_EPC_WORDS].ljust(8 * MAX_EPC_WORDS, b"\0"), np.uint64).reshape(1, -1)
            while goods.mark_sold(self._state, words.copy(), 0, len(epc), now_ns, sold) == record.CROWDED:
                self._rebuild()
        return transitions

    def present_in(self, zone: int) -> list[PresentTag]:
        """The items in a zone, by EPC."""
        from hotpath import record

        hot = self._state.hot
        here = np.flatnonzero(np.isin(hot["state"], (record.PRESENT, record.EXITING)) & (hot["zone"] == zone))
        found = [tag for tag in here if hot["kind"][tag] == record.ITEM]
        return sorted((self._present_tag(int(tag)) for tag in found), key=lambda tag: tag.epc)

    def counts(self) -> NDArray[np.int64]:
        """How many are present in each zone: int64[zones, 2], items and people."""
        return np.stack([self._state.zones["items"], self._state.zones["people"]], axis=1)

    def snapshot(self) -> Snapshot:
        """A copy of all that a restart must not lose; quick, so that reads wait no longer than for a batch."""
        return take_snapshot(self._state, self._layout)

    def restore(self, data: bytes, now_ns: int, since: Since = NOTHING_SINCE) -> Restored:
        """Take over an earlier engine's snapshot; then, `set_members`.  Only for an engine that has seen nothing.

        Everybody has a whole limit from `now_ns` to be seen again; who was said to be elsewhere since has departed.

        Raises:
            SnapshotError: this is no snapshot, it is damaged, or does not fit.
        """
        restored = restore_snapshot(self._state, self._layout, data, now_ns, since)
        self._rebuild()
        return restored

    def next_deadline_ns(self) -> int | None:
        """When to `tick` next.  Nothing is due before; it may turn out that nothing is due then either."""
        from hotpath import record

        due_ns = int(self._state.numbers[record.NEXT_DUE])
        return None if due_ns == record.FAR else due_ns

    @property
    def counters(self) -> Counters:
        """A copy of the counters."""
        from hotpath import record

        counts = self._state.numbers[record.READS_AT : record.NUMBERS]
        return Counters(*(int(count) for count in counts))

    def _take_events(self) -> Iterator[Events]:
        from hotpath import record

        count = int(self._state.numbers[record.EVENTS])
        self._state.numbers[record.EVENTS] = 0
        if count:
            yield self._state.events[:count]

    def _recheck_persons(self) -> Iterator[Events]:
        from hotpath import lists, people, record

        newer, tag, tags = self._state.cold["newer"], int(self._state.numbers[record.OLDEST + lists.PEOPLE_LIST]), []
        while tag != record.NOWHERE:
            tags.append(tag)
            tag = int(newer[tag])
        persons = np.array(tags, np.int64)
        persons, done = persons[np.argsort(self._state.cold["serial"][persons])], 0
        while done < len(persons):  # by the kernel: Python's look at each of thousands would hold reads up
            done = people.recheck_persons(self._state, persons, done)
            yield from self._take_events()

    def _rebuild(self) -> None:
        """Give the index new keys.  A universal hash makes this rare, and two failures in a row rarer still."""
        from hotpath import index, record

        self._state.numbers[record.REBUILDS] += 1
        self._new_index_keys()
        while not index.rebuild(self._state):
            self._new_index_keys()

    def _new_index_keys(self) -> None:
        from hotpath import index, words

        self._state.words[words.MEMBER_KEYS : words.HASHES_AT] = index.make_index_keys(
            int(self._seeds.integers(1 << 62))
        )

    def _at_least_now(self, now_ns: int) -> int:
        from hotpath import record

        return max(now_ns, int(self._state.numbers[record.NOW]))

    def _present_tag(self, tag: int) -> PresentTag:
        from hotpath import record

        hot, cold = self._state.hot[tag], self._state.cold[tag]
        reads, since_ns = int(hot["place_reads"]), int(cold["place_since_ns"])
        used = hot["slot_antenna"] != record.NO_ANTENNA
        zones = self._state.antennas["zone"][hot["slot_antenna"][used]]
        spread_ns = int(hot["slot_last_ns"][used][zones == hot["zone"]].max()) - since_ns
        return PresentTag(
            epc=(hot["epc"].tobytes() + cold["tail"].tobytes())[: hot["epc_len"]],
            last_read_ns=int(hot["last_ns"]),
            reads=reads,
            arrived_ns=since_ns,
            mean_interval_ns=spread_ns // (reads - 1) if reads > 1 and spread_ns > 0 else None,
        )
