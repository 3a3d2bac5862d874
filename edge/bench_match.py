"""`tacet bench match`: batched member look-ups, beside a Python dict of EPCs in clear."""

import secrets
import statistics
import time
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from broker_config.errors import ConfigError
from edge.bench_engine import make_table
from edge.bench_report import Baseline, Sizes
from edge.bench_workload import load_workload, make_cards, pad_epcs

LOOK_UPS = 1_000_000
BASELINE_LOOK_UPS = 200_000


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


def bench_match(sizes: Sizes) -> Iterator[MatchResult]:
    """Look up a million EPCs in a table of cards, every other one a member's."""
    from hotpath import members

    cards = make_cards(sizes.member_count) if sizes.reads is None else load_workload(sizes.reads, sizes.members).cards
    if not len(cards):
        raise ConfigError("match looks members up; give them by --members FILE.npy")
    key = secrets.token_bytes(16)
    rows = np.frombuffer(make_table(cards, key).records, "<u8").astype(np.uint64).reshape(-1, 4)
    start_s = time.perf_counter()
    slots = members.make_slots(len(rows))
    members.fill_slots(rows, slots)
    ready_s = time.perf_counter() - start_s
    asked = cards[np.random.default_rng(2).integers(0, len(cards), LOOK_UPS)]
    asked[::2, 1] ^= 0xA5  # nobody's: cards differ at their end
    epc, found = pad_epcs(asked).view(np.uint8), np.zeros(LOOK_UPS, np.int64)
    lengths, words = np.full(LOOK_UPS, cards.shape[1], np.uint8), np.frombuffer(key, "<u8").astype(np.uint64)
    each_ns, hits = [], 0
    for _ in range(sizes.passes):
        start_s = time.perf_counter()
        hits = members.match(words, rows, slots, epc, lengths, found, members.make_ahead())
        each_ns.append(1e9 * (time.perf_counter() - start_s) / LOOK_UPS)
    median_ns = statistics.median(each_ns)
    yield MatchResult(
        members=len(cards),
        look_ups=LOOK_UPS,
        ns_per_look_up=round(median_ns, 1),
        passes_ns_per_look_up=[round(each, 1) for each in each_ns],
        table_ready_s=round(ready_s, 3),
        hits=hits,
        baseline=_measure_baseline(cards, asked, median_ns),
    )


def _measure_baseline(cards: NDArray[np.uint8], asked: NDArray[np.uint8], median_ns: float) -> Baseline:
    """A Python dict of plain EPCs: no keyed hash, so less work and no secrecy."""
    table = {card.tobytes(): row for row, card in enumerate(cards[:LOOK_UPS])}
    wanted = [epc.tobytes() for epc in asked[:BASELINE_LOOK_UPS]]
    start_s = time.perf_counter()
    for epc in wanted:
        table.get(epc)
    each_ns = 1e9 * (time.perf_counter() - start_s) / len(wanted)
    return Baseline(
        name=f"a Python dict of {len(table)} EPCs in clear, one by one",
        ns_each=round(each_ns, 1),
        ratio=round(each_ns / median_ns, 2),
    )
