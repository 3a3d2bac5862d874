"""The floor plan of the benchmark's store: 35 zones on 36 x 20 m, 71 antennas on 18 readers.

Metres; x along the front, y from the front (0) to the back (20).  Row by row:

    y 16..20   shelves 10..13 | fitting rooms 1..4 (2 m each) | stock 1, 2 | desk
    y 12..16   aisles 4, 5, 6
    y  8..12   shelves 1..9
    y  4..8    aisles 1, 2, 3
    y  0..4    door 1 | floor 7 | exit 1 | tills 1..3 | exit 2 | floor 8 | door 2     (doors and exits reach out to y -1.5)
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from broker_config.site import ZoneKind
from edge.presence_model import Antenna, Layout, ZoneSpec

CELL_M = 4.0
OUTSIDE_M = 1.5
"""How far the footprint of a door or an exit reaches out of the building."""
AWAY = -1
"""The zone of whoever is nowhere in the store."""
CEILING_M, RACK_M = 2.2, 1.6
"""How high antennas hang above the tags: from the ceiling, and over a rack, desk or till."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A rectangle of the floor.

    Args:
        kind: as in a site file.
        goods: how many rest here when the store opens.
    """

    id: str
    kind: ZoneKind
    left: float
    bottom: float
    right: float
    top: float
    goods: int = 0

    @property
    def middle(self) -> tuple[float, float]:
        """Of the part inside the building."""
        return (self.left + self.right) / 2, (max(self.bottom, 0.0) + self.top) / 2


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an antenna hangs, `above_m` over the tags, looking down."""

    reader: int
    port: int
    zone: int
    x: float
    y: float
    above_m: float


@dataclass(frozen=True)
class Plan:
    """The store's zones and antennas."""

    zones: tuple[Zone, ...]
    spots: tuple[Spot, ...]

    @property
    def layout(self) -> Layout:
        """The same for an engine: what an installer writes down, and nothing of the radio."""
        antennas = tuple(Antenna(f"reader-{spot.reader}", spot.port, spot.zone) for spot in self.spots)
        return Layout(antennas, tuple(ZoneSpec(zone.id, zone.kind) for zone in self.zones))

    def of_kind(self, *kinds: ZoneKind) -> list[int]:
        """Indices of the zones of these kinds."""
        return [index for index, zone in enumerate(self.zones) if zone.kind in kinds]

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        return np.array([(zone.left, zone.bottom, zone.right, zone.top) for zone in self.zones]).T

    def zone_at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int16]:
        """The truth of "in a zone": the zone whose rectangle is nearest to the tag's bearer; AWAY outside the footprints.

        The rectangles tile the building, so inside it the nearest is the one that holds the point.  The radio has no say.
        """
        left, bottom, right, top = self._edges
        dx = np.maximum(np.maximum(left - x[..., None], x[..., None] - right), 0)
        dy = np.maximum(np.maximum(bottom - y[..., None], y[..., None] - top), 0)
        distance = np.hypot(dx, dy)
        nearest = distance.argmin(axis=-1).astype(np.int16)
        away = (y < 0) & (distance.min(axis=-1) > 0)
        nearest[away] = AWAY
        return nearest


def make_plan(*, dense_goods: int = 300, shelf_goods: int = 60, stock_goods: int = 120) -> Plan:
    """The store; shelves 2, 5 and 11 are the dense ones.

    Args:
        dense_goods, shelf_goods, stock_goods: tags at each dense shelf, other shelf, stock room.
    """
    zones = [*_front(), *_aisles(1, 4.0), *_shelves(1, 9, 8.0, dense_goods, shelf_goods), *_aisles(4, 12.0)]
    zones += _shelves(10, 13, 16.0, dense_goods, shelf_goods)
    zones += [Zone(f"fitting-{n + 1}", "fitting-room", 16 + 2 * n, 16, 18 + 2 * n, 20) for n in range(4)]
    zones += [Zone(f"stock-{n + 1}", "stock", 24 + 4 * n, 16, 28 + 4 * n, 20, stock_goods) for n in range(2)]
    zones.append(Zone("desk", "desk", 32, 16, 36, 20))
    return Plan(tuple(zones), _spots(zones))


def _front() -> list[Zone]:
    kinds: tuple[tuple[str, ZoneKind], ...] = (
        ("door-1", "door"), ("floor-7", "floor"), ("exit-1", "exit"), ("till-1", "till"), ("till-2", "till"),
        ("till-3", "till"), ("exit-2", "exit"), ("floor-8", "floor"), ("door-2", "door"),
    )  # fmt: skip
    zones = []
    for column, (name, kind) in enumerate(kinds):
        bottom = -OUTSIDE_M if kind in ("door", "exit") else 0.0
        zones.append(Zone(name, kind, column * CELL_M, bottom, (column + 1) * CELL_M, CELL_M))
    return zones


def _aisles(first: int, bottom: float) -> list[Zone]:
    return [Zone(f"aisle-{first + n}", "floor", 12 * n, bottom, 12 * (n + 1), bottom + CELL_M) for n in range(3)]


def _shelves(first: int, last: int, bottom: float, dense_goods: int, shelf_goods: int) -> list[Zone]:
    return [
        Zone(
            f"shelf-{number}", "shelf", (number - first) * CELL_M, bottom, (number - first + 1) * CELL_M, bottom + CELL_M,
            dense_goods if number in (2, 5, 11) else shelf_goods,
        )
        for number in range(first, last + 1)
    ]  # fmt: skip


def _spots(zones: list[Zone]) -> tuple[Spot, ...]:
    """Antennas in order of their zones, four to a reader."""
    places: list[tuple[int, float, float, float]] = []
    for index, zone in enumerate(zones):
        places += [(index, *place) for place in _places(zone)]
    return tuple(Spot(n // 4, n % 4 + 1, *place) for n, place in enumerate(places))


def _places(zone: Zone) -> list[tuple[float, float, float]]:
    x, y = zone.middle
    match zone.kind:
        case "door" | "exit":
            return [(x, 0.5, CEILING_M), (x, 3.0, CEILING_M)]
        case "shelf" if zone.goods > 100:
            return [(x + dx, y + dy, RACK_M) for dx in (-0.7, 0.7) for dy in (-0.7, 0.7)]
        case "shelf" | "stock":
            return [(x - 0.7, y, RACK_M), (x + 0.7, y, RACK_M)]
        case "floor" if zone.right - zone.left > CELL_M:
            return [(x + dx, y, CEILING_M) for dx in (-4.0, 0.0, 4.0)]
        case "till" | "fitting-room" | "desk":
            return [(x, y, RACK_M)]
    return [(x, y, CEILING_M)]
