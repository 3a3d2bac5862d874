"""Everything at once: a whole store in virtual time, each seed another mixture of troubles, replayable to the bit."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
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
    return await asyncio.to_thread(lambda: [*_simulate(profile, nullcontext)])


async def no_dedupe_in_trouble(profile: Profile) -> list[Outcome]:
    """A server that takes every repetition for news."""
    return await asyncio.to_thread(lambda: until_unsound(_simulate(profile, no_dedupe)))


def until_unsound(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Up to the first one that fails: a control has to fail once, not often."""
    seen: list[Outcome] = []
    for outcome in outcomes:
        seen.append(outcome)
        if not outcome.sound:
            break
    return seen


def _simulate(profile: Profile, wrong: Callable[[], AbstractContextManager[None]]) -> Iterator[Outcome]:
    """In a thread, because a simulated process is an event loop, and this one's is taken.

    In the full profile each tenth seed lasts for ten minutes of the store's time.
    """
    with template() as ground, wrong():
        for seed in profile.seeds(fast=8, full=500):
            longer = not profile.fast and seed % 10 == 9
            run = simulate(seed, ground, **({"lasts_s": LASTS_S} if longer else {}))
            run.outcome.extra["troubles"] = run.injected
            yield run.outcome


ROWS = (
    Row(
        (),
        "all together, simulated",
        store_in_trouble,
        no_dedupe_in_trouble,
        "repetitions are news",
        limit_s=2700,
        takes_s=(20, 1000),
    ),
)
