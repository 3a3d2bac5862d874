"""What the readers hear of the world, step by step and all antennas at once: columns of reads with their flaws.

The signal of a tag at an antenna, both ways together, in dB:

    -54 straight below the antenna                    (each antenna's power is set for that, as an installer does)
    - 40 log10(distance / height)                     path loss, there and back
    + 40 log10(cos of the angle off the axis)         the antenna's pattern, at least -14: side lobes and reflections
    - what stands between two zones                   racks, partitions, walls: leak-through passes, weaker
    - shadowing                                       log-normal, 4 dB: at rest for good, plus 2 dB that drift;
                                                      carried, another after 1.5 m or 10 s
    - the bearer's body                               8 to 14 dB when it stands between, seen from the side
    - a hand, a bag, a thick coat                     10 to 20 dB for 2 to 10 s, a sixth of the time
    + fast fading                                     Rice, K = 6, anew for each answer

A tag needs about -78 dBm to answer (a soft threshold), so shielding does not only weaken but also silences it.  Each
antenna of a reader is on for one step in turn.  In it, the tags that can answer share 400 answers a second, each at most
thrice; 30 % of the answers are lost; 0.3 % come out with one wrong bit; 0.5 % are delivered 0.2 to 2 s late.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.columns import Columns
from tests.accuracy.plan import AWAY, Plan
from tests.accuracy.world import STEP_S, World

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

START_NS = 1_700_000_000_000_000_000
STEP_NS = round(STEP_S * 1e9)
BELOW_DBM, BEAM_DB, SIDE_LOBE_DB = -54.0, 40.0, -14.0
SHADOW_DB, DRIFT_DB, SHADOW_S, SHADOW_M = 4.0, 2.0, 10.0, 1.5
RICE_K = 6.0
THRESHOLD_DBM, SOFTNESS_DB = -78.0, 1.0
REACH_DB = 12.0
"""So far below the threshold neither shadow nor fading brings an answer any more."""
ANSWERS_PER_STEP, AT_MOST = 80, 3
MISS, GHOST, LATE = 0.30, 0.003, 0.005
DRIFT_STEPS = 25


@dataclass(frozen=True, slots=True)
class Outage:
    """A reader's cable is out between two times."""

    reader: int
    start_s: float
    stop_s: float


@dataclass(frozen=True, slots=True)
class Recording:
    """What the engines get, in order of delivery.

    Args:
        tag: for each read the tag that really answered (also where the EPC came out wrong).
        epc12: uint8[n, 12].
        delivered_ns: when the host has the read; ascending.
    """

    columns: Columns
    tag: Ints
    delivered_ns: Ints
    outages: tuple[Outage, ...]
    end_ns: int


class Radio:
    """Hears one world with one seed."""

    def __init__(self, world: World, outages: tuple[Outage, ...], seed: int) -> None:
        self._world, self._outages, self._rng = world, outages, np.random.default_rng([seed, 2])
        plan, count = world.plan, len(world.epc)
        self._spots = np.array([(spot.x, spot.y, spot.above_m) for spot in plan.spots])
        self._readers = np.array([spot.reader for spot in plan.spots])
        self._ports = np.array([spot.port for spot in plan.spots])
        self._leak = _leaks(plan)
        antennas = len(plan.spots)
        self._rest_mean = np.full((antennas, count), -np.inf)
        self._rest_drift = np.zeros((antennas, count))
        self._resting = np.zeros(count, bool)
        self._heard: list[Ints] = [np.zeros(0, np.int64)] * antennas
        self._shadow = self._rng.normal(0, SHADOW_DB, (antennas, count)).astype(np.float32)
        self._body = self._rng.uniform(8, 14, count)
        self._side = self._rng.choice([0.0, np.pi / 2, np.pi, -np.pi / 2], count)
        self._shield = np.zeros(count)
        self._shield_until = np.zeros(count)
        self._out: list[tuple[Ints, Ints, Ints, Floats]] = []

    def listen(self) -> Recording:
        """The whole run."""
        world = self._world
        begins: dict[int, list[int]] = {}
        ends: dict[int, list[int]] = {}
        for number, stay in enumerate(world.stays):
            begins.setdefault(stay.start, []).append(number)
            ends.setdefault(stay.stop, []).append(number)
        carried: dict[int, int] = {}
        for step in range(world.steps):
            for number in ends.get(step, ()):
                carried.pop(world.stays[number].tag, None)
                self._resting[world.stays[number].tag] = False
            for number in begins.get(step, ()):
                stay = world.stays[number]
                if stay.walker >= 0:
                    carried[stay.tag] = stay.walker
                else:
                    self._rest(stay.tag, stay.x, stay.y)
            if step % DRIFT_STEPS == 0:
                self._drift()
            self._step(step, carried)
        return self._finish()

    def _rest(self, tag: int, x: float, y: float) -> None:
        """A thing is laid down: its shadowing is drawn anew and stays."""
        self._resting[tag] = True
        zone = self._world.plan.zone_at(np.array([x]), np.array([y]))
        shadow = self._rng.normal(0, SHADOW_DB, len(self._spots))
        self._rest_mean[:, tag] = (
            self._path(np.arange(len(self._spots)), np.array([x]), np.array([y]), zone)[:, 0] + shadow
        )
        for antenna in np.flatnonzero(self._rest_mean[:, tag] > THRESHOLD_DBM - REACH_DB):
            self._heard[antenna] = np.append(self._heard[antenna], tag)

    def _drift(self) -> None:
        """The slow part of the shadowing of what rests; and whose signal may reach which antenna."""
        keep = np.exp(-DRIFT_STEPS * STEP_S / 20.0)
        for antenna in range(len(self._spots)):
            heard = np.flatnonzero(self._resting & (self._rest_mean[antenna] > THRESHOLD_DBM - REACH_DB))
            self._heard[antenna] = heard
            fresh = self._rng.normal(0, DRIFT_DB * np.sqrt(1 - keep * keep), len(heard))
            self._rest_drift[antenna, heard] = keep * self._rest_drift[antenna, heard] + fresh

    def _path(self, antennas: Ints, x: Floats, y: Floats, zone: NDArray[np.int16]) -> Floats:
        """dBm of tags at antennas [antenna, tag] without shadows and bodies."""
        ax, ay, above = self._spots[antennas].T[..., None]
        lateral = np.hypot(x - ax, y - ay)
        distance = np.hypot(lateral, above)
        pattern = np.maximum(BEAM_DB * np.log10(above / distance), SIDE_LOBE_DB)
        return BELOW_DBM - 40 * np.log10(distance / above) + pattern - self._leak[antennas][:, zone]

    def _step(self, step: int, carried: dict[int, int]) -> None:
        second = step * STEP_S
        lost = {outage.reader for outage in self._outages if outage.start_s <= second < outage.stop_s}
        on = np.flatnonzero((self._turns(step) == self._ports) & ~np.isin(self._readers, list(lost)))
        groups = [(np.full(len(heard), a), heard) for a in on if len(heard := self._heard[a])]
        antennas = np.concatenate([each for each, _ in groups]) if groups else np.zeros(0, np.int64)
        tags = np.concatenate([each for _, each in groups]) if groups else np.zeros(0, np.int64)
        here = self._resting[tags]
        antennas, tags = antennas[here], tags[here]
        signal = self._rest_mean[antennas, tags] + self._rest_drift[antennas, tags]
        if carried:
            a, t, s = self._carried(step, on, carried)
            antennas, tags = np.concatenate([antennas, a]), np.concatenate([tags, t])
            signal = np.concatenate([signal, s])
        self._answer(step, antennas, tags, signal)

    def _turns(self, step: int) -> Ints:
        """The port that is on now, per antenna's reader; readers begin at different ports."""
        return (step + self._readers) % 4 + 1

    def _carried(self, step: int, on: Ints, carried: dict[int, int]) -> tuple[Ints, Ints, Floats]:
        walkers = self._world.walkers
        tags = np.fromiter(carried, np.int64, len(carried))
        spots = np.array([_at(walkers[walker], step) for walker in carried.values()])
        x, y, heading = spots.T
        before = np.array([_at(walkers[walker], step - 1) for walker in carried.values()])
        keep = np.exp(-STEP_S / SHADOW_S - np.hypot(x - before[:, 0], y - before[:, 1]) / SHADOW_M)
        fresh = self._rng.normal(0, SHADOW_DB * np.sqrt(1 - keep * keep), (len(self._spots), len(tags)))
        self._shadow[:, tags] = keep * self._shadow[:, tags] + fresh
        signal = self._path(on, x, y, self._world.plan.zone_at(x, y)) + self._shadow[np.ix_(on, tags)]
        signal -= self._bodies(on, tags, x, y, heading) + self._shields(step, tags)
        row, column = np.nonzero(signal > THRESHOLD_DBM - REACH_DB)
        return on[row], tags[column], signal[row, column]

    def _bodies(self, on: Ints, tags: Ints, x: Floats, y: Floats, heading: Floats) -> Floats:
        """The bearer's shadow: whole when the antenna is behind and far to the side, none when it hangs overhead."""
        ax, ay, above = self._spots[on].T[..., None]
        lateral = np.hypot(ax - x, ay - y)
        behind = (1 - np.cos(np.arctan2(ay - y, ax - x) - heading - self._side[tags])) / 2
        shadow: Floats = self._body[tags] * behind * lateral / np.hypot(lateral, above)
        return shadow

    def _shields(self, step: int, tags: Ints) -> Floats:
        """A hand, a bag: on and off per tag; 6 s on average, then 30 s clear."""
        second = step * STEP_S
        over = tags[self._shield_until[tags] <= second]
        if len(over):
            begins = (self._shield[over] == 0) & (self._rng.random(len(over)) < STEP_S / 30)
            self._shield[over] = np.where(begins, self._rng.uniform(10, 20, len(over)), 0.0)
            self._shield_until[over] = np.where(begins, second + self._rng.uniform(2, 10, len(over)), 0.0)
        return self._shield[tags]

    def _answer(self, step: int, antennas: Ints, tags: Ints, signal: Floats) -> None:
        """Who is read: the tags that can answer share the step's answers, drawn at random, twice where there is room."""
        rng = self._rng
        if not len(tags):
            return
        weak = 1 / (1 + np.exp(-(signal - THRESHOLD_DBM) / SOFTNESS_DB))
        able = rng.random(len(tags)) < weak
        antennas, tags, signal = antennas[able], tags[able], signal[able]
        order = np.lexsort((rng.random(len(tags)), antennas))
        antennas, tags, signal = antennas[order], tags[order], signal[order]
        first = np.searchsorted(antennas, antennas)
        rank = np.arange(len(tags)) - first
        size = np.searchsorted(antennas, antennas, side="right") - first
        rounds = np.clip(ANSWERS_PER_STEP // np.maximum(size, 1), 1, AT_MOST)
        for turn in range(AT_MOST):
            got = (rank < ANSWERS_PER_STEP) & (turn < rounds) & (rng.random(len(tags)) >= MISS)
            n = int(got.sum())
            dbm = signal[got] + _rice_db(rng, n)
            at_ns = START_NS + step * STEP_NS + rng.integers(0, STEP_NS, n)
            self._out.append((at_ns, antennas[got], tags[got], dbm))

    def _finish(self) -> Recording:
        rng, world = self._rng, self._world
        at_ns, antenna, tag, dbm = (np.concatenate(column) for column in zip(*self._out, strict=True))
        late = rng.random(len(tag)) < LATE
        delivered = at_ns + np.where(late, rng.integers(200_000_000, 2_000_000_000, len(tag)), 0)
        order = np.argsort(delivered, kind="stable")
        at_ns, antenna, tag, dbm, delivered = at_ns[order], antenna[order], tag[order], dbm[order], delivered[order]
        epcs = np.frombuffer(b"".join(world.epc), np.uint8).reshape(-1, 12)[tag]
        ghost = np.flatnonzero(rng.random(len(tag)) < GHOST)
        bit = rng.integers(0, 96, len(ghost))
        epcs[ghost, bit // 8] ^= (1 << bit % 8).astype(np.uint8)
        wide = np.zeros((len(tag), 16), np.uint8)
        wide[:, :12] = epcs
        columns = Columns(
            at_ns,
            antenna.astype(np.uint16),
            wide.view("<u8").astype(np.uint64),
            np.full(len(tag), 12, np.uint8),
            np.round(np.clip(dbm, -150, 30) * 100).astype(np.int16),
            np.full(len(tag), -1, np.int8),
        )
        return Recording(columns, tag, delivered, self._outages, START_NS + world.steps * STEP_NS)


def _at(walker: object, step: int) -> tuple[float, float, float]:
    index = min(max(step, walker.start), walker.stop - 1) - walker.start  # type: ignore[attr-defined]
    return walker.x[index], walker.y[index], walker.heading[index]  # type: ignore[attr-defined]


def _rice_db(rng: np.random.Generator, count: int) -> Floats:
    """Fading of the power, both ways over the same channel, in dB; its mean is 0 in power one way."""
    steady, scatter = np.sqrt(RICE_K / (RICE_K + 1)), np.sqrt(1 / (2 * (RICE_K + 1)))
    power = (steady + rng.normal(0, scatter, count)) ** 2 + rng.normal(0, scatter, count) ** 2
    fading: Floats = 10 * np.log10(np.maximum(power, 1e-4))
    return fading


def _leaks(plan: Plan) -> Floats:
    """dB that stand between an antenna and a tag in another zone [antenna, zone]; the last column is outside."""
    cost = {"fitting-room": 8.0, "stock": 10.0, "shelf": 3.0}
    leak = np.zeros((len(plan.spots), len(plan.zones) + 1))
    for antenna, spot in enumerate(plan.spots):
        own = plan.zones[spot.zone]
        for index, zone in enumerate(plan.zones):
            if index != spot.zone:
                leak[antenna, index] = max(1.0, cost.get(own.kind, 0.0), cost.get(zone.kind, 0.0))
        leak[antenna, AWAY] = 2.0 if own.kind in ("door", "exit") else 10.0
    return leak


def hear(world: World, seed: int, outages: tuple[Outage, ...] = ()) -> Recording:
    """The reads of a run."""
    return Radio(world, outages, seed).listen()
