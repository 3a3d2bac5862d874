"""`tacet bench match`: batched member look-ups in an opened table, beside look-ups one by one and a dict of EPCs in clear.

Also how soon the table is ready, and how long reads wait when a new one takes its place.
"""

import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from broker_config.errors import ConfigError
from broker_config.identity import make_credential
from broker_config.member_table import MemberTable
from edge.at_rest import AtRest
from edge.bench_engine import make_table
from edge.bench_report import Baseline, Sizes
from edge.bench_swap import SwapResult, measure_swap
from edge.bench_workload import load_workload, make_cards, pad_epcs
from edge.member_file import IncomingTable, OpenedMembers, index_members, open_members

LOOK_UPS = 1_000_000
BASELINE_LOOK_UPS = 200_000


class MatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """`tacet bench match`: batched look-ups, half of them members.

    Args:
        table_ready_s: a sealed table on disk opened, checked and searchable, as at the agent's start.
        table_indexed_s: a table in memory copied and searchable.
        table_kept_s: a table received, sealed, written, opened, checked and synchronised to the disk, as in the agent's thread.
        hits: members found.
    """

    name: str = "match"
    members: int
    look_ups: int
    ns_per_look_up: float
    passes_ns_per_look_up: list[float]
    table_ready_s: float
    table_indexed_s: float
    table_kept_s: float
    hits: int
    swap: SwapResult
    one_by_one: Baseline
    baseline: Baseline


def bench_match(sizes: Sizes) -> Iterator[MatchResult]:
    """Look up a million EPCs in a table of cards, every other one a member's."""
    cards = make_cards(sizes.member_count) if sizes.reads is None else load_workload(sizes.reads, sizes.members).cards
    if not len(cards):
        raise ConfigError("match looks members up; give them by --members FILE.npy")
    key = secrets.token_bytes(16)
    table = make_table(cards, key)
    indexed_s, _ = _timed(lambda: index_members(table))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "members"
        at_rest = AtRest(make_credential("agent", "bench"), "members")
        kept_s, _ = _keep(table, path, at_rest)
        ready_s, opened = _timed(lambda: open_members(path, at_rest))
        swap = measure_swap(cards, key, lambda: open_members(path, at_rest), sizes.batches[-1])
    yield _measure(cards, key, opened, sizes.passes, swap, (ready_s, indexed_s, kept_s))


def _timed(work: Callable[[], OpenedMembers]) -> tuple[float, OpenedMembers]:
    start_s = time.perf_counter()
    done = work()
    return time.perf_counter() - start_s, done


def _keep(table: MemberTable, path: Path, at_rest: AtRest) -> tuple[float, OpenedMembers]:
    data = table.to_bytes()

    def keep() -> OpenedMembers:
        with IncomingTable(path, at_rest) as incoming:
            incoming.write(data)
            return incoming.accept()

    return _timed(keep)


def _measure(
    cards: NDArray[np.uint8],
    key: bytes,
    members: OpenedMembers,
    passes: int,
    swap: SwapResult,
    ready_s: tuple[float, float, float],
) -> MatchResult:
    from hotpath.members import make_ahead, match, match_singly

    asked = cards[np.random.default_rng(2).integers(0, len(cards), LOOK_UPS)]
    asked[::2, 1] ^= 0xA5  # nobody's: cards differ at their end
    found = np.zeros(LOOK_UPS, np.int64)
    lengths, words = np.full(LOOK_UPS, cards.shape[1], np.uint8), np.frombuffer(key, "<u8").astype(np.uint64)
    request = words, members.rows, members.slots, pad_epcs(asked), lengths, found
    hits, each_ns = _time_passes(lambda: match(*request, make_ahead()), passes)
    median_ns = statistics.median(each_ns)
    _, singly_ns = _time_passes(lambda: match_singly(*request), passes)
    return MatchResult(
        members=len(cards),
        look_ups=LOOK_UPS,
        ns_per_look_up=round(median_ns, 1),
        passes_ns_per_look_up=[round(each, 1) for each in each_ns],
        table_ready_s=round(ready_s[0], 3),
        table_indexed_s=round(ready_s[1], 3),
        table_kept_s=round(ready_s[2], 3),
        hits=hits,
        swap=swap,
        one_by_one=_compare("the same look-ups one by one, without prefetch", statistics.median(singly_ns), median_ns),
        baseline=_measure_dict(cards, asked, median_ns),
    )


def _time_passes(look_up: Callable[[], int], passes: int) -> tuple[int, list[float]]:
    """Hits, and each pass in ns per look-up; once before, which compiles."""
    hits, each_ns = look_up(), []
    for _ in range(passes):
        start_s = time.perf_counter()
        look_up()
        each_ns.append(1e9 * (time.perf_counter() - start_s) / LOOK_UPS)
    return hits, each_ns


def _measure_dict(cards: NDArray[np.uint8], asked: NDArray[np.uint8], median_ns: float) -> Baseline:
    """A Python dict of plain EPCs: no keyed hash, so less work and no secrecy."""
    data, size = cards.tobytes(), cards.shape[1]
    table = {data[at : at + size]: at for at in range(0, len(data), size)}
    wanted = [epc.tobytes() for epc in asked[:BASELINE_LOOK_UPS]]
    start_s = time.perf_counter()
    for epc in wanted:
        table.get(epc)
    each_ns = 1e9 * (time.perf_counter() - start_s) / len(wanted)
    return _compare(f"a Python dict of {len(table)} EPCs in clear, one by one", each_ns, median_ns)


def _compare(name: str, each_ns: float, median_ns: float) -> Baseline:
    return Baseline(name=name, ns_each=round(each_ns, 1), ratio=round(each_ns / median_ns, 2))
