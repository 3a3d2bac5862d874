"""`tacet bench presence`: the whole semantics with member match, in batches of several sizes, beside plain Python."""

import secrets
import statistics
import time
from collections import Counter
from collections.abc import Iterator

import msgspec

from edge.bench_baseline import make_rows, watch_with_dicts
from edge.bench_engine import CAPACITY, KINDS, feed_all, make_table, make_tracker, split
from edge.bench_report import Baseline, Sizes
from edge.bench_workload import Shape, Workload, load_workload, make_workload, measure_shape
from edge.member_file import index_members
from edge.presence_model import Counters, ZoneSettings

BASELINE_READS = 200_000
BASELINE_MEMBERS = 1_000_000
SHORT_LIMIT_S = 10.0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One batch size with one departure limit."""

    batch: int
    item_departs_s: float
    ns_per_read: float
    passes_ns_per_read: list[float]
    events: dict[str, int]


class PresenceResult(msgspec.Struct, frozen=True, kw_only=True):
    """The headline (first batch size, default limits), then every measurement."""

    name: str = "presence"
    workload: str
    shape: Shape
    reads: int
    members: int
    batch: int
    ns_per_read: float
    passes_ns_per_read: list[float]
    members_ready_s: float
    events: dict[str, int]
    strays_forgotten: int
    evicted: int
    refused: int
    measured: list[Measured]
    baseline: Baseline


class PresenceBench:
    """One workload with its members; every pass gets a fresh engine."""

    def __init__(self, workload: Workload, shape: Shape, passes: int) -> None:
        self.counters = Counters()
        self._workload, self._passes = workload, passes
        self._capacity = max(CAPACITY, 5 * (shape.epcs - shape.read_once) // 4)
        self._key = secrets.token_bytes(16)
        table = make_table(workload.cards, self._key)
        start_s = time.perf_counter()
        self._members = index_members(table)
        self.ready_s = time.perf_counter() - start_s

    def measure(self, batch: int, settings: ZoneSettings) -> Measured:
        """The median of the passes."""
        parts = split(self._workload.columns, batch)
        each_ns, kinds = [], Counter[int]()
        for _ in range(self._passes):
            tracker = make_tracker(self._workload.antennas, settings, capacity=self._capacity)
            tracker.set_members(self._key, self._members)
            elapsed_s, kinds = feed_all(tracker, parts)
            each_ns.append(1e9 * elapsed_s / len(self._workload.columns))
            self.counters = tracker.counters
        return Measured(
            batch=batch,
            item_departs_s=settings.item_departs_s,
            ns_per_read=round(statistics.median(each_ns), 1),
            passes_ns_per_read=[round(each, 1) for each in each_ns],
            events={name: kinds[kind] for kind, name in enumerate(KINDS)},
        )


def bench_presence(sizes: Sizes) -> Iterator[PresenceResult]:
    """Whole semantics and member match over the workload, fresh state for each pass."""
    made_up = sizes.reads is None
    workload = make_workload(sizes.read_count, sizes.member_count) if sizes.reads is None else _load(sizes)
    shape = measure_shape(workload)
    bench = PresenceBench(workload, shape, sizes.passes)
    first = bench.measure(sizes.batches[0], ZoneSettings())
    counters = bench.counters
    short = ZoneSettings(item_departs_s=SHORT_LIMIT_S)
    rest = [(batch, ZoneSettings()) for batch in sizes.batches[1:]]
    rest += [(batch, short) for batch in sizes.batches] if made_up else []
    yield PresenceResult(
        workload=workload.name,
        shape=shape,
        reads=len(workload.columns),
        members=len(workload.cards),
        batch=first.batch,
        ns_per_read=first.ns_per_read,
        passes_ns_per_read=first.passes_ns_per_read,
        members_ready_s=round(bench.ready_s, 3),
        events=first.events,
        strays_forgotten=counters.strays_forgotten,
        evicted=counters.evicted,
        refused=counters.refused,
        measured=[first, *(bench.measure(batch, settings) for batch, settings in rest)],
        baseline=_measure_baseline(workload, first.ns_per_read),
    )


def _load(sizes: Sizes) -> Workload:
    assert sizes.reads is not None
    return load_workload(sizes.reads, sizes.members)


def _measure_baseline(workload: Workload, median_ns: float) -> Baseline:
    rows = make_rows(workload.columns.part(0, BASELINE_READS))
    members = {card.tobytes() for card in workload.cards[:BASELINE_MEMBERS]}
    start_s = time.perf_counter()
    watch_with_dicts(rows, members)
    each_ns = 1e9 * (time.perf_counter() - start_s) / len(rows)
    name = f"plain Python with dicts, doing less, first {len(rows)} reads"
    return Baseline(name=name, ns_each=round(each_ns, 1), ratio=round(each_ns / median_ns, 1))
