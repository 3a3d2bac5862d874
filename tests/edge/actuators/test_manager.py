"""Actuators behind commands: done once, safe when nobody is in charge, and honest about what is not known."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.messages import ActuatorCommand, ActuatorResult, ActuatorState
from broker_config.site import ActuatorId
from edge.actuators.fence import Fence
from edge.actuators.manager import MAX_WAITING, ActuatorLine
from edge.clock import to_datetime
from edge.health import Health
from tests.support.edge import FakeRelay, KnownTime, ManualClock
from tests.support.patience import eventually


@dataclass
class MemoryLedger:
    """A disk that is there at once; `log` is the order in which things were kept."""

    kept: dict[str, bytes] = field(default_factory=dict)
    results: list[ActuatorResult] = field(default_factory=list)
    log: list[tuple[bytes | None, str | None]] = field(default_factory=list)

    async def load(self, key: str) -> bytes | None:
        return self.kept.get(key)

    async def keep(self, state: Mapping[str, bytes], result: ActuatorResult | None) -> None:
        self.kept.update(state)
        self.log.append((next(iter(state.values()), None), result and result.result))
        if result is not None:
            self.results.append(result)


@dataclass
class Bench:
    relay: FakeRelay
    ledger: MemoryLedger
    clock: ManualClock
    shown: list[ActuatorState] = field(default_factory=list)
    refresh_s: float = 5.0

    def __post_init__(self) -> None:
        self.health, self.time = Health(self.clock), KnownTime(self.clock)
        self.health.add("lamp", "fake", "shoes")
        self.line = ActuatorLine(
            "lamp", self.relay.open, self.ledger, self.shown.append, self.health, self.time, refresh_s=self.refresh_s
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.line.run())
        try:
            await eventually(lambda: self.shown or task.done())
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def order(
        self, count: int, *, on: bool = True, hold_ms: int | None = None, target: str = "lamp", ttl_ms: int = 2000
    ) -> None:
        self.line.command(
            ActuatorCommand(
                actuator=ActuatorId(target),
                version=(7, count),
                decision=f"d{count}",
                on=on,
                hold_ms=hold_ms,
                issued_at=to_datetime(self.clock.now_ns),
                ttl_ms=ttl_ms,
            )
        )

    async def results(self, *wanted: str) -> None:
        await eventually(lambda: len(self.ledger.results) >= len(wanted))
        assert tuple(result.result for result in self.ledger.results) == wanted

    @property
    def state(self) -> tuple[bool | None, str]:
        return self.shown[-1].on, self.shown[-1].link


@pytest.fixture
def bench(clock: ManualClock) -> Bench:
    return Bench(FakeRelay(), MemoryLedger(), clock)


async def test_a_command_is_done_and_answered(bench: Bench) -> None:
    async with bench.running():
        assert bench.state == (False, "ok")
        bench.order(1)
        await bench.results("done")
        assert bench.relay.on is True
        assert (bench.shown[-1].on, bench.shown[-1].version) == (True, (7, 1))
        assert (bench.ledger.results[0].version, bench.ledger.results[0].decision) == ((7, 1), "d1")
    assert bench.relay.on is False, "left on after the stop"


async def test_the_intent_is_kept_before_the_device_moves(bench: Bench) -> None:
    async with bench.running():
        bench.order(1)
        await bench.results("done")
    (intent, no_result), (outcome, result) = bench.ledger.log
    assert (b'"result":null' in (intent or b""), no_result) == (True, None)
    assert (b'"result":"done"' in (outcome or b""), result) == (True, "done")


async def test_a_retry_is_answered_from_memory_and_not_done_again(bench: Bench) -> None:
    async with bench.running():
        bench.order(1)
        bench.order(1)
        await bench.results("done", "done")
        assert bench.relay.told == [False, True]


async def test_stale_expired_and_foreign_commands_move_nothing(bench: Bench) -> None:
    async with bench.running():
        bench.order(5, on=False)
        await bench.results("done")
        bench.order(4)
        bench.order(6, ttl_ms=0)
        bench.order(7, target="gate")
        await bench.results("done", "stale", "expired", "wrong-target")
        assert True not in bench.relay.told
        bench.order(6)
        await bench.results("done", "stale", "expired", "wrong-target", "done")


async def test_a_command_that_waited_too_long_is_expired(bench: Bench) -> None:
    async with bench.running():
        late = ActuatorCommand(
            actuator=ActuatorId("lamp"),
            version=(7, 1),
            decision=None,
            on=True,
            issued_at=to_datetime(bench.clock.now_ns) - timedelta(seconds=3),
            ttl_ms=2000,
        )
        bench.line.command(late)
        await bench.results("expired")
        assert True not in bench.relay.told


@dataclass
class SlowLedger(MemoryLedger):
    """A disk that takes three seconds over an intent."""

    clock: ManualClock = field(default_factory=ManualClock)

    async def keep(self, state: Mapping[str, bytes], result: ActuatorResult | None) -> None:
        if result is None:
            self.clock.forward_s(3)
        await super().keep(state, result)


async def test_a_slow_disk_makes_no_command_act_after_its_time(clock: ManualClock) -> None:
    bench = Bench(FakeRelay(), SlowLedger(clock=clock), clock)
    async with bench.running():
        bench.order(1, ttl_ms=2000)
        await bench.results("expired")
        assert True not in bench.relay.told
        bench.order(2, ttl_ms=4000)
        await bench.results("expired", "done")


async def test_a_hold_ends_by_itself_in_the_safe_state(bench: Bench) -> None:
    async with bench.running():
        bench.order(1, hold_ms=30)
        await bench.results("done")
        await eventually(lambda: bench.state == (False, "ok") and bench.relay.on is False)
        assert bench.relay.told == [False, True, False]


async def test_a_new_command_replaces_the_hold_of_the_old(clock: ManualClock) -> None:
    bench = Bench(FakeRelay(), MemoryLedger(), clock, refresh_s=0.02)
    async with bench.running():
        bench.order(1, hold_ms=60)
        bench.order(2)
        await bench.results("done", "done")
        await eventually(lambda: len(bench.relay.told) > 8)
        assert bench.relay.told[1:] == [True] * (len(bench.relay.told) - 1)


async def test_a_lost_link_brings_the_safe_state(bench: Bench) -> None:
    async with bench.running():
        bench.order(1)
        await bench.results("done")
        bench.line.link_lost()
        await eventually(lambda: bench.relay.on is False)
        assert bench.state == (False, "ok")


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


async def test_without_the_servers_time_a_command_is_refused_and_may_come_again(bench: Bench) -> None:
    async with bench.running():
        bench.time.known = False
        bench.order(1)
        await bench.results("refused")
        assert "does not know the server's time" in (bench.ledger.results[0].reason or "")
        assert (bench.relay.told, bench.time.doubts, bench.health.tally.refused_commands) == ([False], 1, 1)
        bench.time.known = True
        bench.order(1)
        await bench.results("refused", "done")
        assert bench.relay.told == [False, True]


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


async def test_a_device_that_fails_is_reported_reopened_and_made_safe(clock: ManualClock) -> None:
    bench = Bench(FakeRelay(), MemoryLedger(), clock)
    async with bench.running():
        bench.relay.plugged = False
        bench.order(1)
        await bench.results("device-lost")
        await eventually(lambda: bench.state == (None, "lost"))
        assert bench.health.devices[0].reason == "lamp: unplugged"
        bench.order(2)
        await bench.results("device-lost", "device-lost")
        bench.relay.plugged = True
        await eventually(lambda: bench.relay.opened == 2)
        await eventually(lambda: bench.state == (False, "ok"))
        bench.order(2)
        await bench.results("device-lost", "device-lost", "done")


async def test_a_board_that_vanishes_in_silence_is_noticed(clock: ManualClock) -> None:
    bench = Bench(FakeRelay(), MemoryLedger(), clock, refresh_s=0.01)
    async with bench.running():
        bench.relay.plugged = False
        await eventually(lambda: bench.state == (None, "lost"))


async def test_a_flood_of_commands_ends_in_the_newest(bench: Bench) -> None:
    for count in range(1, MAX_WAITING * 3):
        bench.order(count, on=count % 2 == 0)
    bench.order(MAX_WAITING * 3, on=True)
    async with bench.running():
        await eventually(lambda: bench.ledger.results and bench.ledger.results[-1].version == (7, MAX_WAITING * 3))
        assert bench.relay.on is True
