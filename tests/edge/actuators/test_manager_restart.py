"""What an actuator's line knows after a stop, a crash, or a retry: nothing is done twice, and what nobody knows is said."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.messages import ActuatorResult
from edge.actuators.fence import Fence
from tests.edge.actuators.manager_rig import Bench, MemoryLedger
from tests.support.edge import FakeRelay, ManualClock
from tests.support.patience import eventually


async def test_the_fence_survives_a_restart(bench: Bench, clock: ManualClock) -> None:
    async with bench.running():
        bench.order(5)
        await bench.results("done")
    again = Bench(FakeRelay(), MemoryLedger(bench.ledger.kept), clock)
    async with again.running():
        again.order(4)
        again.order(5)
        await again.results("stale", "done")
        assert again.relay.told == [False]


async def test_an_intent_without_an_outcome_is_told_as_unknown_and_not_done_twice(bench: Bench) -> None:
    bench.ledger.kept["actuator/lamp"] = b'{"version":[7,3],"decision":"d3","result":null}'
    async with bench.running():
        await bench.results("unknown")
        assert (bench.ledger.results[0].version, bench.ledger.results[0].decision) == ((7, 3), "d3")
        bench.order(3)
        await bench.results("unknown", "unknown")
        assert bench.relay.told == [False]


async def test_a_retry_of_an_older_command_is_answered_as_the_first_time(bench: Bench, clock: ManualClock) -> None:
    async with bench.running():
        bench.order(1)
        bench.order(2, on=False)
        await bench.results("done", "done")
        bench.order(1)
        await bench.results("done", "done", "done")
    again = Bench(FakeRelay(), MemoryLedger(bench.ledger.kept), clock)
    async with again.running():
        again.order(1)
        await again.results("done")
        assert again.relay.told == [False]


class Crash(BaseException):
    """The process ends here."""


@dataclass
class MortalLedger(MemoryLedger):
    """Dies before or after the so manyth writing."""

    dies_at: int = -1
    after: bool = False

    async def keep(self, state: Mapping[str, bytes], result: ActuatorResult | None) -> None:
        self.dies_at -= 1
        if self.dies_at == 0 and not self.after:
            raise Crash
        await super().keep(state, result)
        if self.dies_at == 0:
            raise Crash


@given(
    deaths=st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=4),
    orders=st.lists(st.integers(1, 5), min_size=1, max_size=8),
)
@settings(max_examples=40, deadline=None)
def test_a_pulse_is_given_at_most_once_whenever_the_agent_dies(
    deaths: list[tuple[int, bool]], orders: list[int]
) -> None:
    asyncio.run(pulses(deaths, orders))


async def pulses(deaths: list[tuple[int, bool]], orders: list[int]) -> None:
    """Retries in any order to an agent that dies in the middle of them, and a last one that lives."""
    clock, ledger = ManualClock(), MortalLedger()
    done: list[bool] = []
    for dies_at, after in [*deaths, (-1, False)]:
        ledger.dies_at, ledger.after = dies_at, after
        bench = Bench(FakeRelay(), ledger, clock)
        task = asyncio.create_task(bench.line.run())
        for order in orders:
            bench.order(order, hold_ms=60_000)
            count = len(ledger.results)
            await eventually(lambda: task.done() or len(ledger.results) > count)  # noqa: B023 - awaited in the same turn
        task.cancel()
        with suppress(asyncio.CancelledError, Crash):
            await task
        done += [on for on in bench.relay.told if on]
    kept = msgspec.json.decode(ledger.kept["actuator/lamp"], type=Fence)
    tried = {each.version for each in kept.outcomes} | {kept.version}
    assert len(done) <= len(tried), "a pulse was repeated"
    assert kept.version == (7, max(orders))
    finals: dict[tuple[int, int], set[str]] = {}
    for result in ledger.results:
        finals.setdefault(result.version, set()).add(result.result)
    assert all(len(words - {"stale"}) <= 1 for words in finals.values()), finals
