"""How long reads wait while a member table is made ready and put in force, as the agent does it: in a thread, then in one step."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.bench_engine import make_tracker, split
from edge.bench_workload import make_reads
from edge.columns import Columns
from edge.member_file import OpenedMembers
from edge.presence import Tracker

PRESENT = 500
QUIET_BATCHES = 2000
MS_PER_S = 1000
START_NS = 1_700_000_000_000_000_000
READ_EVERY_NS = 1_000_000


class SwapResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a new table does to reads that come batch by batch on an event loop.

    Args:
        present: members in the store, each looked up again in the new table.
        step_ms: the step on the loop that puts it in force.
        longest_wait_ms: between the ends of two batches, while the table is made ready, put in force, and the old one let go.
        quiet_wait_ms: the same with nothing else going on.
    """

    present: int
    batch: int
    step_ms: float
    longest_wait_ms: float
    quiet_wait_ms: float


def measure_swap(
    cards: NDArray[np.uint8], key: bytes, open_table: Callable[[], OpenedMembers], batch: int
) -> SwapResult:
    """Replace the table by itself while the cards of `PRESENT` members are read without end."""
    own = cards[:PRESENT]
    tracker, retired = make_tracker(1), [open_table()]
    tracker.set_members(key, retired[0])
    rows = np.arange(max(2 * len(own), batch))
    columns = make_reads(START_NS + rows * READ_EVERY_NS, np.zeros(len(rows), np.int64), own[rows % len(own)])
    tracker.feed(columns)
    return asyncio.run(_swap(tracker, key, open_table, split(columns, batch), retired))


async def _swap(
    tracker: Tracker,
    key: bytes,
    open_table: Callable[[], OpenedMembers],
    parts: list[Columns],
    retired: list[OpenedMembers],
) -> SwapResult:
    step_s = 0.0

    async def replace() -> None:
        nonlocal step_s
        members = await asyncio.to_thread(open_table)
        start_s = time.perf_counter()
        gone = tracker.set_members(key, members)
        step_s = time.perf_counter() - start_s
        assert not gone
        await asyncio.to_thread(retired.clear)

    async def wait() -> None:
        for _ in range(QUIET_BATCHES):
            await asyncio.sleep(0)

    await _longest_wait_s(tracker, parts, wait)
    quiet_s = await _longest_wait_s(tracker, parts, wait)
    longest_s = await _longest_wait_s(tracker, parts, replace)
    return SwapResult(
        present=tracker.counters.present_people,
        batch=len(parts[0]),
        step_ms=round(MS_PER_S * step_s, 3),
        longest_wait_ms=round(MS_PER_S * longest_s, 3),
        quiet_wait_ms=round(MS_PER_S * quiet_s, 3),
    )


async def _longest_wait_s(tracker: Tracker, parts: list[Columns], work: Callable[[], Awaitable[None]]) -> float:
    """Feed until `work` is done; the longest time between two batches."""
    working = asyncio.ensure_future(work())
    longest_s, before_s = 0.0, time.perf_counter()
    while not working.done():
        for part in parts:
            tracker.feed(part)
            await asyncio.sleep(0)
            now_s = time.perf_counter()
            longest_s, before_s = max(longest_s, now_s - before_s), now_s
    await working
    return longest_s
