"""The rule that the fading mean replaced: the last 20 signals of at most 4 antennas per tag, each with its time.

Kept to show that the fading mean is no worse.  Trimmed from the slow model that the kernels were held to before: the
confirmation, places and time-outs of cards and goods, one tag at a time; no members, tills or sold goods.  The least recently
read antenna makes room; only a challenger's signals age.  Source: the published profile of EdgeX (see `edgex.py`), with the
challenger's samples limited in age.
"""

from dataclasses import dataclass, field, replace

from edge.columns import Columns
from edge.presence_model import Layout, PresenceSettings, Profile, ZoneSettings
from tests.accuracy.engine import Change, Row, is_person, rows
from tests.accuracy.plan import AWAY
from tests.accuracy.tacet import limits_of

SLOTS, SAMPLES = 4, 20
MS = 1_000_000


@dataclass(slots=True)
class _Slot:
    antenna: int
    zone: int
    samples: list[tuple[int, float]] = field(default_factory=list)
    last_ns: int = 0

    @property
    def mean(self) -> float:
        return sum(dbm for _, dbm in self.samples) / len(self.samples)

    def add(self, t_ns: int, dbm: float) -> None:
        self.samples = [*self.samples, (t_ns, dbm)][-SAMPLES:]
        self.last_ns = max(self.last_ns, t_ns)


@dataclass(slots=True)
class _Tag:
    person: bool
    first_ns: int
    first_zone: int
    present: bool = False
    zone: int = AWAY
    last_ns: int = 0
    place_last_ns: int = 0
    reads: int = 0
    slots: list[_Slot] = field(default_factory=list)


class TwentySamples:
    """With any settings of the tracker; `fade_ms` and `least_db` mean nothing to it."""

    def __init__(self, layout: Layout, settings: PresenceSettings, name: str = "20 samples") -> None:
        self.name, self.limits = name, limits_of(settings)
        self._zones = [antenna.zone for antenna in layout.antennas]
        self._rules = [zone.settings or settings.of_kind(zone.kind) for zone in layout.zones]
        for index, zone in enumerate(layout.zones):
            if zone.kind == "exit":
                own = self._rules[index]
                cap_s = own.exit_departs_s
                self._rules[index] = replace(
                    own,
                    person_departs_s=min(own.person_departs_s, cap_s),
                    item_departs_s=min(own.item_departs_s, cap_s),
                )
        self._tags: dict[bytes, _Tag] = {}
        self._readers = [antenna.reader_id for antenna in layout.antennas]
        self._silent: dict[int, int] = {}
        self._resumed_ns: dict[int, int] = {}

    def feed(self, columns: Columns, now_ns: int) -> list[Change]:
        changes = []
        for read in rows(columns):
            tag = self._tags.get(read.epc)
            if tag is not None and not tag.present and read.t_ns > self._deadline_ns(tag):
                tag = None
            if tag is None:
                tag = self._tags[read.epc] = _Tag(is_person(read.epc), read.t_ns, self._zones[read.antenna])
            changes += self._sight(tag, read)
        return changes

    def _deadline_ns(self, tag: _Tag) -> int:
        if not tag.present:
            return tag.first_ns + self._rules[tag.first_zone].confirm_window_ms * MS
        rules = self._rules[tag.zone]
        limit_s = rules.person_departs_s if tag.person else rules.item_departs_s
        return max(tag.last_ns, self._resumed_ns.get(tag.zone, 0)) + round(limit_s * 1e9)

    def tick(self, now_ns: int) -> list[Change]:
        changes = []
        for epc, tag in list(self._tags.items()):
            if tag.present and self._silent.get(tag.zone):
                continue
            due_ns = self._deadline_ns(tag)
            if due_ns < now_ns:
                del self._tags[epc]
                if tag.present:
                    changes.append(Change(epc, due_ns, AWAY))
        return changes

    def cover(self, reader_id: str, covered: bool, now_ns: int) -> list[Change]:
        for zone in {zone for zone, reader in zip(self._zones, self._readers, strict=True) if reader == reader_id}:
            self._silent[zone] = self._silent.get(zone, 0) + (-1 if covered else 1)
            self._resumed_ns[zone] = now_ns
        return []

    def _sight(self, tag: _Tag, read: Row) -> list[Change]:
        zone = self._zones[read.antenna]
        tag.reads += 1
        self._add(tag, read, zone)
        newest = read.t_ns >= tag.last_ns
        tag.last_ns = max(tag.last_ns, read.t_ns)
        if not tag.present:
            return self._confirm(tag, read)
        if zone == tag.zone:
            tag.place_last_ns = max(tag.place_last_ns, read.t_ns)
        elif newest and self._wins(tag, zone, read.t_ns):
            return [Change(read.epc, read.t_ns, zone)]
        return []

    def _add(self, tag: _Tag, read: Row, zone: int) -> None:
        slot = next((each for each in tag.slots if each.antenna == read.antenna), None)
        if slot is None:
            slot = _Slot(read.antenna, zone)
            if len(tag.slots) == SLOTS:
                here = [each for each in tag.slots if tag.present and each.zone == tag.zone]
                kept = max(here, key=lambda each: each.last_ns, default=None)
                tag.slots.remove(min((each for each in tag.slots if each is not kept), key=lambda each: each.last_ns))
            tag.slots.append(slot)
        slot.add(read.t_ns, read.rssi_dbm)

    def _confirm(self, tag: _Tag, read: Row) -> list[Change]:
        needed = self._rules[tag.first_zone].confirm_reads
        if tag.reads < (max(2, needed) if tag.person else needed):
            return []
        best = max(tag.slots, key=lambda each: each.mean)
        tag.present, tag.zone = True, best.zone
        tag.place_last_ns = max(each.last_ns for each in tag.slots if each.zone == best.zone)
        return [Change(read.epc, tag.last_ns, best.zone)]

    def _profile(self, tag: _Tag) -> tuple[Profile, ZoneSettings]:
        rules = self._rules[tag.zone]
        return (rules.person if tag.person else rules.item), rules

    def _wins(self, tag: _Tag, zone: int, t_ns: int) -> bool:
        """Whether this zone's fresh signals take the tag over; then they are all that is remembered of it."""
        profile, rules = self._profile(tag)
        age_ns = max(rules.sample_age_ms, profile.holdoff_ms) * MS
        rivals = [slot for slot in tag.slots if slot.zone == zone]
        fresh = [[sample for sample in slot.samples if sample[0] > t_ns - age_ns] for slot in rivals]
        if sum(len(samples) for samples in fresh) < self._rules[zone].move_min_reads:
            return False
        score = max(sum(dbm for _, dbm in samples) / len(samples) for samples in fresh if samples)
        since_ns = tag.place_last_ns - age_ns
        current = max(slot.mean for slot in tag.slots if slot.zone == tag.zone and slot.last_ns > since_ns)
        after_ms = (t_ns - tag.place_last_ns) / MS - profile.holdoff_ms
        if score <= current + min(profile.threshold_db, profile.threshold_db + profile.slope_db_per_ms * after_ms):
            return False
        for slot, samples in zip(rivals, fresh, strict=True):
            slot.samples = samples
            if not samples:
                tag.slots.remove(slot)
        tag.zone, tag.place_last_ns = zone, t_ns
        return True
