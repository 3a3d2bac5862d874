"""The TFmini family: frames, meanings, opinion, and the driver against the simulated range finder over a real pty."""

import asyncio
import random
import time
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint, EntryPoints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers import plugins
from readers.capture import describe_capture, find_protocol
from readers.errors import FrameError, ReaderDisconnected, ReaderTimeout, SettingsError, UnknownDevice
from readers.model import Proximity
from readers.ports import SerialPort
from readers.registry import GROUP, check_sensor, settings_for
from readers.sensor_driver import Decimator, Patience
from readers.tfmini import commands
from readers.tfmini.codec import Command, FrameDecoder, Measurement, Setup, Text
from readers.tfmini.occupancy import UNSURE_NS, Occupancy
from readers.tfmini.reader import BLIND, TfMiniSensor, TfMiniSettings
from simulators.faults import FaultyDevice
from simulators.scene_file import FaultPlan
from simulators.tfmini import Echo, Firmware, TfMiniDevice
from tests.readers.peers import Peer
from tests.readers.simulated import simulated

SOON = Patience(answer_s=0.1, rearm_s=0.2, dead_s=0.6)
MS, S = 1_000_000, 1_000_000_000
WITHIN_100 = TfMiniSettings(occupied_within_cm=100, hysteresis_cm=20)
NEAR, FAR, NOTHING = Echo(80, 900), Echo(300, 400), Echo(0, 5)
FRAME = Measurement(120, 600, 2380)


def records_of(data: bytes, direction: str = "from_reader"):
    return list(describe_capture(find_protocol("tfmini", direction), [data]))


measurements = st.builds(Measurement, *[st.integers(0, 0xFFFF)] * 3)
answers = st.builds(Command, st.integers(0, 0xFF), st.binary(max_size=28))
echoes = st.builds(Setup, st.integers(0, 0xFF), st.binary(min_size=3, max_size=3), st.just(True))
texts = st.integers(0, 9999).map(lambda cm: Text(f"{cm / 100:.2f}")) | st.sampled_from([Text("-1"), Text("-1.00")])


@given(st.lists(measurements | answers, max_size=8) | st.lists(texts | echoes, max_size=8), st.data())
def test_frames_come_back_whole_however_they_are_cut(frames, data):
    stream = b"".join(frame.to_bytes() for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    decoder = FrameDecoder()
    edges = zip([0, *cuts], [*cuts, len(stream)], strict=True)
    assert [frame for a, b in edges for frame in decoder.feed(stream[a:b])] + decoder.flush() == frames


@given(st.builds(Command, st.integers(0, 255), st.binary(max_size=28)) | echoes.map(lambda e: Setup(e.code, e.value)))
def test_commands_come_back_whole(command):
    assert FrameDecoder("to_reader").feed(command.to_bytes()) == [command]


def test_no_flipped_bit_makes_another_measurement():
    raw = FRAME.to_bytes()
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        decoder = FrameDecoder()
        assert decoder.feed(bytes(flipped) + raw) + decoder.flush() == [FRAME], bit


def test_a_right_sum_is_not_enough_out_of_step():
    """The middle of a stream whose distances look like headers: 59 59 and a right sum, but no frame behind it."""
    false = FRAME.to_bytes()
    decoder = FrameDecoder()
    assert decoder.feed(false + b"\x00" + FRAME.to_bytes() * 2) == [FRAME, FRAME]
    assert decoder.discarded_bytes == 10


def test_in_step_a_measurement_is_told_at_once_and_out_of_step_with_the_next():
    decoder = FrameDecoder()
    assert decoder.feed(FRAME.to_bytes()) == []
    assert decoder.feed(FRAME.to_bytes()[:2]) == [FRAME]
    assert decoder.feed(FRAME.to_bytes()[2:]) == [FRAME]
    assert decoder.feed(b"\x00" + FRAME.to_bytes()) == []
    assert decoder.flush() == [FRAME]


@given(st.lists(st.sampled_from([b"YY", b"Z ", b"BW\x02", b"1.2", b"-", b"\r", b"\n", b"Y", b"\x00"]), max_size=300))
def test_what_waits_is_never_more_than_one_command(pieces):
    decoder = FrameDecoder()
    for piece in pieces:
        decoder.feed(piece)
        assert len(decoder._buffer) <= 32


@pytest.mark.parametrize(
    ("measurement", "said"),
    [
        (Measurement(120, 600, 2380), {"distance_cm": 120, "reliable": True, "temperature_c": 41.5}),
        (Measurement(120, 600, 7), {"distance_cm": 120, "reliable": True, "mode": 7}),
        (Measurement(0xFFFF, 12, 7), {"distance_cm": 65535, "reliable": False, "mode": 7}),
        (Measurement(120, 19, 7), {"strength": 19, "reliable": False}),
        (Measurement(120, 0xFFFF, 2380), {"reliable": False}),
        (Measurement(0, 600, 2380), {"reliable": False}),
        (Measurement(0xFFFC, 600, 2380), {"reliable": False}),
        (Measurement(1500, 600, 2380), {"reliable": True}),
        (Measurement(1501, 600, 2380), {"reliable": False}),
    ],
)
def test_measurements_in_words(measurement, said):
    [record] = records_of(measurement.to_bytes())
    assert record["decoded"].items() >= {"format": "binary", **said}.items()


@pytest.mark.parametrize(
    ("data", "direction", "said"),
    [
        ("5a0701060901 72", "from_reader", {"id": 1, "name": "get_version", "version": "1.9.6"}),
        ("5a050501 65", "to_reader", {"id": 5, "name": "set_format", "payload": "01"}),
        ("5a050700 66", "to_reader", {"id": 7, "name": "set_output", "payload": "00"}),
        ("5a0411 6f", "to_reader", {"id": 17, "name": "save"}),
        ("5a0603e803 4e", "to_reader", {"id": 3, "name": "set_frame_rate", "payload": "e803"}),
        ("4257020000000102", "to_reader", {"setup": 2, "name": "setup", "value": "000001"}),
        ("4257020100000106", "from_reader", {"setup": 6, "name": "set_format", "value": "000001"}),
        (b"-1\r\n".hex(), "from_reader", {"format": "text", "distance_m": None}),
        (b"12.00\r\n".hex(), "from_reader", {"format": "text", "distance_m": 12.0}),
    ],
)
def test_commands_and_text_in_words(data, direction, said):
    [record] = records_of(bytes.fromhex(data), direction)
    assert record["decoded"] == said


@pytest.mark.parametrize(
    ("data", "direction", "why"),
    [
        ("5959780058024c0900", "from_reader", "checksum 00, computed d9"),
        ("5a04015e", "to_reader", "checksum 5e, computed 5f"),
        ("5a21", "to_reader", "length 33, a command has 4 to 32"),
        ("4257020100000102", "to_reader", "fourth byte 0x01, not 0x00"),
        ("425703", "to_reader", "no whole header"),
        (b"1.2\r\n".hex(), "from_reader", "no line of text mode"),
        (b"1.2100\r\n".hex(), "from_reader", "no line of text mode"),
        ("59005a", "from_reader", "one 59, not two"),
    ],
)
def test_what_no_range_finder_says_is_refused_with_its_reason(data, direction, why):
    record = records_of(bytes.fromhex(data), direction)[0]
    assert (record["valid"], record["why"]) == (False, why)


def test_orders_are_built_as_published_and_impossible_ones_refused():
    assert commands.GET_VERSION.to_bytes().hex() == "5a04015f"
    assert commands.frame_rate(1000).to_bytes().hex() == "5a0603e8034e"
    assert commands.BEGIN_SETUP.to_bytes().hex() == "4257020000000102"
    with pytest.raises(ValueError, match="1000 / n"):
        commands.frame_rate(300)
    with pytest.raises(FrameError, match="three bytes"):
        commands.parse_version(Command(1, b"\x01"))
    assert commands.parse_text(Text("1.21")).distance_cm == 121
    assert commands.parse_text(Text("-1")).distance_cm is None


def test_somebody_at_the_border_does_not_come_and_go():
    opinion = Occupancy(100, 20)
    said = []
    for cm in (110, 101, 100, 110, 120, 121, 110, 100):
        opinion.measured(cm, 0)
        said.append(opinion.occupied)
    assert said == [False, False, True, True, True, False, False, True]


def test_what_cannot_be_measured_is_neither_near_nor_far():
    opinion = Occupancy(100, 20)
    opinion.measured(80, 0)
    assert not opinion.blinded(UNSURE_NS - 1)
    assert opinion.occupied
    assert opinion.blinded(UNSURE_NS)
    assert opinion.occupied is None
    assert not opinion.blinded(UNSURE_NS + 1), "told once"
    opinion.measured(110, UNSURE_NS + 2)
    assert opinion.occupied is False
    assert not opinion.blinded(UNSURE_NS + 3)
    assert not Occupancy(100, 20).blinded(5 * S), "it has just begun"


def test_changes_pass_at_once_and_the_rest_ten_times_a_second():
    decimator = Decimator()
    told = [
        decimator.passes(Proximity("p", 300 <= at_ms < 305, None, at_ms, at_ms * MS)) for at_ms in range(0, 1000, 10)
    ]
    assert sum(told) in (11, 12, 13)
    assert told[30:32] == [True, True]
    assert sum(told[:10]) <= 2


def test_the_distance_must_be_given():
    with pytest.raises(SettingsError, match="occupied_within_cm"):
        check_sensor("tfmini", {})


def test_a_plug_in_that_senses_nothing_is_no_sensor(monkeypatch):
    points = EntryPoints([EntryPoint("third-party", "readers.mt_sics.reader:MtSicsScale", GROUP)])
    monkeypatch.setattr(plugins, "entry_points", lambda **wanted: points.select(**wanted))
    with pytest.raises(UnknownDevice, match="'third-party' is no sensor; known: hlk-ld2410, tfmini"):
        check_sensor("third-party", {})


def test_the_keys_of_a_sensors_stanza_are_known_by_its_type():
    assert "occupied_within_cm" in settings_for("tfmini").__struct_fields__
    assert "hold_s" in settings_for("hlk-ld2410").__struct_fields__


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
    async with asyncio.timeout(5):
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
