"""An engine for the benchmarks, and the loop that is timed."""

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from broker_config.member_table import MemberTable
from edge.bench_workload import pad_epcs
from edge.columns import Columns
from edge.presence import Tracker
from edge.presence_model import Antenna, Layout, PresenceSettings, TransitionKind, ZoneSettings, ZoneSpec

FOREVER_NS = 1 << 62
CAPACITY = 65_536
KINDS: tuple[TransitionKind, ...] = get_args(TransitionKind)[:5]  # without coverage: no reader is lost here


def make_tracker(
    zones: int,
    settings: ZoneSettings | None = None,
    own_goods: Sequence[bytes] | None = None,
    capacity: int = CAPACITY,
    seed: int | None = None,
) -> Tracker:
    """A fresh engine over floor zones of one antenna each.

    Args:
        own_goods: as the engine takes them; None: every EPC is the site's own.
    """
    specs = tuple(ZoneSpec(f"z-{number}", "floor", settings) for number in range(zones))
    layout = Layout(tuple(Antenna("bench", zone, zone) for zone in range(zones)), specs)
    own_seed = secrets.randbits(62) if seed is None else seed
    return Tracker(layout, PresenceSettings(), seed=own_seed, own_goods=own_goods, capacity=capacity)


def split(columns: Columns, batch: int) -> list[Columns]:
    """The batches, views of the same memory."""
    return [columns.part(at, at + batch) for at in range(0, len(columns), batch)]


def feed_all(tracker: Tracker, parts: Sequence[Columns]) -> tuple[float, Counter[int]]:
    """Seconds that the engine took for these batches, and how many events of each kind it gave.

    What a caller must do in any case is inside the time: take the events out, here only their kinds.
    """
    taken: list[bytes] = []
    start_s = time.perf_counter()
    for part in parts:
        for events in tracker.feed_columns(part):
            taken.append(events["kind"].tobytes())
    elapsed_s = time.perf_counter() - start_s
    kinds: Counter[int] = Counter()
    for each in taken:
        kinds.update(each)
    return elapsed_s, kinds


def feed_timed(tracker: Tracker, parts: Sequence[Columns]) -> list[float]:
    """Seconds of processor time for each batch, events taken out, in order."""
    seconds = []
    for part in parts:
        start_s = time.thread_time()
        for events in tracker.feed_columns(part):
            events["kind"].tobytes()
        seconds.append(time.thread_time() - start_s)
    return seconds


def make_table(cards: NDArray[np.uint8], key: bytes) -> MemberTable:
    """A member table of these cards, handles by number."""
    from hotpath.members import hash_cards

    hashes = np.zeros((len(cards), 2), np.uint64)
    lengths = np.full(len(cards), cards.shape[1], np.uint8)
    hash_cards(np.frombuffer(key, "<u8").astype(np.uint64), pad_epcs(cards), lengths, hashes)
    order = np.argsort(hashes[:, 0].byteswap())  # as the bytes are sorted
    rows = np.zeros((len(cards), 4), np.uint64)
    rows[:, :2] = hashes[order]
    rows[:, 2] = order
    return MemberTable(1, FOREVER_NS, rows.tobytes())


def make_member(cards: NDArray[np.uint8], tracker: Tracker) -> None:
    """Make the cards members', under a fresh key."""
    key = secrets.token_bytes(16)
    tracker.set_members(key, make_table(cards, key))
