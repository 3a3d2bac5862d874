"""A shelf with two articles, acted out in time."""

from dataclasses import dataclass, field
from random import Random

from edge.presence_model import PresentTag
from edge.shelf import ShelfChange, ShelfFusion
from edge.shelf_fit import Article
from edge.shelf_watch import gtin_of

TRAIL = Article("00614141008124", 300, 15)
ROAD = Article("00614141008131", 240, 15)
TRAILS = [bytes.fromhex(f"3034257bf400cb00000000{n:02d}") for n in range(1, 5)]
ROADS = [bytes.fromhex(f"3034257bf400cb40000000{n:02d}") for n in range(1, 5)]
MS = 1_000_000
READ_EVERY_MS, WEIGH_EVERY_MS, LOOK_EVERY_MS = 80, 100, 100


@dataclass
class Shelf:
    """A shelf acted out in time: tags are read, the pan is weighed, the fusion looks."""

    noise_g: float = 0.0
    seed: int = 1
    on_pan_g: float = 0.0
    now_ms: int = 0
    readable: set[bytes] = field(default_factory=set)
    changes: list[ShelfChange] = field(default_factory=list)
    tags: dict[bytes, PresentTag] = field(default_factory=dict)
    moving: bool = False

    def __post_init__(self) -> None:
        self.fusion = ShelfFusion([TRAIL, ROAD], gtin_of)
        self.chance = Random(self.seed)

    def hold(self, *epcs: bytes) -> None:
        """Put things there before anybody looks."""
        for epc in epcs:
            self.readable.add(epc)
            self.on_pan_g += grams(epc)
        self.run(3000)
        assert self.changes == []

    def run(self, ms: int) -> "Shelf":
        for _ in range(0, ms, 20):
            self.now_ms += 20
            if self.now_ms % READ_EVERY_MS == 0:
                for epc in self.readable:
                    self._read(epc)
            if self.now_ms % WEIGH_EVERY_MS == 0:
                noise = self.chance.uniform(-self.noise_g, self.noise_g)
                wild = self.chance.uniform(-200, 200) if self.moving else 0.0
                self.fusion.weigh(self.on_pan_g + noise + wild, self.now_ms * MS, stable=not self.moving)
            if self.now_ms % LOOK_EVERY_MS == 40:
                self.fusion.see(list(self.tags.values()), self.now_ms * MS)
                self.changes += self.fusion.tick(self.now_ms * MS)
        return self

    def _read(self, epc: bytes) -> None:
        before = self.tags.get(epc)
        if before is None:
            self.tags[epc] = PresentTag(epc, self.now_ms * MS, 1, self.now_ms * MS, None)
        else:
            arrived_ns, reads = before.arrived_ns, before.reads + 1
            self.tags[epc] = PresentTag(epc, self.now_ms * MS, reads, arrived_ns, READ_EVERY_MS * MS)

    def said(self) -> list[tuple[object, ...]]:
        return [(each.kind, each.epc, each.gtin, each.quantity) for each in self.changes]


def grams(epc: bytes) -> float:
    return TRAIL.unit_g if epc in TRAILS else ROAD.unit_g


def stocked(**how: object) -> Shelf:
    shelf = Shelf(**how)  # type: ignore[arg-type]
    shelf.hold(*TRAILS)
    return shelf
