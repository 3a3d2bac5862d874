"""The MT-SICS driver against the simulated terminal over a real pty."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest

from readers.errors import ReaderDisconnected
from readers.model import Weight
from readers.mt_sics.reader import MtSicsScale, MtSicsSettings, Patience
from readers.ports import SerialPort
from simulators.mt_sics import MtSicsDevice
from simulators.mt_sics.device import Terminal
from simulators.scene_shelf import LoadReading
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

SOON = Patience(answer_s=0.5, rearm_s=0.3, dead_s=2.0)
NOW_NS = 1_700_000_000_000_000_000


@dataclass
class Pan:
    grams: float = 100.0
    stable: bool = True

    def weigh(self, _now_ns: int) -> LoadReading:
        return LoadReading(self.grams, self.stable)


def terminal(pan: Pan) -> MtSicsDevice:
    return MtSicsDevice(pan.weigh, terminal=Terminal(repeat_s=0.02))


@asynccontextmanager
async def opened(port: SerialPort):
    async with MtSicsScale("w-1", port, MtSicsSettings(), lambda: NOW_NS, SOON) as scale:
        yield scale


async def take(scale: MtSicsScale, count: int) -> list[Weight]:
    weights: list[Weight] = []
    async with asyncio.timeout(WAIT_S):
        async for weight in scale.weights():
            weights.append(weight)
            if len(weights) == count:
                break
    return weights


async def test_weights_stream_as_they_are(tmp_path):
    pan = Pan()
    async with (
        simulated(terminal(pan), tmp_path / "port"),
        SerialPort(tmp_path / "port", 9600) as port,
        opened(port) as scale,
    ):
        assert await take(scale, 2) == [Weight("w-1", Decimal("100.0"), True, NOW_NS)] * 2
        assert scale.serial_number == "B021002593"
        pan.grams, pan.stable = 20.5, False
        while (weight := (await take(scale, 1))[0]).stable:
            pass
        assert weight.grams == Decimal("20.5")
        assert scale.health.signs_of_life == scale.health.frames - 1  # all but the answer to I4


async def test_a_terminal_that_a_crashed_host_left_streaming_starts_anew(tmp_path):
    device = terminal(Pan())
    async with simulated(device, tmp_path / "port"):
        async with SerialPort(tmp_path / "port", 9600) as dead:
            await dead.send(b"SIR\r\n")
            while b"S S" not in await dead.receive():
                pass
        async with SerialPort(tmp_path / "port", 9600) as port, opened(port) as scale:
            assert len(await take(scale, 3)) == 3
            assert scale.health.rearms == 0


async def test_a_terminal_that_lost_its_power_is_told_to_stream_again(tmp_path):
    device = terminal(Pan())
    async with simulated(device, tmp_path / "port"), SerialPort(tmp_path / "port", 9600) as port, opened(port) as scale:
        await take(scale, 1)
        device.power_cycle()
        while not scale.health.rearms:
            await take(scale, 1)
        assert len(await take(scale, 2)) == 2


async def test_unplugged_and_plugged_in_again(tmp_path):
    device = terminal(Pan())
    async with simulated(device, tmp_path / "port") as line:
        async with SerialPort(tmp_path / "port", 9600) as port, opened(port) as scale:
            await take(scale, 1)
            line.unplug()
            with pytest.raises(ReaderDisconnected):
                await take(scale, 99)
        line.plug()
        async with SerialPort(tmp_path / "port", 9600) as port, opened(port) as scale:
            assert len(await take(scale, 1)) == 1
