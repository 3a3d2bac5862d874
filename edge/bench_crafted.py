"""`tacet bench crafted`: EPCs made to collide cost what random ones cost."""

import statistics
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.bench_engine import feed_timed, make_tracker, split
from edge.bench_report import Baseline, Sizes, percentile
from edge.bench_workload import EPC_BYTES, START_NS, ZONES, make_reads, pad_epcs, random_epcs
from edge.columns import Columns

EPCS = 20_000
READS_PER_EPC = 50
READ_GAP_NS = 20_000
BATCH = 1000
MERSENNE = (1 << 61) - 1
SAME_HASH_BITS = 9
KNOWN_SEED = 0

Bytes = NDArray[np.uint8]


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of EPCs: medians over the passes; `p99_ratio` is to the random ones of the same pass."""

    epcs: str
    p50_ns_per_read: float
    p99_ns_per_read: float
    p99_ratio: float
    rebuilds: int


class CraftedResult(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles over batches of 1000 reads, in processor time, so that other programs do not make the 99th."""

    name: str = "crafted"
    epcs: int
    reads: int
    batch: int
    worst_p99_ratio: float
    patterns: list[Pattern]
    baseline: Baseline


def bench_crafted(sizes: Sizes) -> Iterator[CraftedResult]:
    """Each kind in turn, fresh engine and seed each, for as many passes; random ones among them."""
    rng = np.random.default_rng(3)
    kinds = {name: _shuffle(rng, epcs) for name, epcs in make_kinds(rng).items()}
    parts = {name: split(columns, BATCH) for name, columns in kinds.items()}
    p50: dict[str, list[float]] = {name: [] for name in kinds}
    p99: dict[str, list[float]] = {name: [] for name in kinds}
    rebuilds = dict.fromkeys(kinds, 0)
    for _ in range(sizes.passes):
        for name in kinds:
            tracker = make_tracker(ZONES)
            each_ns = sorted(1e9 * seconds / BATCH for seconds in feed_timed(tracker, parts[name]))
            p50[name].append(percentile(each_ns, 0.5))
            p99[name].append(percentile(each_ns, 0.99))
            rebuilds[name] += tracker.counters.rebuilds
    ratios = {
        name: statistics.median(own / other for own, other in zip(p99[name], p99["random"], strict=True))
        for name in kinds
    }
    worst = max(ratio for name, ratio in ratios.items() if name != "random")
    yield CraftedResult(
        epcs=EPCS,
        reads=EPCS * READS_PER_EPC,
        batch=BATCH,
        worst_p99_ratio=round(worst, 2),
        patterns=[_pattern(name, p50[name], p99[name], ratios[name], rebuilds[name]) for name in kinds],
        baseline=Baseline(
            name="random EPCs, p99 per batch; the worst kind beside it",
            ns_each=round(statistics.median(p99["random"]), 1),
            ratio=round(1 / worst, 2),
        ),
    )


def _pattern(name: str, p50_ns: list[float], p99_ns: list[float], p99_ratio: float, rebuilds: int) -> Pattern:
    return Pattern(
        epcs=name,
        p50_ns_per_read=round(statistics.median(p50_ns), 1),
        p99_ns_per_read=round(statistics.median(p99_ns), 1),
        p99_ratio=round(p99_ratio, 2),
        rebuilds=rebuilds,
    )


def make_kinds(rng: np.random.Generator) -> dict[str, Bytes]:
    """Random EPCs, and those that are unkind to weak hashes."""
    low_bits = random_epcs(rng, EPCS)
    low_bits[:, :4] = low_bits[:, 8:] = (0x30, 0, 0, 0)
    low_bits[:, 4:8] = rng.choice(1 << 24, EPCS, replace=False).astype("<u4").view(np.uint8).reshape(-1, 4)
    multiples = (int(factor) * MERSENNE for factor in rng.choice(1 << 34, EPCS, replace=False))
    serials = np.tile(random_epcs(rng, 1), (EPCS, 1))
    serials[:, 8:] = np.arange(EPCS, dtype=">u4").view(np.uint8).reshape(-1, 4)
    return {
        "random": random_epcs(rng, EPCS),
        "equal low bits": low_bits,
        "multiples of 2^61-1": _rows(b"".join(each.to_bytes(EPC_BYTES, "little") for each in multiples)),
        "sequential serials": serials,
        f"colliding under the keys of seed {KNOWN_SEED}": _collide(rng),
    }


def _rows(data: bytes) -> Bytes:
    return np.frombuffer(data, np.uint8).reshape(-1, EPC_BYTES)


def _collide(rng: np.random.Generator) -> Bytes:
    """What an attacker makes who knows the index and its keys: EPCs that share the low bits of their hash."""
    from hotpath import index

    keys, found, count = index.make_index_keys(KNOWN_SEED), [], 0
    constant = np.uint64((int(keys[0]) + int(keys[1]) * EPC_BYTES) % (1 << 64))
    while count < EPCS:
        epcs = random_epcs(rng, 1 << 20)
        halves = np.ascontiguousarray(pad_epcs(epcs)).view(np.uint32).astype(np.uint64)
        total = constant + (halves * keys[2 : 2 + halves.shape[1]]).sum(axis=1)
        total = (total ^ total >> np.uint64(32)) * index.STIR
        alike = epcs[(total >> np.uint64(32)) % np.uint64(1 << SAME_HASH_BITS) == 0]
        found.append(alike)
        count += len(alike)
    return np.concatenate(found)[:EPCS]


def _shuffle(rng: np.random.Generator, epcs: Bytes) -> Columns:
    """Each EPC read many times, in an order of its own kind, 50 k reads a second, always in its zone."""
    which = rng.permuted(np.tile(np.arange(EPCS), READS_PER_EPC))
    t_ns = START_NS + READ_GAP_NS * np.arange(len(which))
    return make_reads(t_ns, which % ZONES, epcs[which])
