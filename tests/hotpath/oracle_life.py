"""The slow model's rules: deadlines, candidacy, place, departure.  No trick, only lists and searches."""

from dataclasses import dataclass, fields

from edge.presence_model import (
    Counters,
    Direction,
    Layout,
    PresenceSettings,
    Profile,
    Transition,
    TransitionKind,
    ZoneSettings,
)
from tests.hotpath.oracle_tag import Slot, Tag

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NEVER = 1 << 70
COUNTED = tuple(each.name for each in fields(Counters) if each.name != "rebuilds")
"""All counters but that of the index's rebuilds, which depends on the seed."""


@dataclass(frozen=True)
class Evidence:
    """What a tag's slots say at its confirmation."""

    zone: int
    score: float
    margin_db: float | None
    reads: int
    last_ns: int


class Life:
    """The engine's whole state, and what its tags go through."""

    def __init__(
        self, layout: Layout, settings: PresenceSettings, own_goods: tuple[bytes, ...] | None, capacity: int = 64
    ) -> None:
        self.layout, self.settings, self.own_goods, self.capacity = layout, settings, own_goods, capacity
        self.members: dict[bytes, bytes] = {}
        self.leased_until_ns = -NEVER
        self.tags: list[Tag] = []  # in order of their serials
        self.now_ns: int | None = None
        self.events: list[Transition] = []
        self.counts = dict.fromkeys(COUNTED, 0)
        self.lost_readers: set[str] = set()
        self.resumed_ns = [-NEVER] * len(layout.zones)
        self.next_serial = 0
        self.departures = 0
        self.reached: set[str] = set()  # what no event or counter shows

    # Rules

    def rules(self, zone: int) -> ZoneSettings:
        spec = self.layout.zones[zone]
        return spec.settings or self.settings.of_kind(spec.kind)

    def profile(self, tag: Tag, zone: int) -> Profile:
        rules = self.rules(zone)
        if tag.kind == "person":
            return rules.person
        return rules.garment if tag.garment else rules.item

    def age_ns(self, tag: Tag, zone: int) -> int:
        """How long a read of the tag is fresh in a zone."""
        return max(self.rules(zone).sample_age_ms, self.profile(tag, zone).holdoff_ms) * NS_PER_MS

    def empty_slot(self, tag: Tag, antenna: int) -> Slot:
        zone = self.layout.antennas[antenna].zone
        return Slot(antenna, zone, self.age_ns(tag, zone), self.rules(zone).fade_ms * NS_PER_MS)

    def is_silent(self, zone: int) -> bool:
        return any(each.zone == zone and each.reader_id in self.lost_readers for each in self.layout.antennas)

    def limit_ns(self, tag: Tag) -> int:
        rules = self.rules(tag.zone)
        limit_s = rules.person_departs_s if tag.kind == "person" else rules.item_departs_s
        if self.layout.zones[tag.zone].kind == "exit":
            limit_s = min(limit_s, rules.exit_departs_s)
        return round(limit_s * NS_PER_S)

    def deadline_ns(self, tag: Tag) -> int:
        if tag.state in ("candidate", "returning"):
            return tag.first_ns + self.rules(tag.first_zone).confirm_window_ms * NS_PER_MS
        if tag.state == "departed" and tag.kind == "person":
            return tag.last_ns + round(self.settings.person_forgotten_s * NS_PER_S)
        if tag.state == "departed":
            return tag.last_ns + round(self.settings.item_forgotten_days * 86_400 * NS_PER_S)
        if self.is_silent(tag.zone):
            return NEVER
        return max(tag.last_ns, self.resumed_ns[tag.zone]) + self.limit_ns(tag)

    # Deadlines

    def expire(self, tag: Tag) -> None:
        due_ns = self.deadline_ns(tag)
        if tag.state == "candidate":
            self.counts["strays_forgotten"] += 1
            self.tags.remove(tag)
        elif tag.state == "returning":
            self.counts["strays_forgotten"] += 1
            tag.state = "departed"
        elif tag.state == "departed":
            self.counts["forgotten"] += 1
            self.tags.remove(tag)
        else:
            self.depart(tag, due_ns, "exit" if self.layout.zones[tag.zone].kind == "exit" else "timeout")

    def fire_due(self, now_ns: int, seen: Tag | None = None) -> None:
        while True:
            dues = [(self.deadline_ns(tag), tag.serial, tag) for tag in self.tags]
            dues = [each for each in dues if each[0] < now_ns or (each[0] == now_ns and each[2] is not seen)]
            if not dues:
                return
            self.expire(min(dues, key=lambda each: each[:2])[2])

    # A tag's life

    def begin_candidacy(self, tag: Tag, zone: int, t_ns: int) -> None:
        tag.first_ns, tag.first_zone, tag.window_reads = t_ns, zone, 0
        tag.places, tag.peaks = [None] * len(tag.places), {}
        self.counts["candidates"] += 1
        self.counts["strays"] += tag.kind == "stray"
        self.counts["staff"] += tag.kind == "staff"

    def sight(self, tag: Tag, antenna: int, t_ns: int, cdbm: int) -> None:
        zone, side = self.layout.antennas[antenna].zone, self.layout.antennas[antenna].side
        if tag.state == "present":
            tag.keep_peak(side, t_ns, cdbm)
            self.follow(tag, antenna, t_ns, cdbm)
            return
        if tag.state == "departed":
            if t_ns <= tag.left_ns:
                return
            tag.state = "returning"
            self.begin_candidacy(tag, zone, t_ns)
        if t_ns >= tag.first_ns - self.rules(tag.first_zone).confirm_window_ms * NS_PER_MS:
            tag.window_reads += 1
            tag.last_ns = max(tag.last_ns, t_ns)
            tag.keep_peak(side, t_ns, cdbm)
            tag.add_sample(self.empty_slot(tag, antenna), t_ns, cdbm)
        needed = self.rules(tag.first_zone).confirm_reads
        if tag.kind == "person":
            needed = max(2, needed)
        if tag.kind in ("item", "person") and tag.window_reads >= needed:
            self.confirm(tag)

    def weigh(self, tag: Tag) -> Evidence:
        """The best place of all that the tag was read at; of equals the first slot's."""
        slots = tag.read_slots()
        best = max(slots, key=lambda slot: slot.mean)
        here = [slot for slot in slots if slot.zone == best.zone]
        second = max((slot.mean for slot in slots if slot.zone != best.zone), default=None)
        margin_db = None if second is None else (best.mean - second) / 100
        reads, last_ns = sum(slot.count for slot in here), max(slot.last_ns for slot in here)
        return Evidence(best.zone, best.mean, margin_db, reads, last_ns)

    def settle(self, tag: Tag, zone: int, since_ns: int, last_ns: int, reads: int) -> None:
        """The tag is at a place from now on."""
        tag.state, tag.zone, tag.noticed = "present", zone, False
        tag.place_since_ns, tag.place_last_ns, tag.place_reads = since_ns, last_ns, reads

    def confirm(self, tag: Tag) -> None:
        evidence, detected_ns, returned = self.weigh(tag), tag.last_ns, tag.state == "returning"
        known = None if returned else self.restored_record_of(tag)
        if known is not None and self.go_on(known, tag, evidence):
            return
        if known is not None:
            tag, returned = known, True
        self.settle(tag, evidence.zone, tag.first_ns, evidence.last_ns, evidence.reads)
        tag.reads = tag.window_reads
        self.counts["returned" if returned else "arrived"] += 1
        self.emit(
            tag, "returned" if returned else "arrived", tag.first_ns, detected_ns, tag.window_reads,
            evidence.score, evidence.margin_db,
        )  # fmt: skip

    def restored_record_of(self, candidate: Tag) -> Tag | None:
        if candidate.kind != "person":
            return None
        return next((tag for tag in self.tags if tag.unseen_card == candidate.epc), None)

    def go_on(self, known: Tag, candidate: Tag, evidence: Evidence) -> bool:
        """The record of a person restored after a restart takes over what its card's candidacy found.

        False when it had departed before its candidacy began, and so returns; True when there is nothing more to do: it was
        present, and so has not arrived, or what was read is older than its departure.
        """
        self.tags.remove(candidate)
        known.unseen_card, known.epc, known.handle = None, candidate.epc, candidate.handle
        known.places, known.peaks = candidate.places, candidate.peaks
        detected_ns = candidate.last_ns
        known.last_ns = max(known.last_ns, candidate.last_ns)
        known.first_ns, known.window_reads = candidate.first_ns, candidate.window_reads
        where = "the same place" if known.zone == evidence.zone else "another place"
        self.reached.add(f"{known.state} before the restart, then at {where}")
        if known.state == "departed":
            is_old = known.first_ns <= known.left_ns
            self.reached |= {"departed before the restart, read from before that"} if is_old else set()
            return is_old
        known.reads += candidate.window_reads
        if known.zone == evidence.zone:
            known.place_reads += evidence.reads
            known.place_last_ns = evidence.last_ns
            return True
        left = known.zone
        self.settle(known, evidence.zone, candidate.first_ns, evidence.last_ns, evidence.reads)
        self.move(known, left, detected_ns, candidate.window_reads, evidence.score, evidence.margin_db)
        return True

    def follow(self, tag: Tag, antenna: int, t_ns: int, cdbm: int) -> None:
        """A read of a present tag."""
        zone = self.layout.antennas[antenna].zone
        tag.reads += 1
        tag.add_sample(self.empty_slot(tag, antenna), t_ns, cdbm)
        newest = t_ns >= tag.last_ns
        tag.last_ns = max(tag.last_ns, t_ns)
        if zone == tag.zone:
            tag.place_reads += 1
            tag.place_last_ns = max(tag.place_last_ns, t_ns)
            if newest:
                self.stay(tag, t_ns)
        elif newest:
            self.challenge(tag, zone, t_ns)

    def current_cdbm(self, tag: Tag) -> float:
        return tag.current_cdbm(self.age_ns(tag, tag.zone))

    def stay(self, tag: Tag, t_ns: int) -> None:
        """What becomes of a tag that is still where it was."""
        rules, stayed_ns = self.rules(tag.zone), t_ns - tag.place_since_ns
        limit_s = rules.dwell_s if tag.kind == "person" else rules.sold_after_s
        if tag.noticed or limit_s <= 0 or stayed_ns < round(limit_s * NS_PER_S):
            return
        tag.noticed = True
        if tag.kind == "person":
            self.emit(tag, "dwelled", t_ns, t_ns, tag.place_reads, self.current_cdbm(tag), None)
        else:
            self.counts["sold"] += not tag.sold
            tag.sold = True

    def challenge(self, tag: Tag, zone: int, t_ns: int) -> None:
        """Move the tag to `zone` if its fresh reads there win."""
        age_ns = self.age_ns(tag, zone)
        fresh = [slot for slot in tag.read_slots() if slot.zone == zone and t_ns - slot.last_ns < age_ns]
        count = sum(slot.count for slot in fresh)
        if count < self.rules(zone).move_min_reads:
            return
        score, current = max(slot.mean for slot in fresh), self.current_cdbm(tag)
        profile = self.profile(tag, tag.zone)
        after_ms = (t_ns - tag.place_last_ns - profile.holdoff_ms * NS_PER_MS) / 1e6
        faded_db = profile.threshold_db + profile.slope_db_per_ms * after_ms
        ahead = 100.0 * max(profile.least_db, min(profile.threshold_db, faded_db))
        if score > current + ahead:
            left = tag.zone
            self.settle(tag, zone, t_ns, t_ns, 1)
            self.move(tag, left, t_ns, count, score, (score - current) / 100)

    def move(self, tag: Tag, left: int, t_ns: int, reads: int, score: float, margin_db: float | None) -> None:
        self.counts["moved"] += 1
        direction = self.pass_door(tag, left)
        self.emit(tag, "moved", t_ns, t_ns, reads, score, margin_db, from_zone=left, direction=direction)

    def depart(self, tag: Tag, detected_ns: int, reason: str) -> None:
        self.counts["departed"] += 1
        score, direction = self.current_cdbm(tag), self.pass_door(tag, tag.zone)
        self.emit(tag, "departed", tag.last_ns, detected_ns, tag.reads, score, None, reason=reason, direction=direction)
        self.leave(tag, detected_ns)

    def leave(self, tag: Tag, left_ns: int) -> None:
        tag.state, tag.left_ns, tag.left_order = "departed", left_ns, self.departures
        self.departures += 1

    def pass_door(self, tag: Tag, left: int) -> Direction | None:
        """Which way a tag goes that leaves this zone; None where it is no door."""
        if self.layout.zones[left].kind != "door":
            return None
        direction = tag.direction()
        tag.peaks = {}
        return direction

    def emit(
        self,
        tag: Tag,
        kind: TransitionKind,
        t_ns: int,
        detected_ns: int,
        reads: int,
        cdbm: float,
        margin_db: float | None,
        *,
        from_zone: int | None = None,
        reason: str | None = None,
        direction: Direction | None = None,
    ) -> None:
        person = tag.kind == "person"
        self.events.append(
            Transition(
                kind, person, tag.epc, tag.handle if person else None, tag.zone, from_zone, t_ns, detected_ns,
                tag.last_ns, reads, cdbm / 100, margin_db, reason, tag.serial, direction,
            )
        )  # fmt: skip
