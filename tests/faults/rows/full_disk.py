"""Rows 19 and 20: a disk that somebody else fills to its last byte, under the agent and under the server."""

import asyncio

from tests.faults.full_disk import on_small_disk
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row

EDGE_MB, SERVER_MB = 4, 6


async def fill_edge(profile: Profile) -> list[Outcome]:
    """The agent goes on, drops by class and counts it, and writes again once there is space."""
    return [await asyncio.to_thread(on_small_disk, "edge", seed, EDGE_MB) for seed in profile.seeds(fast=1, full=10)]


async def fill_server(profile: Profile) -> list[Outcome]:
    """The server acknowledges nothing that it cannot write, says that it is not ready, and goes on by itself."""
    return [
        await asyncio.to_thread(on_small_disk, "server", seed, SERVER_MB) for seed in profile.seeds(fast=1, full=10)
    ]


ROWS = (
    Row((19,), "the edge's disk is full", fill_edge),
    Row((20,), "the server's disk is full", fill_server),
)
