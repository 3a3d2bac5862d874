"""Row 25: a hundred times the usual reads, as when a store opens with pallets at the door.

Eight M100 readers' bytes in real time, through the scanner, the ring, the engine and a real outbox; goods are read again and
again, a member's card five times in 1.6 s.
"""

import asyncio
import time
from collections.abc import AsyncIterator

import numpy as np

from broker_config.messages import VisitEntered, decode
from edge.bench_engine import make_member, make_tracker
from edge.bench_frames import make_frames
from edge.bench_report import resident_bytes
from edge.bench_workload import Bytes, make_cards, make_reads, random_epcs
from edge.clock import Clock
from edge.kernels import cache_folder, prepare_kernels
from edge.outbox import Outbox
from edge.pipeline import MAX_WAITING_READS, Pipeline
from edge.read_ring import ReadRing
from readers.magicrf_m100.scan import NOTICE
from readers.model import Chunk, ReaderId
from tests.faults.report import Outcome, percentile
from tests.faults.row import Profile, Row
from tests.faults.rows.strays import pipeline_into

READERS = tuple(ReaderId(f"r-{number}") for number in range(8))
TICKS_PER_S = 100
USUAL_PER_TICK, TIMES = 10, 100
GOODS = 2000
READS_PER_MEMBER, BETWEEN_TICKS = 5, 40
MEMBERS_PER_S = 20
CALM_S = 2
NARROW_S, NARROW_READS = 3, 200
MOST_WAIT_S = 10.0
MOST_GROWTH_MIB = 64.0
MIB = 1 << 20


class Doors:
    """The readers, what each sends in a moment, and how long a moment's reads waited for the engine."""

    def __init__(self, pipeline: Pipeline, clock: Clock, seconds: int, rng: np.random.Generator) -> None:
        self._pipeline, self._clock = pipeline, clock
        self._scans = [pipeline.open_stream(reader, NOTICE) for reader in READERS]
        goods = random_epcs(rng, GOODS)
        self._goods = _frames(goods[rng.integers(0, GOODS, TIMES * USUAL_PER_TICK * TICKS_PER_S)])
        self.cards = make_cards(seconds * MEMBERS_PER_S)
        self._members = _frames(self.cards)
        last_tick = seconds * TICKS_PER_S - READS_PER_MEMBER * BETWEEN_TICKS
        self._due: dict[int, list[int]] = {}
        for member, first in enumerate(rng.integers(0, last_tick, len(self.cards)).tolist()):
            for tick in range(first, first + READS_PER_MEMBER * BETWEEN_TICKS, BETWEEN_TICKS):
                self._due.setdefault(tick, []).append(member)

    async def open(self, ticks: range, per_tick: int) -> list[float]:
        """So many reads in each moment; what a busy machine is late with comes at once, as out of a port's buffer.

        Returns: seconds from when a moment's reads were due until the engine had them.
        """
        began_s, tick, waits_s = time.monotonic(), 0, list[float]()
        while tick < len(ticks):
            due = min(int((time.monotonic() - began_s) * TICKS_PER_S) + 1, len(ticks))
            for number in range(tick, due):
                self._come(ticks[number], per_tick)
            while self._pipeline.has_reads():
                self._pipeline.feed_batch()
                await asyncio.sleep(0)
            now_s = time.monotonic() - began_s
            waits_s += [now_s - number / TICKS_PER_S for number in range(tick, due)]
            tick = due
            self._pipeline.tick(self._clock())
            await asyncio.sleep(max(tick / TICKS_PER_S - now_s, 0))
        return waits_s

    def _come(self, tick: int, per_tick: int) -> None:
        first = tick % TICKS_PER_S * per_tick
        members = self._due.get(tick, [])
        for number, scan in enumerate(self._scans):
            data = self._goods[first + number : first + per_tick : len(READERS)].tobytes()
            own = [member for member in members if member % len(READERS) == number]
            scan.take(Chunk(data + self._members[own].tobytes(), self._clock()))


async def burst(profile: Profile) -> list[Outcome]:
    """Hundredfold for a while, and then as usual."""
    return [await _burst(profile, profile.times(5, 60), MAX_WAITING_READS)]


async def narrow(profile: Profile) -> list[Outcome]:
    """The same with room for fewer reads than come at once."""
    return [await _burst(profile, NARROW_S, NARROW_READS)]


async def _burst(profile: Profile, seconds: int, room: int) -> Outcome:
    prepare_kernels(cache_folder(), lambda *_: None)
    outcome, clock = Outcome(profile.seed), Clock()
    async with Outbox(profile.folder / "outbox.sqlite", "gw-1", quota_bytes=64 * MIB, clock_ns=clock) as outbox:
        tracker = make_tracker(len(READERS))
        pipeline = pipeline_into(tracker, outbox, READERS)
        pipeline._waiting = ReadRing(room)
        doors = Doors(pipeline, clock, seconds, np.random.default_rng(profile.seed))
        make_member(doors.cards, tracker)
        before = resident_bytes()
        busy_s = await doors.open(range(seconds * TICKS_PER_S), USUAL_PER_TICK * TIMES)
        after_s = await doors.open(range(seconds * TICKS_PER_S, (seconds + CALM_S) * TICKS_PER_S), USUAL_PER_TICK)
        grew_mib = (resident_bytes() - before) / MIB
        await outbox.flush()
        visits = [each async for each in _entered(outbox)]
    outcome.generated, outcome.in_outbox = len(doors.cards), len(set(visits))
    outcome.duplicates = len(visits) - len(set(visits))
    outcome.extra |= {
        "reads": seconds * TICKS_PER_S * TIMES * USUAL_PER_TICK,
        "reads_overwritten": pipeline._tally.dropped_reads,
        "waited_p99_ms": 1e3 * percentile(busy_s, 99),
        "waited_after_p99_ms": 1e3 * percentile(after_s, 99),
        "grew_mib": grew_mib,
    }
    outcome.expect(percentile(after_s, 99) <= MOST_WAIT_S, "not as usual again within 10 s")
    outcome.expect(grew_mib <= MOST_GROWTH_MIB, f"{grew_mib:.0f} MiB more")
    return outcome


async def _entered(outbox: Outbox) -> AsyncIterator[str]:
    """The visit of each entry that waits to be sent."""
    last = 0
    while rows := await outbox.rows_after(last, 1000):
        for row in rows:
            if isinstance(data := decode(row.payload).data, VisitEntered):
                yield data.visit
        last = rows[-1].seq


def _frames(epcs: Bytes) -> Bytes:
    zeros = np.zeros(len(epcs), np.int64)
    return make_frames(make_reads(zeros, zeros, epcs))


ROWS = (Row((25,), "a hundred times the usual reads", burst, narrow, f"room for {NARROW_READS}", takes_s=(10, 80)),)
