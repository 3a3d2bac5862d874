"""Runs the benchmarks and says what they gave."""

import secrets
import statistics
import time
from collections import Counter
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from broker_config.member_table import MemberTable
from edge.bench_baseline import watch_with_dicts
from edge.bench_workload import Workload, pad_epcs
from edge.presence import Tracker
from edge.presence_model import Antenna, Layout, PresenceSettings, ZoneSpec

BASELINE_READS = 200_000
CAPACITY = 1 << 18
FOREVER_NS = 1 << 62
LOOK_UPS = 1_000_000
KINDS = ("arrived", "moved", "departed", "returned")


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured beside it, in the same run; `ratio` is how many times as long it takes."""

    name: str
    ns_each: float
    ratio: float


class PresenceResult(msgspec.Struct, frozen=True, kw_only=True):
    """`tacet bench presence`."""

    name: str = "presence"
    workload: str
    reads: int
    members: int
    batch: int
    ns_per_read: float
    passes_ns_per_read: list[float]
    table_ready_s: float
    events: dict[str, int]
    strays_forgotten: int
    evicted: int
    refused: int
    baseline: Baseline


class MatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """`tacet bench match`: batched look-ups, half of them members."""

    name: str = "match"
    members: int
    look_ups: int
    ns_per_look_up: float
    passes_ns_per_look_up: list[float]
    table_ready_s: float
    hits: int
    baseline: Baseline


@dataclass(frozen=True, slots=True)
class _Pass:
    elapsed_s: float
    events: Counter[int]
    tracker: Tracker


def bench_presence(workload: Workload, batch: int, passes: int) -> PresenceResult:
    """Whole semantics and member match over the workload, fresh state for each pass; the median counts."""
    key = secrets.token_bytes(16)
    table = make_table(workload.cards, key)
    start_s = time.perf_counter()
    _new_tracker(workload, key, table)
    ready_s = time.perf_counter() - start_s
    runs = [_run_once(workload, _new_tracker(workload, key, table), batch) for _ in range(passes)]
    reads = len(workload.columns)
    each_ns = [1e9 * run.elapsed_s / reads for run in runs]
    median_ns = statistics.median(each_ns)
    last = runs[-1].tracker.counters
    return PresenceResult(
        workload=workload.name,
        reads=reads,
        members=len(workload.cards),
        batch=batch,
        ns_per_read=round(median_ns, 1),
        passes_ns_per_read=[round(each, 1) for each in each_ns],
        table_ready_s=round(ready_s, 3),
        events={name: runs[-1].events[kind] for kind, name in enumerate(KINDS)},
        strays_forgotten=last.strays_forgotten,
        evicted=last.evicted,
        refused=last.refused,
        baseline=_baseline_presence(workload, median_ns),
    )


def _new_tracker(workload: Workload, key: bytes, table: MemberTable) -> Tracker:
    zones = tuple(ZoneSpec(f"z-{number}", "floor") for number in range(workload.antennas))
    layout = Layout(tuple(Antenna("bench", zone, zone) for zone in range(workload.antennas)), zones)
    tracker = Tracker(layout, PresenceSettings(), seed=secrets.randbits(62), own_goods=None, capacity=CAPACITY)
    tracker.set_members(key, table)
    return tracker


def _run_once(workload: Workload, tracker: Tracker, batch: int) -> _Pass:
    parts = [workload.columns.part(at, at + batch) for at in range(0, len(workload.columns), batch)]
    kinds: Counter[int] = Counter()
    elapsed_s = 0.0
    for part in parts:
        start_s = time.perf_counter()
        chunks = [events["kind"].tobytes() for events in tracker.feed_columns(part)]
        elapsed_s += time.perf_counter() - start_s
        for chunk in chunks:
            kinds.update(chunk)
    return _Pass(elapsed_s, kinds, tracker)


def _baseline_presence(workload: Workload, median_ns: float) -> Baseline:
    columns = workload.columns.part(0, BASELINE_READS)
    members = {card.tobytes() for card in workload.cards[:LOOK_UPS]}
    start_s = time.perf_counter()
    watch_with_dicts(columns, members)
    each_ns = 1e9 * (time.perf_counter() - start_s) / len(columns)
    name = f"plain Python with dicts, doing less, first {len(columns)} reads"
    return Baseline(name=name, ns_each=round(each_ns, 1), ratio=round(each_ns / median_ns, 1))


def make_table(cards: NDArray[np.uint8], key: bytes) -> MemberTable:
    """A member table of these cards."""
    from hotpath.members import hash_cards

    rows = np.zeros((len(cards), 4), np.uint64)
    hashes = np.zeros((len(cards), 2), np.uint64)
    hash_cards(np.frombuffer(key, "<u8").astype(np.uint64), pad_epcs(cards).view(np.uint8), _lengths(cards), hashes)
    rows[:, :2] = hashes
    rows[:, 2] = np.arange(len(cards), dtype=np.uint64)
    return MemberTable(1, FOREVER_NS, rows.tobytes())


def _lengths(cards: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.full(len(cards), cards.shape[1], np.uint8)


def bench_match(cards: NDArray[np.uint8], passes: int) -> MatchResult:
    """Look up a million EPCs in a table of `cards`, every other one a member's."""
    from hotpath import members

    key = secrets.token_bytes(16)
    rows = np.frombuffer(make_table(cards, key).records, "<u8").astype(np.uint64).reshape(-1, 4)
    start_s = time.perf_counter()
    slots = members.make_slots(len(rows))
    members.fill_slots(rows, slots)
    ready_s = time.perf_counter() - start_s
    asked = cards[np.random.default_rng(2).integers(0, len(cards), LOOK_UPS)]
    asked[::2, 11] ^= 0xA5  # no member's, but for chance
    epc, lengths, found = pad_epcs(asked).view(np.uint8), _lengths(asked), np.zeros(LOOK_UPS, np.int64)
    words = np.frombuffer(key, "<u8").astype(np.uint64)
    each_ns, hits = [], 0
    for _ in range(passes):
        start_s = time.perf_counter()
        hits = members.match(words, rows, slots, epc, lengths, found, members.make_ahead())
        each_ns.append(1e9 * (time.perf_counter() - start_s) / LOOK_UPS)
    median_ns = statistics.median(each_ns)
    return MatchResult(
        members=len(cards),
        look_ups=LOOK_UPS,
        ns_per_look_up=round(median_ns, 1),
        passes_ns_per_look_up=[round(each, 1) for each in each_ns],
        table_ready_s=round(ready_s, 3),
        hits=hits,
        baseline=_baseline_match(cards, asked, median_ns),
    )


def _baseline_match(cards: NDArray[np.uint8], asked: NDArray[np.uint8], median_ns: float) -> Baseline:
    """A Python dict of plain EPCs: no keyed hash, so less work and no secrecy."""
    table = {card.tobytes(): row for row, card in enumerate(cards[:LOOK_UPS])}
    wanted = [epc.tobytes() for epc in asked[:BASELINE_READS]]
    start_s = time.perf_counter()
    for epc in wanted:
        table.get(epc)
    each_ns = 1e9 * (time.perf_counter() - start_s) / len(wanted)
    return Baseline(
        name=f"a Python dict of {len(table)} EPCs in clear, one by one",
        ns_each=round(each_ns, 1),
        ratio=round(each_ns / median_ns, 2),
    )
