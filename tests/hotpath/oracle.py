"""The presence rules, slow and obvious: the model to which the kernels are held, event for event and count for count.

Written from `docs/presence.md`.  It shares with the kernels the order of the arithmetic and what 32 bits keep of a mean
(`oracle_tag.py`), and none of their tricks: a list of tags (`oracle_life.py`), and a search for the earliest deadline.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.presence_model import Layout, PresentTag, Transition
from tests.hotpath.oracle_life import NS_PER_S, Life
from tests.hotpath.oracle_tag import Slot, Tag

SOLD_IS_SEEN_AT = ("till", "desk", "exit")


@dataclass(frozen=True)
class OracleRead:
    """One row.  `size` is what the row says of its EPC's length, where that is not the truth."""

    t_ns: int
    antenna: int
    epc: bytes
    rssi_cdbm: int
    crc_ok: int = -1
    received_ns: int | None = None
    size: int | None = None


def sane_cdbm(cdbm: int) -> int:
    return min(max(cdbm, -15_000), 3_000)


class Oracle(Life):
    """Everything that can be told to the engine, and asked of it."""

    # What is asked of it

    def counters(self) -> dict[str, int]:
        present = [tag.kind for tag in self.tags if tag.state == "present"]
        now = {
            "tags": len(self.tags),
            "present_items": present.count("item"),
            "present_people": present.count("person"),
        }
        return {**self.counts, **now}

    def zone_counts(self) -> list[list[int]]:
        """Items and persons present, per zone."""
        here = [(tag.zone, tag.kind) for tag in self.tags if tag.state == "present"]
        return [[here.count((zone, "item")), here.count((zone, "person"))] for zone in range(len(self.layout.zones))]

    def present_in(self, zone: int) -> list[PresentTag]:
        found = [tag for tag in self.tags if (tag.state, tag.kind, tag.zone) == ("present", "item", zone)]
        return sorted((self.as_present(tag) for tag in found), key=lambda each: each.epc)

    @staticmethod
    def as_present(tag: Tag) -> PresentTag:
        spread_ns, gaps = tag.place_last_ns - tag.place_since_ns, tag.place_reads - 1
        interval_ns = spread_ns // gaps if gaps > 0 and spread_ns > 0 else None
        return PresentTag(tag.epc, tag.last_ns, tag.place_reads, tag.place_since_ns, interval_ns)

    def find(self, epc: bytes) -> Tag | None:
        return next((tag for tag in self.tags if tag.epc == epc and tag.unseen_card is None), None)

    # Reads

    def tick(self, now_ns: int) -> None:
        self.fire_due(now_ns)
        self.now_ns = now_ns if self.now_ns is None else max(self.now_ns, now_ns)

    def advance(self, now_ns: int) -> int:
        """For what is told with a time: the clock never goes back, and what is due happens first."""
        self.tick(now_ns if self.now_ns is None else max(self.now_ns, now_ns))
        assert self.now_ns is not None
        return self.now_ns

    def flaw_of(self, read: OracleRead) -> str | None:
        """What is wrong with a read by itself; where an absurd signal is put right, that is counted here."""
        if read.antenna >= len(self.layout.antennas):
            return "bad_antenna"
        if not 1 <= (len(read.epc) if read.size is None else read.size) <= 62:
            return "bad_epc"
        if read.crc_ok == 0:
            return "crc_wrong"
        cdbm = sane_cdbm(read.rssi_cdbm)
        self.counts["rssi_clamped"] += cdbm != read.rssi_cdbm
        return "below_floor" if cdbm < round(self.layout.antennas[read.antenna].floor_dbm * 100) else None

    def ignored_for(self, epc: bytes, zone: int, t_ns: int) -> str | None:
        """Why a sound read does not count for the tag it names."""
        tag = self.find(epc)
        if tag is None:
            return None
        if tag.kind == "person" and t_ns >= self.leased_until_ns:
            return "lease_ignored"
        if tag.kind == "item" and tag.state == "candidate" and not self.rules(zone).creates_items:
            return "till_ignored"
        if tag.sold and self.layout.zones[zone].kind not in SOLD_IS_SEEN_AT:
            return "sold_ignored"
        return None

    def read(self, read: OracleRead) -> None:
        self.counts["reads"] += 1
        if not 0 <= read.t_ns < 1 << 62:
            self.counts["bad_time"] += 1
            return
        t_ns = read.t_ns if read.received_ns is None else min(read.t_ns, read.received_ns)
        self.counts["clamped"] += t_ns < read.t_ns
        flaw = self.flaw_of(read)
        if flaw:
            self.counts[flaw] += 1
        if self.now_ns is not None and t_ns < self.now_ns:
            self.counts["late"] += 1
            if self.now_ns - t_ns > round(self.settings.late_limit_s * NS_PER_S):
                self.counts["stale"] += 1
            elif not flaw:
                self.read_late(read, t_ns)
        elif flaw:
            self.tick(t_ns)
        else:
            zone = self.layout.antennas[read.antenna].zone
            counts = not self.ignored_for(read.epc, zone, t_ns)
            self.fire_due(t_ns, self.find(read.epc) if counts else None)
            self.now_ns = t_ns
            self.attribute(read, zone, t_ns)

    def read_late(self, read: OracleRead, t_ns: int) -> None:
        """A late read lets no deadline fire but its own tag's."""
        zone = self.layout.antennas[read.antenna].zone
        if not self.ignored_for(read.epc, zone, t_ns):
            while (tag := self.find(read.epc)) and self.deadline_ns(tag) < t_ns:
                self.expire(tag)
        self.attribute(read, zone, t_ns)

    def attribute(self, read: OracleRead, zone: int, t_ns: int) -> None:
        """A sound read, in time, to the tag it names."""
        ignored = self.ignored_for(read.epc, zone, t_ns)
        tag = self.find(read.epc)
        if not ignored and tag is None:
            tag, ignored = self.create(read.epc, zone, t_ns)
        if ignored:
            self.counts[ignored] += 1
        elif tag is not None:
            self.sight(tag, read.antenna, t_ns, sane_cdbm(read.rssi_cdbm))

    # Room

    def classify(self, epc: bytes, t_ns: int) -> Tag:
        """A tag of the right kind, not yet among `tags`."""
        kind, handle = "stray", None
        if self.own_goods is not None and epc[0] in (0x2E, 0xF5):
            kind = "staff"
        elif epc in self.members and t_ns < self.leased_until_ns:
            kind, handle = "person", self.members[epc]
        elif self.own_goods is None or any(epc.startswith(prefix) for prefix in self.own_goods):
            kind = "item"
        garment = kind == "item" and any(epc.startswith(prefix) for prefix in self.settings.garment_prefixes)
        return Tag(epc, -1, kind, garment, handle)

    def create(self, epc: bytes, zone: int, t_ns: int) -> tuple[Tag | None, str | None]:
        tag = self.classify(epc, t_ns)
        if tag.kind == "item" and not self.rules(zone).creates_items:
            return None, "till_ignored"
        if not self.take_room(tag):
            return None, "refused"
        tag.last_ns = t_ns
        self.begin_candidacy(tag, zone, t_ns)
        return tag, None

    def take_room(self, tag: Tag) -> bool:
        """Enter a newcomer, for whom somebody may have to go."""
        kept = 0 if tag.kind == "person" else self.capacity // 16
        if self.capacity - len(self.tags) <= kept:
            victim = self.victim_for(tag.kind)
            if victim is None:
                return False
            self.tags.remove(victim)
            self.reached.add(f"{victim.kind} {victim.state} gone for {tag.kind}")
            self.counts["evicted"] += 1
        tag.serial, self.next_serial = self.next_serial, self.next_serial + 1
        self.tags.append(tag)
        return True

    def victim_for(self, kind: str) -> Tag | None:
        candidates = [tag for tag in self.tags if tag.state == "candidate"]
        chosen = [tag for tag in candidates if tag.kind in ("stray", "staff")]
        if not chosen and kind in ("item", "person"):
            chosen = [tag for tag in candidates if tag.kind == "item"]
        if chosen:
            return min(chosen, key=lambda tag: tag.serial)
        gone = [tag for tag in self.tags if tag.kind == "item" and tag.state in ("departed", "returning")]
        if gone and kind in ("item", "person"):
            return min(gone, key=lambda tag: tag.left_order)
        return None

    # What is told

    def set_members(self, members: dict[bytes, bytes], leased_until_ns: int) -> None:
        self.members, self.leased_until_ns = members, leased_until_ns
        for tag in [each for each in self.tags if each.kind == "person"]:
            card = tag.epc if tag.unseen_card is None else tag.unseen_card
            if members.get(card) != tag.handle:
                if tag.state == "present":
                    assert self.now_ns is not None
                    self.depart(tag, max(self.now_ns, tag.last_ns), "withdrawn")
                self.tags.remove(tag)

    def set_coverage(self, reader_id: str, covered: bool, now_ns: int) -> None:
        zones = sorted({each.zone for each in self.layout.antennas if each.reader_id == reader_id})
        if not zones or covered == (reader_id not in self.lost_readers):
            return
        now_ns = self.advance(now_ns)
        before = [self.is_silent(zone) for zone in zones]
        self.lost_readers ^= {reader_id}
        for zone, was_silent in zip(zones, before, strict=True):
            if self.is_silent(zone) != was_silent:
                if covered:
                    self.resumed_ns[zone] = now_ns
                self.tell_coverage(zone, covered, now_ns)

    def tell_coverage(self, zone: int, covered: bool, now_ns: int) -> None:
        kind = "coverage_restored" if covered else "coverage_lost"
        told = Transition(kind, False, b"", None, zone, None, now_ns, now_ns, now_ns, 0, 0.0, None, None, -1, None)
        self.events.append(told)

    def mark_sold(self, epcs: Sequence[bytes], now_ns: int, sold: bool) -> None:
        now_ns = self.advance(now_ns)
        for epc in epcs:
            tag = self.find(epc)
            if tag is None and sold and 1 <= len(epc) <= 62:
                tag = self.newcomer_sold(epc, now_ns)
            if tag is None or tag.kind != "item" or (tag.state == "candidate" and not sold):
                continue
            if tag.state == "candidate":
                tag.zone, tag.last_ns = -1, now_ns
                self.leave(tag, now_ns)
            self.counts["sold"] += sold and not tag.sold
            tag.sold, tag.noticed = sold, True

    def newcomer_sold(self, epc: bytes, now_ns: int) -> Tag | None:
        """An item that was sold without ever being read, still to be marked."""
        tag = self.classify(epc, now_ns)
        if tag.kind != "item":
            return None
        if not self.take_room(tag):
            self.counts["refused"] += 1
            return None
        return tag

    def restart(self, layout: Layout, now_ns: int) -> tuple["Oracle", tuple[int, int, int]]:
        """A new engine that goes on where this one was; items, persons, and how many tags have no place in the layout."""
        new = Oracle(layout, self.settings, self.own_goods, self.capacity)
        new.now_ns, new.next_serial = self.now_ns, self.next_serial
        new.resumed_ns = [now_ns if self.now_ns is None else max(now_ns, self.now_ns)] * len(layout.zones)
        kept = [tag for tag in self.tags if tag.kind in ("item", "person") and tag.state != "candidate"]
        new.tags = [tag for tag in (self.carry(each, new) for each in kept) if tag is not None]
        gone = sorted((tag for tag in new.tags if tag.state == "departed"), key=lambda tag: (tag.left_ns, tag.serial))
        for tag in gone:
            new.leave(tag, tag.left_ns)
        people = sum(tag.kind == "person" for tag in new.tags)
        return new, (len(new.tags) - people, people, len(kept) - len(new.tags))

    def carry(self, tag: Tag, new: "Oracle") -> Tag | None:
        """The tag as the new engine has it; None where its place is no more."""
        zone_ids = [zone.id for zone in new.layout.zones]
        where = self.layout.zones[tag.zone].id if tag.zone >= 0 else None
        carried = replace(tag, zone=zone_ids.index(where) if where in zone_ids else -1)
        carried.peaks = dict(tag.peaks)
        carried.state = "present" if tag.state == "present" else "departed"
        if tag.kind == "person":
            carried.unseen_card, carried.epc = tag.unseen_card or tag.epc, b""
        wires = [(each.reader_id, each.number, zone_ids[each.zone]) for each in new.layout.antennas]
        carried.places = [None] * len(tag.places)
        for place, slot in enumerate(tag.places):
            if slot is not None:
                old = self.layout.antennas[slot.antenna]
                wire = (old.reader_id, old.number, self.layout.zones[old.zone].id)
                if wire in wires:
                    kept = (slot.last_ns, slot.mean, slot.weight, slot.count)
                    empty = new.empty_slot(carried, wires.index(wire))
                    carried.places[place] = Slot(empty.antenna, empty.zone, empty.age_ns, empty.fade_ns, *kept)
        here = [slot.last_ns for slot in carried.read_slots() if slot.zone == carried.zone]
        carried.place_last_ns = max(here, default=0)
        return carried if here or carried.state == "departed" else None
