"""A shelf on a load cell: goods lie on it, and its reading settles after each change."""

import math
import random
from dataclasses import dataclass, field

from simulators.scene_file import Goods, Metres

NOISE_TIME_NS = 50_000_000  # the cell's own sampling: within it, two readings are the same one
SWING_HZ = 6.0
SWING_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class LoadReading:
    """What a load cell says now."""

    grams: float
    stable: bool


@dataclass(slots=True)
class LoadCell:
    """Goes from the old weight to the new one with a short swing; dynamic for `settle_s` after each change, then stable."""

    noise_g: float
    settle_s: float
    rng: random.Random
    grams: float = 0.0
    _from_g: float = 0.0
    _changed_ns: int = -(10**18)
    _sampled_ns: int = -1
    _noise_g: float = 0.0

    def change_to(self, grams: float, now_ns: int) -> None:
        """The load is another from now on."""
        self._from_g = self._settling(now_ns)
        self.grams, self._changed_ns = grams, now_ns

    def reading(self, now_ns: int) -> LoadReading:
        """What the cell says at `now_ns`."""
        sample = now_ns // NOISE_TIME_NS
        if sample != self._sampled_ns:
            self._sampled_ns, self._noise_g = sample, self.rng.gauss(0.0, self.noise_g)
        stable = now_ns - self._changed_ns >= self.settle_s * 1e9
        return LoadReading(self._settling(now_ns) + self._noise_g, stable)

    def _settling(self, now_ns: int) -> float:
        since_s = (now_ns - self._changed_ns) / 1e9
        if since_s >= self.settle_s:
            return self.grams
        decay = math.exp(-5 * since_s / self.settle_s)
        swing = 1 + SWING_SHARE * math.sin(2 * math.pi * SWING_HZ * since_s)
        return self.grams + (self._from_g - self.grams) * decay * swing


@dataclass(slots=True)
class StockedShelf:
    """A shelf with what lies on it.  Without a scale, `cell` is None."""

    id: str
    at: Metres
    tare_g: float
    cell: LoadCell | None = None
    goods: list[Goods] = field(default_factory=list)
    changed_ns: int = -(10**18)

    def add(self, item: Goods, now_ns: int) -> None:
        """Lay an item on the shelf."""
        self.goods.append(item)
        self._changed(now_ns)

    def take(self, item: Goods, now_ns: int) -> None:
        """Take an item off the shelf."""
        self.goods.remove(item)
        self._changed(now_ns)

    @property
    def grams(self) -> float:
        """What lies on the cell."""
        return self.tare_g + sum(item.grams for item in self.goods)

    def _changed(self, now_ns: int) -> None:
        self.changed_ns = now_ns
        if self.cell is not None:
            self.cell.change_to(self.grams, now_ns)
