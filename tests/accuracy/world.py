"""What really happens in the store: who walks where, and which tag is with whom or on which shelf, in steps of 0.2 s.

Nothing here knows of radio.  The paths are believable rather than true: shoppers come in by a door, look along shelves,
pick goods, some try them on, put some back (a few on the wrong shelf), pay at a till and leave by an exit; who bought
nothing leaves by a door.  Staff carry goods from the stock rooms to shelves.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tests.accuracy.plan import AWAY, Plan

STEP_S = 0.2
FAR_M = 12.0
"""So far outside the doors people come from and vanish to."""
CARD, ITEM, STRAY, STAFF = range(4)
CARD_HEADER, STAFF_HEADER, STRAY_PREFIX = (
    bytes.fromhex("2d14257bf4"),
    bytes.fromhex("2e14257bf4"),
    bytes.fromhex("e280116060"),
)
ITEM_PREFIX = bytes.fromhex("3034257bf4")
MEMBERS = 2048
"""Cards given out, in one run of serial numbers: a flipped bit of a card is often another member's."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A tag is with a walker (`walker` >= 0), or rests at (x, y), from step `start` up to but not including `stop`."""

    tag: int
    start: int
    stop: int
    walker: int
    x: float = 0.0
    y: float = 0.0


@dataclass(slots=True)
class Walker:
    """A person: positions and headings per step, from step `start`."""

    start: int
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    heading: NDArray[np.float64]

    @property
    def stop(self) -> int:
        return self.start + len(self.x)


@dataclass(slots=True)
class World:
    """A whole run.

    Args:
        epc: 12 bytes for each tag.
        kind: for each tag CARD, ITEM, STRAY or STAFF.
    """

    plan: Plan
    steps: int
    epc: list[bytes] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    walkers: list[Walker] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)

    def add_tag(self, kind: int, serial: int) -> int:
        """A new tag's number."""
        prefix = (CARD_HEADER, ITEM_PREFIX, STRAY_PREFIX, STAFF_HEADER)[kind]
        self.epc.append(prefix + serial.to_bytes(7, "big"))
        self.kind.append(kind)
        return len(self.epc) - 1

    def truth(self) -> list[list[tuple[int, float, float]]]:
        """For each tag its stays in zones, (zone, from s, to s), in order and without gaps of absence inside a stay."""
        found: list[list[tuple[int, float, float]]] = [[] for _ in self.epc]
        zones = [self.plan.zone_at(walker.x, walker.y) for walker in self.walkers]
        for stay in sorted(self.stays, key=lambda each: (each.tag, each.start)):
            if stay.walker < 0:
                here = self.plan.zone_at(np.array([stay.x]), np.array([stay.y]))
                runs = [(int(here[0]), stay.start, stay.stop)]
            else:
                begin = self.walkers[stay.walker].start
                runs = _runs(zones[stay.walker][stay.start - begin : stay.stop - begin], stay.start)
            for zone, start, stop in runs:
                if zone != AWAY:
                    _append(found[stay.tag], zone, start * STEP_S, stop * STEP_S)
        return found


def _runs(zones: NDArray[np.int16], first: int) -> list[tuple[int, int, int]]:
    cuts = np.flatnonzero(np.diff(zones)) + 1
    edges = [0, *cuts.tolist(), len(zones)]
    return [(int(zones[a]), first + a, first + b) for a, b in pairwise(edges) if b > a]


def _append(stays: list[tuple[int, float, float]], zone: int, start: float, stop: float) -> None:
    if stays and stays[-1][0] == zone and stays[-1][2] == start:
        start = stays.pop()[1]
    stays.append((zone, start, stop))


@dataclass(slots=True)
class _Trip:
    """A person's walk while it is being made up."""

    now_s: float
    at: tuple[float, float]
    speed_m_s: float
    points: list[tuple[float, float, float]] = field(default_factory=list)

    def walk(self, x: float, y: float) -> None:
        distance = float(np.hypot(x - self.at[0], y - self.at[1]))
        self.now_s += distance / self.speed_m_s
        self.at = (x, y)
        self.points.append((self.now_s, x, y))

    def stand(self, seconds: float) -> None:
        self.now_s += seconds
        self.points.append((self.now_s, *self.at))


@dataclass(frozen=True, slots=True)
class Crowd:
    """How busy the store is.

    Args:
        every_s: a shopper comes in about so often.
        card_share: of the shoppers, those with a member's card.
        looks: shelves a shopper visits, at least and at most.
        restock_every_s: staff bring three things from the stock to a shelf about so often.
    """

    every_s: float = 10.0
    card_share: float = 0.7
    looks: tuple[int, int] = (2, 6)
    restock_every_s: float = 60.0


class Author:
    """Makes up a run from a seed."""

    def __init__(self, plan: Plan, seconds: float, rng: np.random.Generator, crowd: Crowd | None = None) -> None:
        self.world = World(plan, round(seconds / STEP_S))
        self._plan, self._rng, self._crowd = plan, rng, crowd or Crowd()
        self._on_shelf: dict[int, list[int]] = {}
        self._resting: dict[int, tuple[int, float, float]] = {}
        self._cards = rng.permutation(MEMBERS).tolist()
        self._happenings: list[tuple[float, int, str, int, int]] = []

    def write(self) -> World:
        """The whole run."""
        for zone, spec in enumerate(self._plan.zones):
            for _ in range(spec.goods):
                self._lay(self.world.add_tag(ITEM, len(self.world.epc)), zone, 0)
        trips = [(at_s, "shopper") for at_s in self._times(self._crowd.every_s)]
        trips += [(at_s, "staff") for at_s in self._times(self._crowd.restock_every_s)]
        for at_s, who in sorted(trips):
            if who == "staff":
                self._restock(at_s)
            else:
                self._shop(at_s)
        for tag, (start, x, y) in self._resting.items():
            self._rest_until(tag, start, self.world.steps, x, y)
        self.world.stays.sort(key=lambda stay: stay.start)
        return self.world

    def _times(self, every_s: float) -> list[float]:
        gaps = self._rng.exponential(every_s, round(3 * self.world.steps * STEP_S / every_s) + 10)
        at_s = np.cumsum(gaps) + 5.0
        return [float(t) for t in at_s if t < self.world.steps * STEP_S - 5.0]

    def _lay(self, tag: int, zone: int, step: int) -> None:
        """Put a thing on a rack: within 1.2 m of the cell's middle."""
        x, y = self._plan.zones[zone].middle
        dx, dy = self._rng.uniform(-1.2, 1.2, 2)
        self._resting[tag] = (step, x + dx, y + dy)
        self._on_shelf.setdefault(zone, []).append(tag)

    def _rest_until(self, tag: int, start: int, stop: int, x: float, y: float) -> None:
        stop = min(stop, self.world.steps)
        if start < stop:
            self.world.stays.append(Stay(tag, start, stop, -1, x, y))

    def _shop(self, at_s: float) -> None:
        rng = self._rng
        card = (
            self.world.add_tag(CARD, self._cards.pop())
            if rng.random() < self._crowd.card_share and self._cards
            else None
        )
        coat = self.world.add_tag(STRAY, len(self.world.epc))
        door = int(rng.choice(self._plan.of_kind("door")))
        x, _ = self._plan.zones[door].middle
        x += rng.uniform(-1, 1)
        trip = _Trip(at_s, (x, -FAR_M), rng.uniform(0.8, 1.4), [(at_s, x, -FAR_M)])
        trip.walk(x, 2.0)
        held: list[tuple[int, int]] = []
        grabs: list[tuple[int, int, int]] = []
        for shelf in self._choose_shelves():
            self._go(trip, shelf)
            trip.stand(rng.uniform(4, 20))
            if rng.random() < 0.5:
                held += self._pick(trip, shelf)
            trip.stand(rng.uniform(2, 25))
        if held and rng.random() < 0.5:
            self._try_on(trip, held, grabs)
        if held:
            self._go(trip, int(rng.choice(self._plan.of_kind("till"))))
            trip.stand(rng.uniform(15, 50))
            self._go(trip, int(rng.choice(self._plan.of_kind("exit"))))
        else:
            self._go(trip, int(rng.choice(self._plan.of_kind("door"))))
        trip.walk(trip.at[0], -FAR_M)
        self._finish(trip, [tag for tag in (card, coat) if tag is not None], held, grabs)

    def _choose_shelves(self) -> list[int]:
        low, high = self._crowd.looks
        shelves = self._plan.of_kind("shelf")
        count = int(self._rng.integers(low, high + 1))
        chosen = self._rng.choice(shelves, min(count, len(shelves)), replace=False)
        return [int(zone) for zone in chosen]

    def _pick(self, trip: _Trip, zone: int) -> list[tuple[int, int]]:
        """Take one thing that already lies there, if any does; returns it and the step."""
        step = round(trip.now_s / STEP_S)
        there = [tag for tag in self._on_shelf.get(zone, []) if self._resting[tag][0] < step]
        if not there:
            return []
        tag = int(self._rng.choice(there))
        self._on_shelf[zone].remove(tag)
        start, x, y = self._resting.pop(tag)
        self._rest_until(tag, start, step, x, y)
        return [(tag, step)]

    def _try_on(self, trip: _Trip, held: list[tuple[int, int]], grabs: list[tuple[int, int, int]]) -> None:
        rng = self._rng
        self._go(trip, int(rng.choice(self._plan.of_kind("fitting-room"))))
        trip.stand(rng.uniform(40, 120))
        for tag, since in list(held):
            if rng.random() < 0.4:  # not wanted: back to some shelf, a third of the time to its own
                shelf = int(rng.choice(self._plan.of_kind("shelf")))
                self._go(trip, shelf)
                trip.stand(rng.uniform(2, 6))
                held.remove((tag, since))
                step = round(trip.now_s / STEP_S)
                grabs.append((tag, since, step))
                self._lay(tag, shelf, step)
                trip.stand(rng.uniform(1, 4))

    def _restock(self, at_s: float) -> None:
        """Staff bring three things from a stock room to a shelf, and go back."""
        rng = self._rng
        stock = int(rng.choice(self._plan.of_kind("stock")))
        badge = self.world.add_tag(STAFF, len(self.world.epc))
        x, y = self._plan.zones[stock].middle
        trip = _Trip(at_s, (x, y), 1.2, [(at_s, x, y)])
        trip.stand(5.0)
        held = [each for _ in range(3) for each in self._pick(trip, stock)]
        shelf = int(rng.choice(self._plan.of_kind("shelf")))
        self._go(trip, shelf)
        trip.stand(8.0)
        step = round(trip.now_s / STEP_S)
        for tag, _ in held:
            self._lay(tag, shelf, step)
        grabs = [(tag, since, step) for tag, since in held]
        trip.stand(4.0)
        self._go(trip, stock)
        trip.stand(5.0)
        self._finish(trip, [badge], [], grabs)

    def _go(self, trip: _Trip, zone: int) -> None:
        """Walk to a place in a zone along the aisles, at y 6 and y 14, changing between them at one end."""
        spec = self._plan.zones[zone]
        x, y = spec.middle
        reach = min(1.3, (spec.right - spec.left) / 2 - 0.6)
        x += self._rng.uniform(-reach, reach)
        y += self._rng.uniform(-1.3, 1.3) if spec.kind in ("shelf", "stock", "desk") else self._rng.uniform(-0.6, 0.6)
        here, there = _aisle_of(trip.at[1]), _aisle_of(y)
        from_between, to_between = 8 <= trip.at[1] < 12, 8 <= y < 12  # shelves 1..9 open on both aisles
        if here == there or to_between:
            trip.walk(trip.at[0], here)
            trip.walk(x, here)
        elif from_between:
            trip.walk(trip.at[0], there)
            trip.walk(x, there)
        else:
            side = float(self._rng.choice([0.8, 35.2]))
            trip.walk(trip.at[0], here)
            trip.walk(side, here)
            trip.walk(side, there)
            trip.walk(x, there)
        trip.walk(x, y)

    def _finish(
        self, trip: _Trip, worn: list[int], held: list[tuple[int, int]], grabs: list[tuple[int, int, int]]
    ) -> None:
        """Turn the trip into steps, and the things carried into stays."""
        world, number = self.world, len(self.world.walkers)
        times, xs, ys = (np.array(column) for column in zip(*trip.points, strict=True))
        start = round(times[0] / STEP_S)
        at = np.arange(start, round(times[-1] / STEP_S) + 1) * STEP_S
        x, y = np.interp(at, times, xs), np.interp(at, times, ys)
        inside = at < world.steps * STEP_S
        x, y = x[inside], y[inside]
        world.walkers.append(Walker(start, x, y, self._headings(x, y)))
        stop = start + len(x)
        for tag, since, until in [(tag, start, stop) for tag in worn] + [(tag, s, stop) for tag, s in held] + grabs:
            if since < min(until, stop):
                world.stays.append(Stay(tag, since, min(until, stop), number))

    def _headings(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """The way a person looks: along the walk; who stands turns a little, and to another side now and then."""
        if len(x) < 2:
            return np.zeros(len(x))
        dx, dy = np.gradient(x), np.gradient(y)
        moving = np.hypot(dx, dy) > 0.02
        last = np.maximum.accumulate(np.where(moving, np.arange(len(x)), 0))
        turns = np.cumsum(np.where(self._rng.random(len(x)) < STEP_S / 8, self._rng.normal(0, 1.2, len(x)), 0.0))
        return np.arctan2(dy[last], dx[last]) + np.where(moving, 0.0, turns - turns[last])


def _aisle_of(y: float) -> float:
    return 6.0 if y < 10 else 14.0


def make_world(plan: Plan, seconds: float, seed: int, crowd: Crowd | None = None) -> World:
    """A run of so many seconds; one seed is one story."""
    return Author(plan, seconds, np.random.default_rng([seed, 1]), crowd).write()
