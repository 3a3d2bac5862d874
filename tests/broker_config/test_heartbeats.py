"""The watchdog is answered while every loop moves, and not a moment longer."""

import asyncio
from dataclasses import dataclass, field

import pytest

from broker_config.heartbeats import Heartbeats, Watchdog
from broker_config.service_notify import ServiceNotifier
from tests.support.patience import WAIT_S


@dataclass
class Listener(ServiceNotifier):
    """Remembers instead of sending."""

    watchdog_s: float | None = 10.0
    pings: int = 0
    said: list[str] = field(default_factory=list)

    def alive(self) -> None:
        self.pings += 1

    def status(self, words: str) -> None:
        self.said.append(words)


@dataclass
class Bench:
    """A watchdog whose seconds pass by hand."""

    now_s: float = 0.0
    beats: Heartbeats = field(default_factory=Heartbeats)
    listener: Listener = field(default_factory=Listener)

    def __post_init__(self) -> None:
        self.watchdog = Watchdog(self.beats, self.listener, lambda: self.now_s)

    def pass_s(self, seconds: int) -> int:
        """Time goes by; how often the watchdog was answered in it."""
        before = self.listener.pings
        for _ in range(seconds):
            self.now_s += 1
            self.watchdog.look()
            self.watchdog.ping()
        return self.listener.pings - before


def test_it_is_answered_at_half_of_its_patience() -> None:
    assert Bench().pass_s(100) == 20


def test_a_loop_that_stops_stops_the_answers_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    moving, stopping = bench.beats.add("moving", 5), bench.beats.add("stopping", 5)
    stopping.beat()
    for _ in range(4):
        moving.beat()
        bench.pass_s(1)
    assert bench.listener.said == []
    for _ in range(20):
        moving.beat()
        bench.pass_s(1)
    assert bench.listener.pings == 1
    assert bench.listener.said == ["stuck: stopping"]
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == ["stuck: ('stopping',)"]
    stopping.beat()
    moving.beat()
    assert bench.pass_s(4) == 1
    assert bench.listener.said[-1] == "running"


async def test_a_loop_that_waits_for_the_world_is_alive_and_must_let_go_of_it() -> None:
    bench = Bench()
    beat = bench.beats.add("device", 5)
    beat.beat()
    async with beat.resting():
        assert bench.pass_s(100) == 20
    assert bench.pass_s(10) == 1
    beat.rest()
    assert bench.pass_s(10) == 2


async def test_without_a_watchdog_it_still_says_what_is_stuck() -> None:
    listener = Listener(watchdog_s=None)
    beats = Heartbeats()
    beats.add("loop", 0.5).beat()
    running = asyncio.create_task(Watchdog(beats, listener).run())
    async with asyncio.timeout(WAIT_S):
        while not listener.said:
            await asyncio.sleep(0.01)
    running.cancel()
    assert (listener.pings, listener.said) == (0, ["stuck: loop"])
