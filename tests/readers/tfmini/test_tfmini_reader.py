"""The TFmini driver against the simulated range finder over a real pty."""

import asyncio
import random
import time
from contextlib import asynccontextmanager

import pytest

from readers.errors import ReaderDisconnected, ReaderTimeout
from readers.model import Proximity
from readers.ports import SerialPort
from readers.sensor_driver import Patience
from readers.tfmini.codec import Measurement
from readers.tfmini.occupancy import UNSURE_NS
from readers.tfmini.reader import BLIND, TfMiniSensor, TfMiniSettings
from simulators.faults import FaultyDevice
from simulators.scene_file import FaultPlan
from simulators.tfmini import Echo, Firmware, TfMiniDevice
from tests.readers.peers import Peer
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

SOON = Patience(answer_s=0.1, rearm_s=0.2, dead_s=0.6)
MS = 1_000_000
WITHIN_100 = TfMiniSettings(occupied_within_cm=100, hysteresis_cm=20)
NEAR, FAR, NOTHING = Echo(80, 900), Echo(300, 400), Echo(0, 5)


class View:
    """What the range finder sees."""

    def __init__(self, echo: Echo) -> None:
        self.echo = echo

    def __call__(self, _now_ns: int) -> Echo:
        return self.echo


class Steps:
    """A clock that goes on by 100 ms whenever it is asked."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        self.now_ns += 100 * MS
        return self.now_ns


@asynccontextmanager
async def opened(path, device, settings=WITHIN_100):
    async with (
        simulated(device, path / "port") as line,
        SerialPort(path / "port", 115_200) as port,
        TfMiniSensor("p-1", port, settings, Steps(), SOON) as sensor,
    ):
        yield sensor, line


async def until(sensor: TfMiniSensor, wanted) -> Proximity:
    async with asyncio.timeout(WAIT_S):
        async for sensed in sensor.proximities():
            if wanted(sensed):
                return sensed
    raise AssertionError("the stream ended")


def finder(view, **make) -> TfMiniDevice:
    return TfMiniDevice(view, firmware=Firmware(**make))


@pytest.mark.parametrize("model", ["plus", "original"])
async def test_it_tells_near_far_and_cannot_tell(tmp_path, model):
    view = View(FAR)
    device = finder(view, model=model)
    async with opened(tmp_path, device) as (sensor, _):
        assert sensor.version == ("1.9.6" if model == "plus" else None)
        first = await until(sensor, lambda _: True)
        assert (first.sensor_id, first.occupied, first.moving, first.distance_cm) == ("p-1", False, None, 300)
        view.echo = NEAR
        assert (await until(sensor, lambda s: s.occupied)).distance_cm == 80
        view.echo = NOTHING
        sensed = await until(sensor, lambda s: s.occupied is not True)
        assert (sensed.occupied, sensed.distance_cm) == (None, None)
        assert sensor.health.no_value >= UNSURE_NS // (100 * MS)
        assert (sensor.health.alarms, sensor.health.alarm) == (1, BLIND)
        view.echo = FAR
        await until(sensor, lambda s: s.occupied is False)
        assert sensor.health.temperature_c == (41.5 if model == "plus" else None)
        assert sensor.health.discarded_bytes <= 9
    assert device.written == 0


class Blinking(View):
    """Sees nothing every other time."""

    def __call__(self, now_ns: int) -> Echo:
        return NOTHING if now_ns // (10 * MS) % 2 else self.echo


async def test_one_bad_measurement_in_between_is_counted_and_changes_nothing(tmp_path):
    async with opened(tmp_path, finder(Blinking(NEAR))) as (sensor, _):
        await until(sensor, lambda s: s.occupied)
        said = []
        await until(sensor, lambda s: said.append((s.occupied, s.distance_cm)) or len(said) == 12)
        assert set(said) == {(True, 80)}
        assert sensor.health.no_value


@pytest.mark.parametrize(("strength", "settings", "known"), [
    (60, WITHIN_100, False),
    (60, TfMiniSettings(occupied_within_cm=100, min_strength=50), True),
])  # fmt: skip
async def test_a_plus_needs_a_stronger_echo_unless_told_otherwise(tmp_path, strength, settings, known):
    device = finder(View(Echo(80, 900)))
    device._measure = lambda _: Measurement(80, strength, 2380).to_bytes()
    async with opened(tmp_path, device, settings) as (sensor, _):
        assert ((await until(sensor, lambda _: True)).occupied is not None) == known


@pytest.mark.parametrize("left", [{"output": False}, {"format": 2}, {"format": 6}, {"rate_hz": 20}])
async def test_however_somebody_left_a_plus_it_measures_centimetres(tmp_path, left):
    device = finder(View(NEAR), **left)
    async with opened(tmp_path, device) as (sensor, _):
        assert (await until(sensor, lambda s: s.occupied)).distance_cm == 80
        assert sensor.health.rearms == 0
    assert device.written == 0


@pytest.mark.parametrize("one_echo", [False, True])
async def test_an_original_left_in_text_mode_is_put_right_once(tmp_path, one_echo):
    device = finder(View(NEAR), model="original", format=2, one_echo=one_echo)
    for _ in range(2):
        async with opened(tmp_path, device) as (sensor, _):
            assert (await until(sensor, lambda s: s.occupied)).distance_cm == 80
    assert device.written == 1


async def test_an_original_whose_setup_fails_halfway_is_let_out_of_it(tmp_path):
    device = finder(View(NEAR), model="original", format=2)
    feed = device.feed

    def mute_within(data: bytes, now_ns: int) -> bytes:
        answer = feed(data, now_ns)
        return b"" if b"\x06" in answer else answer

    device.feed = mute_within
    async with simulated(device, tmp_path / "port"), SerialPort(tmp_path / "port", 115_200) as port:
        with pytest.raises(ReaderTimeout, match="no answer to 4257020000000106"):
            async with TfMiniSensor("p-1", port, WITHIN_100, Steps(), SOON):
                pass
        async with asyncio.timeout(WAIT_S):
            while device._in_setup:
                await port.receive()


async def test_an_original_that_keeps_sending_text_is_not_believed(tmp_path):
    device = finder(View(NEAR), model="original", format=2)
    device.feed = lambda *_: b""
    with pytest.raises(ReaderTimeout, match="no answer to 4257020000000102; check both data lines"):
        async with opened(tmp_path, device):
            pass


async def test_nothing_there_says_what_to_check(tmp_path):
    device = finder(View(NEAR), model="original", output=False)
    with pytest.raises(ReaderTimeout, match="no measurement and no answer; check power"):
        async with opened(tmp_path, device):
            pass


async def test_millimetres_that_were_under_way_are_not_taken_for_centimetres(tmp_path):
    device = finder(View(NEAR), format=6)
    feed = device.feed
    device.feed = lambda data, now_ns: device._measure(now_ns) * 5 + feed(data, now_ns)
    async with opened(tmp_path, device) as (sensor, _):
        seen = []
        await until(sensor, lambda s: seen.append(s.distance_cm) or len(seen) == 5)
        assert set(seen) == {80}


async def test_a_consumer_that_was_busy_for_long_does_not_call_a_living_sensor_dead():
    raw = Measurement(80, 900, 2380).to_bytes()
    async with Peer() as peer, SerialPort(peer.path, 115_200) as port:
        sensor = TfMiniSensor("p-1", port, WITHIN_100, Steps(), Patience(rearm_s=0.02, dead_s=0.03))
        told = sensor.proximities()
        peer.say(raw * 2)
        assert (await anext(told)).occupied
        peer.say(raw * 2)
        time.sleep(0.05)  # longer than dead_s, with measurements waiting
        assert (await anext(told)).occupied
        await told.aclose()


async def test_a_plus_that_lost_power_is_set_up_again(tmp_path):
    device = finder(View(NEAR), format=2)
    async with opened(tmp_path, device) as (sensor, _):
        await until(sensor, lambda s: s.occupied)
        device.power_cycle()
        await until(sensor, lambda _: sensor.health.rearms == 1)


async def test_a_dead_range_finder_is_a_timeout_although_the_port_is_open(tmp_path):
    device = finder(View(NEAR))
    async with opened(tmp_path, device) as (sensor, _):
        device.tick, device.feed = lambda _: b"YY babble 1.21\r\n", lambda *_: b""
        with pytest.raises(ReaderTimeout, match=r"no report for 0\.6 s"):
            await until(sensor, lambda s: s.occupied is False)
        assert sensor.health.rearms


async def test_noise_costs_measurements_and_never_makes_one(tmp_path):
    plan = FaultPlan(drop_rate=0.01, corrupt_rate=0.005, garbage_rate=0.02, split_rate=0.3)
    device = FaultyDevice(finder(View(NEAR), rate_hz=200), plan, random.Random(7))
    async with opened(tmp_path, device) as (sensor, _):
        seen = []
        await until(sensor, lambda s: seen.append(s) or len(seen) == 60)
        assert sensor.health.discarded_bytes
        assert {s.distance_cm for s in seen} == {80}


async def test_unplugged_and_plugged_in_again(tmp_path):
    device = finder(View(NEAR))
    async with opened(tmp_path, device) as (sensor, line):
        await until(sensor, lambda _: True)
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await until(sensor, lambda s: s.occupied is False)
    device.power_cycle()
    async with opened(tmp_path, device) as (sensor, _):
        await until(sensor, lambda _: True)
