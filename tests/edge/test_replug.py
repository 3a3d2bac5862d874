"""Devices pulled out and plugged in again, over real ptys behind stable links: each comes back, whatever the kernel calls it."""

import asyncio
import logging
import os
import pty
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

import edge.actuators.manager
import edge.health
import edge.pump
from broker_config.backoff import Backoff
from edge.actuators.manager import ActuatorLine
from edge.agent import Agent
from edge.clock import Clock
from edge.config import load_config
from edge.outbox import Outbox
from edge.shelf_watch import ShelfWatch
from hotpath.warm import _steps
from readers.model import Weight
from simulators.alone import EPCS, make_alone
from simulators.device import Device
from simulators.pty_host import PtyLine
from tests.support.edge import ScriptedEngine
from tests.support.patience import eventually
from tests.support.patient_loop import working_ns

MB = 1 << 20
SENSOR = '\n[[sensors]]\nid = "p-desk"\ntype = "hlk-ld2410"\nport = "sim/p-desk"\nzone = "desk"\n'
DEVICES: Mapping[str, str] = {
    "r-door": "magicrf-m100",
    "w-s1": "mt-sics",
    "p-desk": "hlk-ld2410",
    "lamp-s1": "lcus-relay",
}
"""One of each kind, by id."""


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    """Seconds of compiling in the middle of a stream would be silence to the driver; the agent compiles at its start."""
    dict(_steps())["wire scan"]()


@asynccontextmanager
async def living(edge_folder: Path) -> AsyncIterator[Agent]:
    """An agent on real ports; nothing is plugged in yet."""
    path = edge_folder / "edge.toml"
    path.write_text(path.read_text() + SENSOR)
    (edge_folder / "sim").mkdir(exist_ok=True)
    config = load_config(path)
    async with Outbox(config.data / "outbox.sqlite", "gw-1", quota_bytes=MB, clock_ns=Clock()) as outbox:
        agent = Agent(config, ScriptedEngine(), outbox, Clock())
        task = asyncio.create_task(agent.run())
        try:
            await eventually(lambda: agent.health.devices or task.done())
            yield agent
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def stepped(line: PtyLine) -> AsyncIterator[None]:
    async def live() -> None:
        while True:
            line.step(working_ns())
            await asyncio.sleep(0.002)

    living = asyncio.create_task(live())
    try:
        yield
    finally:
        living.cancel()
        line.unplug()


@contextmanager
def taken(port: Path) -> Iterator[None]:
    """Somebody else has the kernel's name that was just given back."""
    with ExitStack() as others:
        while not port.exists():
            for descriptor in pty.openpty():
                others.callback(os.close, descriptor)
        yield


def state_of(agent: Agent, device_id: str) -> str:
    return next(device.state for device in agent.health.devices if device.id == device_id)


class Heard:
    """A device that counts what it hears."""

    def __init__(self, device: Device) -> None:
        self.device, self.count = device, 0

    @property
    def baud(self) -> int:
        return self.device.baud

    def feed(self, data: bytes, now_ns: int) -> bytes:
        self.count += len(data)
        return self.device.feed(data, now_ns)

    def tick(self, now_ns: int) -> bytes:
        return self.device.tick(now_ns)


@pytest.mark.parametrize("device_id", DEVICES)
async def test_a_device_that_comes_back_under_another_kernel_name_is_opened_by_its_stable_one(
    device_id: str, edge_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ActuatorLine.__init__.__kwdefaults__, "refresh_s", 0.2)  # by which it notices a loss
    weights: list[Weight] = []
    monkeypatch.setattr(ShelfWatch, "weigh", lambda _, weight: weights.append(weight))
    device, link = Heard(make_alone(DEVICES[device_id], EPCS, 1, print)), edge_folder / "sim" / device_id
    line, names = PtyLine(device, link), []
    link.parent.mkdir()
    line.plug()  # already when the configuration is read, which must not follow the link for good
    async with living(edge_folder) as agent, stepped(line):
        engine = agent._pipeline.engine
        assert isinstance(engine, ScriptedEngine)
        works = {
            "r-door": lambda: engine.fed,
            "w-s1": lambda: weights,
            "p-desk": lambda: agent.stats().sensors[0].occupied is not None,
            "lamp-s1": lambda: device.count,
        }[device_id]
        with ExitStack() as others:
            for _ in range(2):
                line.plug()
                names.append(link.readlink())
                await eventually(lambda: state_of(agent, device_id) == "ready" and works())
                line.unplug()
                await eventually(lambda: state_of(agent, device_id) == "lost")
                others.enter_context(taken(names[-1]))
                engine.fed = device.count = 0
                weights.clear()
    assert names[0] != names[1]


async def test_every_device_is_tried_again_after_a_pause_of_its_own_with_jitter(
    edge_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[int, list[float]] = {}
    jitter: list[tuple[float, float]] = []

    class Watched(Backoff):
        def next_delay_s(self) -> float:
            asked.setdefault(id(self), []).append(self._next_s)
            return super().next_delay_s() / 100

    def uniform(low: float, high: float) -> float:
        jitter.append((low, high))
        return low

    monkeypatch.setattr(edge.pump, "Backoff", Watched)
    monkeypatch.setattr(edge.actuators.manager, "Backoff", Watched)
    monkeypatch.setattr("broker_config.backoff.random.uniform", uniform)
    async with living(edge_folder) as agent:
        everything = len(agent.health.devices)
        assert everything == 9
        await eventually(lambda: len(asked) == everything and min(map(len, asked.values())) >= 5)
    for delays_s in asked.values():
        assert delays_s[:5] == [0.25, 0.5, 1.0, 2.0, 2.0]
    assert set(jitter) == {(0.5, 1.0)}


async def test_a_passing_name_is_warned_of_once(
    edge_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(edge.health, "lasting_name", lambda port: Path("/dev/serial/by-id/one") if port else None)
    line = PtyLine(make_alone("magicrf-m100", (), 1, print), edge_folder / "sim" / "r-door")
    with caplog.at_level(logging.WARNING, "edge.health"):
        async with living(edge_folder) as agent, stepped(line):
            for _ in range(2):
                line.plug()
                await eventually(lambda: state_of(agent, "r-door") == "ready")
                line.unplug()
                await eventually(lambda: state_of(agent, "r-door") == "lost")
    warnings = [record.getMessage() for record in caplog.records if record.name == "edge.health"]
    assert len(warnings) == 1
    assert warnings[0].startswith("r-door: ")
    assert warnings[0].endswith('write port = "/dev/serial/by-id/one"')
