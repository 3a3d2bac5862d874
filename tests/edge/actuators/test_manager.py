"""Actuators behind commands: done once, safe when nobody is in charge, and honest about what is not known."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from broker_config.messages import ActuatorCommand, ActuatorResult
from broker_config.site import ActuatorId
from edge.actuators.manager import MAX_WAITING
from edge.clock import to_datetime
from tests.edge.actuators.manager_rig import Bench, MemoryLedger
from tests.support.edge import FakeRelay, ManualClock
from tests.support.patience import eventually


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


@dataclass
class FloodedLedger(MemoryLedger):
    """Where each old order that is answered, another one waits already: somebody plays them again and again."""

    flood: Callable[[], None] = lambda: None

    async def keep(self, state: Mapping[str, bytes], result: ActuatorResult | None) -> None:
        await super().keep(state, result)
        self.flood()
        await asyncio.sleep(0)


async def test_a_hold_ends_in_its_time_however_many_old_orders_are_played_again(clock: ManualClock) -> None:
    ledger = FloodedLedger()
    bench = Bench(FakeRelay(), ledger, clock)
    async with bench.running():
        ledger.flood = lambda: bench.order(3)
        bench.order(4, hold_ms=30)
        await eventually(lambda: bench.relay.told == [False, True, False])


async def test_a_new_command_replaces_the_hold_of_the_old(clock: ManualClock) -> None:
    bench = Bench(FakeRelay(), MemoryLedger(), clock, refresh_s=0.02)
    async with bench.running():
        bench.order(1, hold_ms=60_000)
        await bench.results("done")
        assert bench.line._revert_at_s is not None
        bench.order(2)
        await bench.results("done", "done")
        assert bench.line._revert_at_s is None
        await eventually(lambda: len(bench.relay.told) > 8)
        assert bench.relay.told[1:] == [True] * (len(bench.relay.told) - 1)


async def test_a_lost_link_brings_the_safe_state(bench: Bench) -> None:
    async with bench.running():
        bench.order(1)
        await bench.results("done")
        bench.line.link_lost()
        await eventually(lambda: bench.relay.on is False)
        assert bench.state == (False, "ok")


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
