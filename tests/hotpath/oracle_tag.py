"""One tag as the slow model remembers it: its antennas' fading means, its two sides of a door, its life so far."""

from dataclasses import dataclass, field

import numpy as np

from edge.presence_model import Direction

SLOTS = 4
MOST_WEIGHT = 20.0
MOST_COUNT = 255
STALE_NS = 5_000_000_000


def stored(value: float) -> float:
    """The value as 32 bits keep it."""
    return float(np.float32(value))


@dataclass
class Slot:
    """One antenna's fading mean.

    A read is fresh for `age_ns`.  Its weight fades to nothing in `fade_ns`; after that a new mean begins.
    """

    antenna: int
    zone: int
    age_ns: int
    fade_ns: int
    last_ns: int = 0
    mean: float = 0.0
    weight: float = 0.0
    count: int = 0

    def add(self, t_ns: int, cdbm: int) -> None:
        d = t_ns - self.last_ns
        if self.count == 0 or d >= self.fade_ns:
            self.last_ns, self.mean, self.weight, self.count = t_ns, stored(cdbm), 1.0, 1
            return
        if d <= -self.fade_ns:
            return
        fading = max(1.0 - abs(d) * (1.0 / self.fade_ns), 0.0)
        if d >= 0:
            weight = min(self.weight * fading, MOST_WEIGHT - 1.0) + 1.0
            self.mean = stored(self.mean + (cdbm - self.mean) / weight)
            self.weight, self.last_ns = stored(weight), t_ns
        else:
            weight = self.weight + fading
            self.mean = stored(self.mean + (cdbm - self.mean) * fading / weight)
            self.weight = stored(min(weight, MOST_WEIGHT))
        self.count = min(self.count + 1, MOST_COUNT)


@dataclass
class Tag:
    """`state`: candidate, present, departed, returning.  EXITING is present at an exit.

    `unseen_card`: of a person restored and not yet read again, the EPC, standing for its hash; such a tag has no `epc`.
    `peaks`: per side of a door the strongest read, as (cdbm, t_ns).
    """

    epc: bytes
    serial: int
    kind: str  # stray, staff, item, person
    garment: bool
    handle: bytes | None
    state: str = "candidate"
    zone: int = -1
    first_zone: int = -1
    first_ns: int = 0
    last_ns: int = 0
    place_last_ns: int = 0
    place_since_ns: int = 0
    left_ns: int = 0
    left_order: int = 0
    reads: int = 0
    place_reads: int = 0
    window_reads: int = 0
    noticed: bool = False
    sold: bool = False
    unseen_card: bytes | None = None
    places: list[Slot | None] = field(default_factory=lambda: [None] * SLOTS)
    peaks: dict[str, tuple[int, int]] = field(default_factory=dict)

    def read_slots(self) -> list[Slot]:
        """Those that hold something, in order of their places."""
        return [slot for slot in self.places if slot is not None]

    def add_sample(self, empty: Slot, t_ns: int, cdbm: int) -> None:
        """To the antenna's slot, else to another that may go, if one may."""
        slot = next((each for each in self.read_slots() if each.antenna == empty.antenna), None)
        if slot is None:
            place = self.place_for_another(empty.zone, t_ns, cdbm)
            if place is None:
                return
            slot = self.places[place] = empty
        slot.add(t_ns, cdbm)

    def place_for_another(self, zone: int, t_ns: int, cdbm: int) -> int | None:
        """The first free place, else the stalest read one, else the weakest; None for a weaker read elsewhere."""
        if None in self.places:
            return self.places.index(None)
        here = [each for each in self.read_slots() if self.state == "present" and each.zone == self.zone]
        kept = max(here, key=lambda each: each.last_ns, default=None)
        others = [each for each in self.read_slots() if each is not kept]
        stalest = min(others, key=lambda each: each.last_ns)
        if t_ns - stalest.last_ns > STALE_NS:
            return self.places.index(stalest)
        weakest = min(others, key=lambda each: each.mean)
        at_home = self.state == "present" and zone == self.zone
        return self.places.index(weakest) if at_home or weakest.mean <= cdbm else None

    def current_cdbm(self, age_ns: int) -> float:
        """The score of the current place: of its antennas that were fresh when the tag was last read there."""
        since_ns = self.place_last_ns - age_ns
        return max(slot.mean for slot in self.read_slots() if slot.zone == self.zone and slot.last_ns > since_ns)

    def keep_peak(self, side: str, t_ns: int, cdbm: int) -> None:
        if side:
            self.peaks[side] = max(self.peaks.get(side, (-(10**9), 0)), (cdbm, t_ns))

    def direction(self) -> Direction | None:
        """Which way the tag passed, by the order of its strongest reads on both sides."""
        if len(self.peaks) < 2 or self.peaks["inside"][1] == self.peaks["outside"][1]:
            return None
        return "in" if self.peaks["inside"][1] > self.peaks["outside"][1] else "out"
