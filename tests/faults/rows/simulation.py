"""Everything at once: a whole store in virtual time, each seed another mixture of troubles, replayable to the bit."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.faults.simulation.mutants import no_dedupe
from tests.faults.simulation.run import simulate
from tests.faults.simulation.store import template

LASTS_S = 600.0
"""Of virtual time, in the full profile."""


async def store_in_trouble(profile: Profile) -> list[Outcome]:
    """The whole store, as it is."""
    return await asyncio.to_thread(_simulate, profile, nullcontext)


async def no_dedupe_in_trouble(profile: Profile) -> list[Outcome]:
    """A server that takes every repetition for news."""
    return await asyncio.to_thread(_simulate, profile, no_dedupe)


def _simulate(profile: Profile, wrong: Callable[[], AbstractContextManager[None]]) -> list[Outcome]:
    """In a thread, because a simulated process is an event loop, and this one's is taken.

    In the full profile each fifth seed lasts for ten minutes of the store's time.
    """
    seeds: Sequence[int] = profile.seeds(fast=12, full=1000)
    outcomes: list[Outcome] = []
    with template() as ground, wrong():
        for seed in seeds:
            longer = not profile.fast and seed % 5 == 0
            run = simulate(seed, ground, **({"lasts_s": LASTS_S} if longer else {}))
            run.outcome.extra["troubles"] = run.injected
            outcomes.append(run.outcome)
    return outcomes


ROWS = (Row((), "all together, simulated", store_in_trouble, no_dedupe_in_trouble, "repetitions are news"),)
