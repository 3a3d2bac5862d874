"""The presence rules, slow and obvious: a dictionary of tags, lists of samples, and a search for the earliest deadline.

It shares with the kernels the order of antennas per tag and the arithmetic of means, and none of their tricks.
"""

from dataclasses import dataclass, field

from edge.presence_model import Layout, PresenceSettings, Profile, Transition, TransitionKind, ZoneSettings

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
SLOTS, SAMPLES = 4, 20


@dataclass(frozen=True)
class OracleRead:
    t_ns: int
    antenna: int
    epc: bytes
    rssi_cdbm: int
    crc_ok: int = -1


@dataclass
class Slot:
    """One antenna's last samples: (t_ns, cdbm)."""

    antenna: int
    zone: int
    samples: list[tuple[int, int]] = field(default_factory=list)

    @property
    def last_ns(self) -> int:
        return max((t for t, _ in self.samples), default=-(10**30))


@dataclass
class Tag:
    epc: bytes
    serial: int
    kind: str  # stray, staff, item, person
    handle: bytes | None
    state: str = "candidate"  # then present, departed, returning
    zone: int = -1
    first_zone: int = -1
    first_ns: int = 0
    last_ns: int = 0
    place_last_ns: int = 0
    left_ns: int = 0
    reads: int = 0
    window_reads: int = 0
    slots: list[Slot] = field(default_factory=list)


def mean(samples: list[tuple[int, int]]) -> float:
    return sum(cdbm for _, cdbm in samples) / len(samples)


class Oracle:
    def __init__(
        self,
        layout: Layout,
        settings: PresenceSettings,
        own_goods: tuple[bytes, ...] | None,
        members: dict[bytes, bytes],
        leased_until_ns: int,
    ) -> None:
        self.layout, self.settings, self.own_goods = layout, settings, own_goods
        self.members, self.leased_until_ns = members, leased_until_ns
        self.tags: dict[bytes, Tag] = {}
        self.now_ns: int | None = None
        self.events: list[Transition] = []
        self.counts = dict.fromkeys(
            ("late", "below_floor", "crc_wrong", "till_ignored", "lease_ignored", "strays_forgotten"), 0
        )
        self._serial = 0

    def rules(self, zone: int) -> ZoneSettings:
        spec = self.layout.zones[zone]
        return spec.settings or self.settings.of_kind(spec.kind)

    def limit_ns(self, tag: Tag) -> int:
        rules = self.rules(tag.zone)
        limit_s = rules.person_departs_s if tag.kind == "person" else rules.item_departs_s
        if self.layout.zones[tag.zone].kind == "exit":
            limit_s = min(limit_s, rules.exit_departs_s)
        return round(limit_s * NS_PER_S)

    def deadline_ns(self, tag: Tag) -> int:
        if tag.state in ("candidate", "returning"):
            return tag.first_ns + self.rules(tag.first_zone).confirm_window_ms * NS_PER_MS
        if tag.state == "present":
            return tag.last_ns + self.limit_ns(tag)
        if tag.kind == "person":
            return tag.last_ns + round(self.settings.person_forgotten_s * NS_PER_S)
        return tag.last_ns + round(self.settings.item_forgotten_days * 86_400 * NS_PER_S)

    # Time

    def expire(self, tag: Tag) -> None:
        due_ns = self.deadline_ns(tag)
        if tag.state == "candidate":
            self.counts["strays_forgotten"] += 1
            del self.tags[tag.epc]
        elif tag.state == "returning":
            self.counts["strays_forgotten"] += 1
            tag.state = "departed"
        elif tag.state == "departed":
            del self.tags[tag.epc]
        else:
            self.depart(tag, due_ns, "exit" if self.layout.zones[tag.zone].kind == "exit" else "timeout")

    def fire_due(self, now_ns: int, seen: Tag | None) -> None:
        while True:
            due = [
                (self.deadline_ns(tag), tag.serial, tag)
                for tag in self.tags.values()
                if self.deadline_ns(tag) < now_ns or (self.deadline_ns(tag) == now_ns and tag is not seen)
            ]
            if not due:
                return
            self.expire(min(due, key=lambda each: each[:2])[2])

    def tick(self, now_ns: int) -> None:
        self.fire_due(now_ns, None)
        self.now_ns = now_ns if self.now_ns is None else max(self.now_ns, now_ns)

    # Reads

    def ignored_for(self, tag: Tag | None, zone: int, t_ns: int) -> str | None:
        if tag is None:
            return None
        if tag.kind == "person" and t_ns >= self.leased_until_ns:
            return "lease_ignored"
        if tag.kind == "item" and tag.state == "candidate" and not self.rules(zone).creates_items:
            return "till_ignored"
        return None

    def read(self, read: OracleRead) -> None:
        antenna = self.layout.antennas[read.antenna]
        t_ns, zone = read.t_ns, antenna.zone
        flaw: str | None = None
        if read.crc_ok == 0:
            flaw = "crc_wrong"
        elif read.rssi_cdbm < round(antenna.floor_dbm * 100):
            flaw = "below_floor"
        tag = None if flaw else self.tags.get(read.epc)
        ignored = flaw or self.ignored_for(tag, zone, t_ns)
        seen = None if ignored else tag
        if self.now_ns is not None and t_ns < self.now_ns:
            self.counts["late"] += 1
            while seen and seen.epc in self.tags and self.deadline_ns(seen) < t_ns:
                self.expire(seen)
        else:
            self.fire_due(t_ns, seen)
            self.now_ns = t_ns
        if not flaw:
            tag = self.tags.get(read.epc)
            ignored = self.ignored_for(tag, zone, t_ns)
        if not ignored and tag is None:
            tag, ignored = self.create(read.epc, zone, t_ns)
        if ignored:
            self.counts[ignored] += 1
        elif tag is not None:
            self.sight(tag, read.antenna, zone, t_ns, read.rssi_cdbm)

    def create(self, epc: bytes, zone: int, t_ns: int) -> tuple[Tag | None, str | None]:
        kind, handle = "stray", None
        if self.own_goods is not None and epc[0] in (0x2E, 0xF5):
            kind = "staff"
        elif epc in self.members and t_ns < self.leased_until_ns:
            kind, handle = "person", self.members[epc]
        elif self.own_goods is None or any(epc.startswith(prefix) for prefix in self.own_goods):
            kind = "item"
        if kind == "item" and not self.rules(zone).creates_items:
            return None, "till_ignored"
        tag = Tag(epc, self._serial, kind, handle, first_ns=t_ns, first_zone=zone, last_ns=t_ns)
        self._serial += 1
        self.tags[epc] = tag
        return tag, None

    def sight(self, tag: Tag, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
        if tag.state == "departed":
            if t_ns <= tag.left_ns:
                return
            tag.state, tag.first_ns, tag.first_zone, tag.window_reads, tag.slots = "returning", t_ns, zone, 0, []
            tag.last_ns = max(tag.last_ns, t_ns)
        if tag.state == "present":
            self.follow(tag, antenna, zone, t_ns, cdbm)
            return
        if t_ns >= tag.first_ns - self.rules(tag.first_zone).confirm_window_ms * NS_PER_MS:
            tag.window_reads += 1
            tag.last_ns = max(tag.last_ns, t_ns)
            self.add_sample(tag, antenna, zone, t_ns, cdbm)
        needed = self.rules(tag.first_zone).confirm_reads
        if tag.kind == "person":
            needed = max(2, needed)
        if tag.kind in ("item", "person") and tag.window_reads >= needed:
            self.confirm(tag, t_ns)

    def add_sample(self, tag: Tag, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
        slot = next((each for each in tag.slots if each.antenna == antenna), None)
        if slot is None and len(tag.slots) < SLOTS:
            slot = Slot(antenna, zone)
            tag.slots.append(slot)
        elif slot is None:
            here = [each for each in tag.slots if tag.state == "present" and each.zone == tag.zone]
            kept = max(here, key=lambda each: each.last_ns, default=None)
            oldest = min((each for each in tag.slots if each is not kept), key=lambda each: each.last_ns)
            slot = Slot(antenna, zone)
            tag.slots[tag.slots.index(oldest)] = slot
        slot.samples = [*slot.samples, (t_ns, cdbm)][-SAMPLES:]

    def confirm(self, tag: Tag, t_ns: int) -> None:
        scores: dict[int, float] = {}
        for slot in tag.slots:
            scores[slot.zone] = max(scores.get(slot.zone, -1e30), mean(slot.samples))
        best = max(scores.values())
        zone = self.first_with(tag, best)
        second = max((score for other, score in scores.items() if other != zone), default=None)
        kind: TransitionKind = "returned" if tag.state == "returning" else "arrived"
        tag.state, tag.zone, tag.reads = "present", zone, tag.window_reads
        tag.place_last_ns = max(slot.last_ns for slot in tag.slots if slot.zone == zone)
        margin = None if second is None else (best - second) / 100
        self.emit(tag, kind, tag.first_ns, max(t_ns, tag.last_ns), tag.window_reads, best / 100, margin)

    @staticmethod
    def first_with(tag: Tag, score: float) -> int:
        """Of zones with the same score, the one whose antenna with that score was seen first."""
        return next(slot.zone for slot in tag.slots if mean(slot.samples) == score)

    def profile(self, tag: Tag) -> Profile:
        rules = self.rules(tag.zone)
        if tag.kind == "person":
            return rules.person
        garment = any(tag.epc.startswith(prefix) for prefix in self.settings.garment_prefixes)
        return rules.garment if garment else rules.item

    def age_ns(self, tag: Tag) -> int:
        return max(self.rules(tag.zone).sample_age_ms, self.profile(tag).holdoff_ms) * NS_PER_MS

    def current_cdbm(self, tag: Tag) -> float:
        since_ns = tag.place_last_ns - self.age_ns(tag)
        return max(mean(slot.samples) for slot in tag.slots if slot.zone == tag.zone and slot.last_ns > since_ns)

    def follow(self, tag: Tag, antenna: int, zone: int, t_ns: int, cdbm: int) -> None:
        tag.reads += 1
        self.add_sample(tag, antenna, zone, t_ns, cdbm)
        newest = t_ns >= tag.last_ns
        tag.last_ns = max(tag.last_ns, t_ns)
        if zone == tag.zone:
            tag.place_last_ns = max(tag.place_last_ns, t_ns)
        elif newest:
            self.challenge(tag, zone, t_ns)

    def challenge(self, tag: Tag, zone: int, t_ns: int) -> None:
        since_ns = t_ns - self.age_ns(tag)
        fresh = [[s for s in slot.samples if s[0] > since_ns] for slot in tag.slots if slot.zone == zone]
        fresh = [samples for samples in fresh if samples]
        count = sum(len(samples) for samples in fresh)
        if count < self.rules(zone).move_min_reads:
            return
        score, current, profile = max(mean(samples) for samples in fresh), self.current_cdbm(tag), self.profile(tag)
        after_ms = (t_ns - tag.place_last_ns - profile.holdoff_ms * NS_PER_MS) / 1e6
        ahead = 100.0 * min(profile.threshold_db, profile.threshold_db + profile.slope_db_per_ms * after_ms)
        if score <= current + ahead:
            return
        left, tag.zone, tag.place_last_ns = tag.zone, zone, t_ns
        for slot in tag.slots:
            if slot.zone == zone:
                slot.samples = [s for s in slot.samples if s[0] > since_ns]
        self.emit(tag, "moved", t_ns, t_ns, count, score / 100, (score - current) / 100, from_zone=left)

    def depart(self, tag: Tag, detected_ns: int, reason: str) -> None:
        self.emit(
            tag, "departed", tag.last_ns, detected_ns, tag.reads, self.current_cdbm(tag) / 100, None, reason=reason
        )
        tag.state, tag.left_ns = "departed", detected_ns

    def emit(
        self,
        tag: Tag,
        kind: TransitionKind,
        t_ns: int,
        detected_ns: int,
        reads: int,
        rssi_dbm: float,
        margin_db: float | None,
        *,
        from_zone: int | None = None,
        reason: str | None = None,
    ) -> None:
        person = tag.kind == "person"
        self.events.append(
            Transition(
                kind, person, tag.epc, tag.handle if person else None, tag.zone, from_zone, t_ns, detected_ns,
                tag.last_ns, reads, rssi_dbm, margin_db, reason,
            )
        )  # fmt: skip

    def set_members(self, members: dict[bytes, bytes], leased_until_ns: int) -> None:
        self.members, self.leased_until_ns = members, leased_until_ns
        for tag in sorted(self.tags.values(), key=lambda each: each.serial):
            if tag.kind != "person":
                continue
            if members.get(tag.epc) == tag.handle:
                continue
            if tag.state == "present":
                assert self.now_ns is not None
                self.depart(tag, max(self.now_ns, tag.last_ns), "withdrawn")
            del self.tags[tag.epc]
