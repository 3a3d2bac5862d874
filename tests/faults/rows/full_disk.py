"""Rows 19 and 20: a disk that somebody else fills to its last byte, under the agent and under the server."""

import asyncio

from tests.faults.full_disk import on_small_disk
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row

EDGE_MB, SERVER_MB = 4, 6
EDGE_RECOVERS_S, SERVER_RECOVERS_S = 5.0, 10.0


async def fill_edge(profile: Profile) -> list[Outcome]:
    """The agent goes on, drops by class and counts it, and writes again once there is space."""
    return [await _filled("edge", seed, EDGE_MB, EDGE_RECOVERS_S) for seed in profile.seeds(fast=1, full=10)]


async def fill_server(profile: Profile) -> list[Outcome]:
    """The server acknowledges nothing that it cannot write, says that it is not ready, and goes on by itself."""
    return [await _filled("server", seed, SERVER_MB, SERVER_RECOVERS_S) for seed in profile.seeds(fast=1, full=10)]


async def _filled(what: str, seed: int, disk_mb: int, recovers_s: float) -> Outcome:
    outcome = await asyncio.to_thread(on_small_disk, what, seed, disk_mb)
    outcome.expect(outcome.recovery_s <= recovers_s, f"it took more than {recovers_s:.0f} s to recover")
    return outcome


ROWS = (
    Row((19,), "the edge's disk is full", fill_edge, takes_s=(5, 60)),
    Row((20,), "the server's disk is full", fill_server, takes_s=(10, 120)),
)
