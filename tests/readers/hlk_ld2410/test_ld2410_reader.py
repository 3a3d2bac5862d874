"""The LD2410 driver against the simulated radar over a real pty."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout
from readers.hlk_ld2410.reader import Ld2410Sensor, Ld2410Settings
from readers.model import Proximity
from readers.ports import SerialPort
from readers.sensor_driver import Patience
from simulators.faults import FaultyDevice
from simulators.hlk_ld2410 import Firmware, Ld2410Device, Scene
from simulators.scene_file import FaultPlan
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

SOON = Patience(answer_s=0.15, rearm_s=0.2, dead_s=0.6)
DEFAULTS = Ld2410Settings()
MS = 1_000_000


class Room:
    """What is before the radar."""

    def __init__(self, moving_cm: int = 0, still_cm: int = 0) -> None:
        self.scene = Scene(moving_cm, still_cm)

    def __call__(self, _now_ns: int) -> Scene:
        return self.scene


class Steps:
    """A clock that goes on by a tenth of a second whenever it is asked, so that nothing is too soon to be told."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        self.now_ns += 100 * MS
        return self.now_ns


@asynccontextmanager
async def opened(path, device, settings=DEFAULTS):
    async with (
        simulated(device, path / "port") as line,
        SerialPort(path / "port", 256_000) as port,
        Ld2410Sensor("p-1", port, settings, Steps(), SOON) as sensor,
    ):
        yield sensor, line


def radar(room: Room | None = None, **make) -> Ld2410Device:
    return Ld2410Device(room or Room(), firmware=Firmware(**{"report_s": 0.02, **make}))


async def until(sensor: Ld2410Sensor, wanted) -> Proximity:
    """The first report of the kind."""
    async with asyncio.timeout(WAIT_S):
        async for sensed in sensor.proximities():
            if wanted(sensed):
                return sensed
    raise AssertionError("the stream ended")


async def test_it_tells_who_comes_sits_and_goes_but_not_who(tmp_path):
    room = Room()
    device = radar(room)
    device.kept.hold_s = 0
    async with opened(tmp_path, device) as (sensor, _):
        assert sensor.version == "V1.07.22091516"
        first = await until(sensor, lambda _: True)
        assert (first.sensor_id, first.occupied, first.moving, first.distance_cm) == ("p-1", False, False, None)
        room.scene = Scene(moving_cm=150)
        assert (await until(sensor, lambda s: s.occupied)).distance_cm == 150
        room.scene = Scene(still_cm=90)
        assert (await until(sensor, lambda s: s.moving is False)).distance_cm == 90
        room.scene = Scene()
        await until(sensor, lambda s: s.occupied is False)
        assert sensor.health.signs_of_life
        assert (sensor.health.discarded_bytes, sensor.health.bad_frames) == (0, 0)


async def test_ghost_distances_and_early_firmware_do_no_harm(tmp_path):
    room = Room()
    async with opened(tmp_path, radar(room, ghost_cm=80, still_in_moving_field=True, reserved_tail=True)) as (
        sensor,
        _,
    ):
        assert (await until(sensor, lambda _: True)).occupied is False
        room.scene = Scene(still_cm=84)
        sensed = await until(sensor, lambda s: s.occupied)
        assert (sensed.moving, sensed.distance_cm) == (False, 84)


@pytest.mark.parametrize(
    "left", [{"configuring": True}, {"engineering": True}, {"deaf_to_first": True}, {"reserved_tail": True}]
)
async def test_however_a_crashed_host_left_it_it_reports(tmp_path, left):
    device = radar(Room(moving_cm=60), **left)
    async with opened(tmp_path, device) as (sensor, _):
        assert (await until(sensor, lambda _: True)).occupied
        assert not device._engineering


async def test_settings_are_written_only_where_they_differ(tmp_path):
    settings = Ld2410Settings(max_moving_gate=4, max_still_gate=3, hold_s=2)
    device = radar()
    for _ in range(2):
        async with opened(tmp_path, device, settings) as (sensor, _):
            assert (sensor.parameters.max_moving, sensor.parameters.max_still, sensor.parameters.hold_s) == (4, 3, 2)
    assert device.written == 1
    async with opened(tmp_path, device):
        assert device.written == 1, "what is left out stays"
    assert (device.kept.max_moving, device.kept.hold_s) == (4, 2)


async def test_a_radar_set_by_somebody_to_what_the_manual_does_not_know_is_no_reason_to_fail(tmp_path):
    device = radar()
    device.kept.max_moving = 1
    with pytest.raises(ReaderRefused, match="0x60"):
        async with opened(tmp_path, device, Ld2410Settings(hold_s=9)):
            pass
    async with opened(tmp_path, device) as (sensor, _):
        assert sensor.parameters.max_moving == 1


async def test_a_setting_that_is_refused_or_not_taken_is_said(tmp_path):
    with pytest.raises(ReaderRefused, match="refuses command 0x60: status 1"):
        async with opened(tmp_path, radar(refuses=(0x60,)), Ld2410Settings(hold_s=9)):
            pass
    device = radar()
    device._set = lambda code, value: b"\0\0"
    with pytest.raises(ReaderRefused, match=r"asked for gates and hold \(8, 8, 9\), the radar has \(8, 8, 5\)"):
        async with opened(tmp_path, device, Ld2410Settings(hold_s=9)):
            pass


async def test_a_radar_that_could_not_be_set_up_is_let_out_of_its_configuration(tmp_path):
    device = radar(refuses=(0xA0,))
    async with simulated(device, tmp_path / "port"), asyncio.timeout(WAIT_S):
        async with SerialPort(tmp_path / "port", 256_000) as port:
            with pytest.raises(ReaderRefused, match="0xa0"):
                async with Ld2410Sensor("p-1", port, Ld2410Settings(), Steps(), SOON):
                    pass
            assert await port.receive()
        assert not device._configuring


async def test_an_answer_that_comes_twice_is_not_taken_for_that_of_the_next_command(tmp_path):
    device = radar(Room(moving_cm=60))
    obey = device._obey
    device._obey = lambda *command: obey(*command) * 2
    async with opened(tmp_path, device) as (sensor, _):
        assert sensor.version == "V1.07.22091516"
        assert (await until(sensor, lambda _: True)).occupied


async def test_nothing_there_says_what_to_check(tmp_path):
    device = radar()
    device._deaf, device._obey = True, lambda *_: b""
    with pytest.raises(ReaderTimeout, match="no answer to command 0xff; check power"):
        async with opened(tmp_path, device):
            pass


async def test_a_radar_that_falls_silent_is_let_out_of_its_configuration(tmp_path):
    device = radar()
    async with opened(tmp_path, device) as (sensor, _):
        await until(sensor, lambda _: True)
        device._configuring = True
        await until(sensor, lambda _: sensor.health.rearms == 1)


async def test_a_dead_radar_is_a_timeout_although_the_port_is_open(tmp_path):
    device = radar()
    async with opened(tmp_path, device) as (sensor, _):
        device.tick = lambda _: b"\xf4\xf3noise"
        with pytest.raises(ReaderTimeout, match=r"no report for 0\.6 s"):
            await until(sensor, lambda s: s.occupied)
        assert sensor.health.rearms
        assert sensor.health.discarded_bytes


async def test_noise_costs_reports_and_never_makes_one(tmp_path):
    plan = FaultPlan(drop_rate=0.005, garbage_rate=0.01, split_rate=0.3)
    device = FaultyDevice(radar(Room(moving_cm=200)), plan, random.Random(7))
    async with opened(tmp_path, device) as (sensor, _):
        seen = []
        await until(sensor, lambda s: seen.append(s) or len(seen) == 40)
        assert sensor.health.discarded_bytes
        assert {s.occupied for s in seen} == {True}


async def test_unplugged_and_plugged_in_again(tmp_path):
    device = radar()
    async with opened(tmp_path, device) as (sensor, line):
        await until(sensor, lambda _: True)
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await until(sensor, lambda s: s.occupied)
    device.power_cycle()
    async with opened(tmp_path, device) as (sensor, _):
        await until(sensor, lambda _: True)
