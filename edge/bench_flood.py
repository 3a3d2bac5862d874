"""`tacet bench flood`: strays by the million with a few members among them: flat memory, and no member missed."""

import time
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.bench_engine import CAPACITY, feed_all, make_member, make_tracker, split
from edge.bench_report import Baseline, Sizes, resident_bytes
from edge.bench_workload import START_NS, ZONES, make_cards, make_reads, random_epcs
from edge.columns import Columns

MEMBERS = 1000
READS_PER_MEMBER = 5
MEMBER_GAP_NS = 400_000_000
STRAY_GAP_NS = 2_000
CHUNK = 1 << 16
BATCH = 4096
BASELINE_STRAYS = 500_000
MIB = 1 << 20


class FloodResult(msgspec.Struct, frozen=True, kw_only=True):
    """Half a million strays a second, each read once; a member is read five times in 1.6 s, so strays push between."""

    name: str = "flood"
    strays: int
    members: int
    capacity: int
    ns_per_read: float
    members_seen: int
    member_recall_percent: float
    resident_before_mib: float
    resident_after_mib: float
    evicted: int
    refused: int
    baseline: Baseline
    baseline_grew_mib: float


def bench_flood(sizes: Sizes) -> Iterator[FloodResult]:
    """All strays once, generated outside the measured time; then the same through a dict of everything seen."""
    tracker = make_tracker(ZONES, own_goods=[b"\xe2"])
    cards = make_cards(MEMBERS)
    make_member(cards, tracker)
    chunks = make_chunks(sizes.stray_count, cards)
    elapsed_s, reads, seen = 0.0, 0, 0
    before = after = 0
    for columns in chunks:
        seconds, kinds = feed_all(tracker, split(columns, BATCH))
        elapsed_s, reads, seen = elapsed_s + seconds, reads + len(columns), seen + kinds[0]
        after = resident_bytes()
        before = before or after
    counters = tracker.counters
    each_ns = 1e9 * elapsed_s / reads
    baseline, grew = _measure_baseline(cards, each_ns)
    yield FloodResult(
        strays=sizes.stray_count,
        members=MEMBERS,
        capacity=CAPACITY,
        ns_per_read=round(each_ns, 1),
        members_seen=seen,
        member_recall_percent=round(100 * seen / MEMBERS, 2),
        resident_before_mib=round(before / MIB, 1),
        resident_after_mib=round(after / MIB, 1),
        evicted=counters.evicted,
        refused=counters.refused,
        baseline=baseline,
        baseline_grew_mib=round(grew / MIB, 1),
    )


def make_chunks(strays: int, cards: NDArray[np.uint8]) -> Iterator[Columns]:
    """The flood, a piece at a time: never all of it in memory."""
    rng = np.random.default_rng(4)
    spread_ns = max(1, strays * STRAY_GAP_NS - (READS_PER_MEMBER - 1) * MEMBER_GAP_NS)
    first_ns = np.sort(rng.integers(0, spread_ns, len(cards)))
    member_ns = (first_ns[:, None] + MEMBER_GAP_NS * np.arange(READS_PER_MEMBER)).ravel()
    member = np.repeat(np.arange(len(cards)), READS_PER_MEMBER)
    for start in range(0, strays, CHUNK):
        stop = min(start + CHUNK, strays)
        last = stop == strays
        here = (member_ns >= start * STRAY_GAP_NS) & ((member_ns < stop * STRAY_GAP_NS) | last)
        t_ns = np.concatenate([np.arange(start, stop) * STRAY_GAP_NS, member_ns[here]])
        epcs = np.concatenate([random_epcs(rng, stop - start), cards[member[here]]])
        zone = np.concatenate([rng.integers(0, ZONES, stop - start), member[here] % ZONES])
        order = np.argsort(t_ns, kind="stable")
        yield make_reads(START_NS + t_ns[order], zone[order], epcs[order])


def _measure_baseline(cards: NDArray[np.uint8], engine_ns: float) -> tuple[Baseline, int]:
    """A dict of all tags ever seen, as a program without bounds keeps them; the bytes that it grew by."""
    (columns,) = [make_reads(*_strays(BASELINE_STRAYS))]
    wanted = {card.tobytes() for card in cards}
    epcs = [row[:12].tobytes() for row in columns.epc_bytes]
    times = columns.t_ns.tolist()
    before = resident_bytes()
    tags: dict[bytes, tuple[int, int, bool]] = {}
    start_s = time.perf_counter()
    for epc, t_ns in zip(epcs, times, strict=True):
        first_ns, reads, member = tags.get(epc) or (t_ns, 0, epc in wanted)
        tags[epc] = first_ns, reads + 1, member
    each_ns = 1e9 * (time.perf_counter() - start_s) / len(epcs)
    grew = resident_bytes() - before
    name = f"a Python dict of all tags ever seen, after {len(epcs)}"
    return Baseline(name=name, ns_each=round(each_ns, 1), ratio=round(each_ns / engine_ns, 1)), grew


def _strays(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    rng = np.random.default_rng(5)
    return START_NS + STRAY_GAP_NS * np.arange(count), rng.integers(0, ZONES, count), random_epcs(rng, count)
