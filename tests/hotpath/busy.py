"""Busy days for the little store: every kind of step, with bursts, leaks, silences, ghosts, ill-timed and absurd rows."""

import random
import sys
from collections.abc import Callable

from hypothesis import strategies as st

from tests.hotpath.oracle import OracleRead
from tests.hotpath.store import CARDS, FOREVER_NS, LAYOUT, MS, OWN, REBUILT, START_NS, TAGS
from tests.hotpath.streams import Coverage, Members, Restart, Sold, Step, Tick, World, compare

S = 1000 * MS
GAPS_MS = (0, 0, 0, 20, 50, 50, 100, 100, 100, 200, 300, 300, 500, 500, 1000, 1500, 2000)
LATE_MS = (0,) * 25 + (1, 100, 1500, 10_000, 29_999, 30_000, 30_001, 60_000)
SIGNALS_CDBM = (-4000, -4500, -5000, -5001, -5500, -6000, -6500, -7000, -7001)
ABSURD_CDBM = (-32768, -15_001, -15_000, 3000, 3001, 32767)
ABSURD_NS = (-1, -(1 << 63), 0, 1, 1 << 62, (1 << 62) - 1, (1 << 63) - 1)
YEAR_2066_NS = 3_030_000_000 * S
READERS = ("a", "b", "c", "d", "e", "nobody")
PASSINGS = ((0, 0, 1, 1, 2, 2, 2), (1, 0, 2, 2), (8, 8, 8, 1, 0, 0, 4, 4, 4), (2, 2, 2, 3, 3, 3, 4, 4, 4))


class Day:
    """Draws one step after the other; the clock goes on as it does."""

    def __init__(self, rng: random.Random, *, ghosts: float = 0.02, absurd: float = 0.01) -> None:
        self.rng, self.ghosts, self.absurd = rng, ghosts, absurd
        self.now_ns, self.layout = START_NS, LAYOUT
        self.tag, self.antenna = rng.choice(TAGS), 0
        self.passing: list[int] = []
        self.crowd = [rng.randbytes(rng.randint(1, 62)) for _ in range(20)]
        self.crowd += [OWN + bytes([9, n]) + rng.randbytes(rng.randint(0, 56)) for n in range(20)]

    def steps(self, count: int) -> list[Step]:
        return [self.step() for _ in range(count)]

    def step(self) -> Step:
        rng = self.rng
        self.now_ns += rng.choice(GAPS_MS) * MS + rng.choice((8, 20)) * S * (rng.random() < 0.02)
        if rng.random() < 0.0003:
            self.now_ns += 40 * 365 * 86_400 * S if self.now_ns < YEAR_2066_NS else 0
        kind = rng.random()
        others: tuple[tuple[float, Callable[[], Step]], ...] = (
            (0.03, self.tick), (0.037, self.members), (0.057, self.coverage), (0.067, self.sold), (0.077, self.restart),
        )  # fmt: skip
        for up_to, other in others:
            if kind < up_to:
                return other()
        return self.read()

    def some_time_ns(self) -> int:
        """Now, as a rule; some callers' clocks are behind."""
        return self.now_ns - self.rng.choice((0, 0, 0, 0, 700, 5000)) * MS

    def tick(self) -> Step:
        return Tick(self.some_time_ns())

    def members(self) -> Step:
        lease_ms = self.rng.choice((-1, 5000, 10**9, 10**9))
        return Members(self.rng.choice((0, 1, 2, 3, 3, 3)), self.now_ns + lease_ms * MS)

    def coverage(self) -> Step:
        return Coverage(self.rng.choice(READERS), self.rng.random() < 0.7, self.some_time_ns())

    def sold(self) -> Step:
        epcs = self.rng.choices((*TAGS, *self.crowd, b"", bytes(63)), k=self.rng.randint(0, 3))
        return Sold((*epcs, *((self.tag,) * (self.rng.random() < 0.5))), self.rng.random() < 0.7, self.some_time_ns())

    def restart(self) -> Step:
        if self.rng.random() < 0.3:
            self.layout = REBUILT if self.layout is LAYOUT else LAYOUT
        return Restart(self.layout, self.now_ns + self.rng.choice((-3000, 0, 0, 1000, 30_000)) * MS)

    def read(self) -> Step:
        rng = self.rng
        if rng.random() < 0.08:
            self.tag = rng.choice((*TAGS, *CARDS, *CARDS))
        if rng.random() < 0.12:
            self.antenna = rng.randrange(len(self.layout.antennas))
        if rng.random() < 0.02:
            self.passing = list(rng.choice(PASSINGS))
        if self.passing:
            self.antenna = self.passing.pop(0) % len(self.layout.antennas)
        epc = rng.choice(self.crowd) if rng.random() < self.ghosts else self.tag
        cdbm = rng.choice(SIGNALS_CDBM)
        t_ns = self.now_ns - rng.choice(LATE_MS) * MS
        received_ns = None if rng.random() < 0.7 else self.now_ns + rng.choice((0, 0, 10, -10)) * MS
        if rng.random() < self.absurd:
            return self.absurd_read(t_ns, epc, cdbm)
        return OracleRead(t_ns, self.antenna, epc, cdbm, rng.choice((-1, -1, -1, 1, 1, 1, 1, 0)), received_ns)

    def absurd_read(self, t_ns: int, epc: bytes, cdbm: int) -> Step:
        """A row with one thing in it that makes no sense."""
        match self.rng.randrange(5):
            case 0:
                return OracleRead(self.rng.choice(ABSURD_NS), self.antenna, epc, cdbm, received_ns=self.now_ns)
            case 1:
                return OracleRead(YEAR_2066_NS + t_ns // 2, self.antenna, epc, cdbm, received_ns=self.now_ns)
            case 2:
                return OracleRead(t_ns, self.rng.choice((len(self.layout.antennas), 0x7FFF, 0xFFFF)), epc, cdbm)
            case 3:
                return OracleRead(t_ns, self.antenna, epc, cdbm, size=self.rng.choice((0, 63, 64, 128, 255)))
        return OracleRead(t_ns, self.antenna, epc, self.rng.choice(ABSURD_CDBM))


GRID_MS = (
    0,
    0,
    0,
    1,
    50,
    100,
    499,
    500,
    699,
    700,
    1000,
    1499,
    1500,
    1501,
    2000,
    4000,
    5000,
    8000,
    8001,
    12_000,
    20_000,
)


@st.composite
def streams(draw: st.DrawFn) -> list[Step]:
    """Steps on a grid of times on which deadlines meet reads exactly; hypothesis makes them small when they fail."""
    now_ns, steps = START_NS, []
    for gap in draw(st.lists(st.sampled_from(GRID_MS), min_size=1, max_size=60)):
        now_ns += gap * MS
        told_ns = now_ns - draw(st.sampled_from((0, 0, 0, 700))) * MS
        others: dict[int, Callable[[int], st.SearchStrategy[Step]]] = {
            0: lambda t: st.just(Tick(t)),
            1: lambda t: st.builds(Members, st.integers(0, 3), st.sampled_from((t - MS, t, t + 2 * S, FOREVER_NS))),
            2: lambda t: st.builds(Coverage, st.sampled_from(READERS), st.booleans(), st.just(t)),
            3: lambda t: st.builds(Sold, st.tuples(st.sampled_from(TAGS)), st.booleans(), st.just(t)),
            4: lambda t: st.builds(Restart, st.sampled_from((LAYOUT, LAYOUT, REBUILT)), st.just(t)),
        }
        other = others.get(draw(st.integers(0, 40)))
        steps.append(draw(reads_at(now_ns) if other is None else other(told_ns)))
    return steps


def reads_at(now_ns: int) -> st.SearchStrategy[Step]:
    late_ms = (0, 0, 0, 0, 100, 1500, 20_000, 30_000, 30_001)
    times = st.sampled_from([now_ns - late * MS for late in late_ms]) | st.sampled_from(ABSURD_NS)
    if_received = st.sampled_from((None, None, now_ns))
    usual = st.sampled_from((-4000, -5000, -5550, -6000, -7000, -7001))
    return st.builds(
        OracleRead, times, st.integers(0, 9), st.sampled_from(TAGS) | st.binary(min_size=1, max_size=62),
        usual | st.integers(-32768, 32767), st.sampled_from((-1, 1, 1, 0)), if_received,
    )  # fmt: skip


WORLDS = tuple(World(own, capacity) for capacity in (64, 20, 5, 1) for own in ((OWN,), None))


def compare_day(seed: int, count: int, world: World, *, ghosts: float = 0.02) -> object:
    rng = random.Random(seed)
    steps = Day(rng, ghosts=ghosts).steps(count)
    return compare(steps, set(rng.sample(range(count), count // 8)), world, seed)


def main(seeds: int, count: int) -> None:
    """For a run without the compiler: compare some random days and print how many events agreed."""
    agreed = sum(
        len(compare_day(seed, count, WORLDS[seed % len(WORLDS)], ghosts=0.05 * (seed % 3)).events)
        for seed in range(seeds)
    )
    sys.stdout.write(f"{agreed}\n")


if __name__ == "__main__":
    main(seeds=8, count=250)
