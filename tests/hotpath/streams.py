"""Streams of all that can happen, run through the engine and through the slow model side by side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.presence import Counters, Layout, PresenceSettings, Tracker, Transition
from tests.hotpath.oracle import Oracle, OracleRead
from tests.hotpath.oracle_life import COUNTED
from tests.hotpath.store import FOREVER_NS, KEY, LAYOUT, MEMBERS, OWN, SETTINGS, first_members, table_of, to_columns


@dataclass(frozen=True)
class Tick:
    now_ns: int


@dataclass(frozen=True)
class Members:
    """A table of the first `count` cards, with a lease."""

    count: int
    leased_until_ns: int = FOREVER_NS


@dataclass(frozen=True)
class Coverage:
    reader_id: str
    covered: bool
    now_ns: int


@dataclass(frozen=True)
class Sold:
    epcs: tuple[bytes, ...]
    sold: bool
    now_ns: int


@dataclass(frozen=True)
class Restart:
    """A snapshot, a new engine with other keys and perhaps in a rebuilt store, and the member table again."""

    layout: Layout
    now_ns: int


Step = OracleRead | Tick | Members | Coverage | Sold | Restart


@dataclass(frozen=True)
class World:
    """What stays the same during a stream."""

    own_goods: tuple[bytes, ...] | None = (OWN,)
    capacity: int = 64
    layout: Layout = LAYOUT
    settings: PresenceSettings = SETTINGS


@dataclass
class Story:
    """What came out: events, and at every restart and at the end the counters and who is where."""

    events: list[Transition] = field(default_factory=list)
    looks: list[object] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)

    def look(self, counters: dict[str, int], *more: object) -> None:
        self.counted.update(counters)
        self.looks.append((counters, *more))


class Engine:
    """The tracker, driven by steps; reads between other steps are one batch, cut where it is told."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed, self.story = world, seed, Story()
        self.layout = world.layout
        self.tracker = self.make(seed)
        self.table = Members(len(MEMBERS))
        self.waiting: list[OracleRead] = []
        self.tell_members()

    def make(self, seed: int) -> Tracker:
        world = self.world
        return Tracker(self.layout, world.settings, seed=seed, own_goods=world.own_goods, capacity=world.capacity)

    def tell_members(self) -> None:
        table = table_of(first_members(self.table.count), self.table.leased_until_ns)
        self.story.events += self.tracker.set_members(KEY, table)

    def flush(self) -> None:
        if self.waiting:
            words = max(2, *((min(len(read.epc), 64) + 7) // 8 for read in self.waiting))
            columns = to_columns(self.waiting, words)
            self.story.events += self.tracker.feed(columns, self.waiting[0].received_ns)
            self.waiting.clear()

    def run(self, steps: Sequence[Step], cuts: set[int]) -> Story:
        for number, step in enumerate(steps):
            if isinstance(step, OracleRead):
                if number in cuts or (self.waiting and self.waiting[0].received_ns != step.received_ns):
                    self.flush()
                self.waiting.append(step)
            else:
                self.flush()
                self.take(step)
        self.flush()
        self.look()
        return self.story

    def take(self, step: Step) -> None:
        match step:
            case Tick(now_ns):
                self.story.events += self.tracker.tick(now_ns)
            case Members():
                self.table = step
                self.tell_members()
            case Coverage(reader_id, covered, now_ns):
                self.story.events += self.tracker.set_coverage(reader_id, covered, now_ns)
            case Sold(epcs, sold, now_ns):
                self.story.events += self.tracker.mark_sold(epcs, now_ns, sold=sold)
            case Restart(layout, now_ns):
                self.look()
                kept = self.tracker.snapshot().to_bytes()
                self.seed, self.layout = self.seed + 1, layout
                self.tracker = self.make(self.seed)
                restored = self.tracker.restore(kept, now_ns)
                self.story.looks.append((restored.items, restored.people, restored.dropped))
                self.tell_members()

    def look(self) -> None:
        counters = counted(self.tracker.counters)
        zones = range(len(self.layout.zones))
        self.story.look(counters, self.tracker.counts().tolist(), [self.tracker.present_in(zone) for zone in zones])


def counted(counters: Counters) -> dict[str, int]:
    return {name: getattr(counters, name) for name in COUNTED}


class Model:
    """The slow model, driven by the same steps."""

    def __init__(self, world: World) -> None:
        self.oracle = Oracle(world.layout, world.settings, world.own_goods, world.capacity)
        self.table, self.story = Members(len(MEMBERS)), Story()
        self.tell_members()

    def tell_members(self) -> None:
        self.oracle.set_members(first_members(self.table.count), self.table.leased_until_ns)

    def run(self, steps: Sequence[Step]) -> Story:
        for step in steps:
            self.take(step)
        self.look()
        return self.story

    def take(self, step: Step) -> None:
        match step:
            case OracleRead():
                self.oracle.read(step)
            case Tick(now_ns):
                self.oracle.tick(now_ns)
            case Members():
                self.table = step
                self.tell_members()
            case Coverage(reader_id, covered, now_ns):
                self.oracle.set_coverage(reader_id, covered, now_ns)
            case Sold(epcs, sold, now_ns):
                self.oracle.mark_sold(epcs, now_ns, sold)
            case Restart(layout, now_ns):
                self.look()
                self.oracle, restored = self.oracle.restart(layout, now_ns)
                self.story.looks.append(restored)
                self.tell_members()

    def look(self) -> None:
        self.story.events += self.oracle.events
        self.oracle.events = []
        self.story.reached |= self.oracle.reached
        zones = range(len(self.oracle.layout.zones))
        present = [self.oracle.present_in(zone) for zone in zones]
        self.story.look(self.oracle.counters(), self.oracle.zone_counts(), present)


def compare(steps: Sequence[Step], cuts: set[int], world: World, seed: int) -> Story:
    """Both must say the same, event for event, and count the same; returns what they said."""
    said, expected = Engine(world, seed).run(steps, cuts), Model(world).run(steps)
    said.reached = expected.reached
    for number, (event, other) in enumerate(zip(said.events, expected.events, strict=False)):
        assert event == other, f"event {number}"
    assert said.events == expected.events
    assert said.looks == expected.looks
    return said
