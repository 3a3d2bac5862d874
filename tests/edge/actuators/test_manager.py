"""Actuators behind commands: done once, safe when nobody is in charge, and honest about what is not known."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from broker_config.messages import ActuatorCommand, ActuatorResult, ActuatorState
from broker_config.site import ActuatorId
from edge.actuators.manager import MAX_WAITING, ActuatorLine
from edge.clock import to_datetime
from edge.health import Health
from tests.support.edge import FakeRelay, ManualClock, eventually


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
        self.health = Health(self.clock)
        self.health.add("lamp", "fake", "shoes")
        self.line = ActuatorLine(
            "lamp", self.relay.open, self.ledger, self.shown.append, self.health, self.clock, refresh_s=self.refresh_s
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


async def test_an_intent_without_an_outcome_is_not_done_twice(bench: Bench) -> None:
    bench.ledger.kept["actuator/lamp"] = b'{"version":[7,3],"decision":"d3","result":null}'
    async with bench.running():
        bench.order(3)
        await bench.results("device-lost")
        assert bench.relay.told == [False]


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
