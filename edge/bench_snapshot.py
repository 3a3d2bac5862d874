"""`tacet bench snapshot`: what saving the engine's state costs the reads, and what a restart costs."""

import pickle
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np

from edge.bench_engine import feed_all, make_tracker, split
from edge.bench_report import Baseline, Sizes
from edge.bench_workload import START_NS, ZONES, make_reads, random_epcs
from edge.clock import NS_PER_S
from edge.columns import Columns

BATCH = 4096
READS_PER_TAG = 4

Result = TypeVar("Result")


class SnapshotResult(msgspec.Struct, frozen=True, kw_only=True):
    """Medians: `pause_ms` is what the reads wait for; `to_bytes` may run in a thread; `restore` is part of a start."""

    name: str = "snapshot"
    tags: int
    pause_ms: float
    to_bytes_ms: float
    restore_ms: float
    size_bytes: int
    restored: int
    baseline: Baseline
    baseline_load_ms: float
    baseline_size_bytes: int


@dataclass(slots=True)
class _Facts:
    """One tag, as a Python program would hold it."""

    zone: int
    since_ns: int
    antennas: dict[int, tuple[int, float, float, int]]
    last_ns: int = 0
    reads: int = 0


def bench_snapshot(sizes: Sizes) -> Iterator[SnapshotResult]:
    """An engine full of present items, saved and restored; then the same facts pickled as Python objects."""
    capacity = 2 * sizes.tag_count
    columns = _read_all(sizes.tag_count)
    tracker = make_tracker(ZONES, capacity=capacity)
    feed_all(tracker, split(columns, BATCH))
    now_ns = int(columns.t_ns[-1]) + NS_PER_S
    pause_ms, snapshot = _median_ms(tracker.snapshot, sizes.passes)
    to_bytes_ms, data = _median_ms(snapshot.to_bytes, sizes.passes)
    restores = [make_tracker(ZONES, capacity=capacity) for _ in range(sizes.passes)]
    restore_ms, restored = _median_ms(lambda: restores.pop().restore(data, now_ns), sizes.passes)
    facts = _as_objects(columns)
    dump_ms, pickled = _median_ms(lambda: pickle.dumps(facts, pickle.HIGHEST_PROTOCOL), sizes.passes)
    load_ms, _ = _median_ms(lambda: pickle.loads(pickled), sizes.passes)  # noqa: S301 - our own, of a moment ago
    yield SnapshotResult(
        tags=tracker.counters.present_items,
        pause_ms=round(pause_ms, 2),
        to_bytes_ms=round(to_bytes_ms, 2),
        restore_ms=round(restore_ms, 2),
        size_bytes=len(data),
        restored=restored.items,
        baseline=Baseline(
            name="pickle.dumps of a dict of the same facts, all of it a pause; per tag",
            ns_each=round(1e6 * dump_ms / sizes.tag_count, 1),
            ratio=round(dump_ms / pause_ms, 1),
        ),
        baseline_load_ms=round(load_ms, 2),
        baseline_size_bytes=len(pickled),
    )


def _read_all(tags: int) -> Columns:
    """Every tag read a few times by two antennas, the second one weaker in number."""
    epcs = random_epcs(np.random.default_rng(6), tags)
    tag = np.tile(np.arange(tags), READS_PER_TAG)
    again = np.repeat(np.arange(READS_PER_TAG), tags)
    t_ns = START_NS + again * (NS_PER_S // 3) + tag * (NS_PER_S // 3 // tags)
    return make_reads(t_ns, (tag + (again == READS_PER_TAG - 1)) % ZONES, epcs[tag])


def _as_objects(columns: Columns) -> dict[bytes, _Facts]:
    facts: dict[bytes, _Facts] = {}
    for row, t_ns, zone in zip(columns.epc_bytes, columns.t_ns.tolist(), columns.antenna.tolist(), strict=True):
        epc = row[:12].tobytes()
        tag = facts.setdefault(epc, _Facts(zone, t_ns, {}))
        tag.antennas[zone] = (t_ns, -55.0, 1.0, 1)
        tag.last_ns, tag.reads = t_ns, tag.reads + 1
    return facts


def _median_ms(run: Callable[[], Result], passes: int) -> tuple[float, Result]:
    """Milliseconds, the median, and what the last run gave."""
    each_ms, result = [], None
    for _ in range(passes):
        start_s = time.perf_counter()
        result = run()
        each_ms.append(1e3 * (time.perf_counter() - start_s))
    assert result is not None
    return statistics.median(each_ms), result
