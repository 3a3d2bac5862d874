"""The LD2410 radar: frames, meanings, and the driver against the simulated radar over a real pty."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.capture import describe_capture, find_protocol
from readers.errors import FrameError, ReaderDisconnected, ReaderRefused, ReaderTimeout
from readers.hlk_ld2410 import commands
from readers.hlk_ld2410.codec import BASIC, ENGINEERING, Command, FrameDecoder, Report
from readers.hlk_ld2410.reader import Ld2410Sensor, Ld2410Settings
from readers.model import Proximity
from readers.ports import SerialPort
from readers.sensor_driver import Patience
from simulators.faults import FaultyDevice
from simulators.hlk_ld2410 import Firmware, Ld2410Device, Scene
from simulators.scene_file import FaultPlan
from tests.readers.simulated import simulated

SOON = Patience(answer_s=0.15, rearm_s=0.2, dead_s=0.6)
DEFAULTS = Ld2410Settings()
MS = 1_000_000

NOBODY = "f4f3f2f10d0002aa000000000000370000 5500f8f7f6f5"
GHOST = "f4f3f2f10d0002aa0045003e00003a0000 5500f8f7f6f5"
STILL = "f4f3f2f10d0002aa025400000000640000 5500f8f7f6f5"
GATES = "f4f3f2f1230001aa 001e00001e000d0000 0808 130e07020507030405 00000d060505050505 6200 5500 f8f7f6f5"
OLD_GATES = "f4f3f2f1230001aa 031e003c0000390000 0808 3c2205030304030605 000039101306060804 0305 5500 f8f7f6f5"
PARAMETERS = "fdfcfbfa1c006101 0000 aa080808 3232281e140f0f0f0f 000028281e1e141414 0500 04030201"
FIRMWARE = "fdfcfbfa0c00a00100000001070116150922 04030201"


def frame_of(text: str):
    [frame] = FrameDecoder().feed(bytes.fromhex(text))
    assert frame.to_bytes() == bytes.fromhex(text)
    return frame


@pytest.mark.parametrize(
    ("text", "occupied", "moving", "distance_cm"),
    [
        (NOBODY, False, False, None),
        (GHOST, False, False, None),
        (STILL, True, False, 84),
        (GATES, False, False, None),
        (OLD_GATES, True, True, 30),
        ("f4f3f2f10d0002aa034f00644c006432005500f8f7f6f5", True, True, 76),
        ("f4f3f2f10d0002aa014f00644c006432005500f8f7f6f5", True, True, 79),
        ("f4f3f2f10d0002aa024f00644c006432005500f8f7f6f5", True, False, 76),
        ("f4f3f2f10d0002aa020000000000643200 5500f8f7f6f5", True, False, 50),
        ("f4f3f2f10d0002aa020000000000640000 5500f8f7f6f5", True, False, None),
        ("f4f3f2f10d0002aa044f00644c006432005500f8f7f6f5", None, None, None),
    ],
)
def test_the_state_is_believed_and_distances_only_with_it(text, occupied, moving, distance_cm):
    target = commands.parse_report(frame_of(text))
    assert (target.occupied, target.moving, target.distance_cm) == (occupied, moving, distance_cm)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NOBODY.replace("0d00", "0e00", 1), "length 14, a report of type 2 has 13"),
        (NOBODY.replace("02aa", "03aa"), "type 3, then 0xaa: no report begins so"),
        (NOBODY.replace("02aa", "02ab"), "type 2, then 0xab: no report begins so"),
        (NOBODY.replace("aa00", "aa07"), "state 7"),
        (STILL.replace("6400", "6500"), "energy 101, more than 100"),
        (STILL.replace("5400", "e903"), "distance 1001 cm, more than 1000"),
        (STILL.replace("5500", "5600"), "ends in 5600, not 5500"),
        (STILL.replace("5500", "5501"), "ends in 5501, not 5500"),
        (STILL.replace("f8f7f6f5", "f8f7f604"), "ends in f8f7f604, not f8f7f6f5"),
        (GATES.replace("0808", "0809"), "gate 9, the last is 8"),
        (GATES.replace("130e", "650e"), "energy 101, more than 100"),
        ("fdfcfbfa4100" + "00" * 65 + "04030201", "length 65, a command has 2 to 64"),
        ("fdfcfbfa0200610004030201", "code 0x0061 is no answer"),
        ("fdfcfbfa0200610104030201", "an answer without a status"),
    ],
)
def test_what_no_radar_says_is_refused_with_its_reason(text, why):
    [record] = describe_capture(find_protocol("hlk-ld2410", "from_reader"), [bytes.fromhex(text)])
    assert (record["valid"], record["why"]) == (False, why)


def test_a_report_is_no_command_of_a_host():
    [record] = describe_capture(find_protocol("hlk-ld2410", "to_reader"), [bytes.fromhex(STILL)])
    assert record["why"] == "a report, which no host sends"


def describe(text: str) -> dict[str, object]:
    [record] = describe_capture(find_protocol("hlk-ld2410", "from_reader"), [bytes.fromhex(text)])
    return record["decoded"]


def test_captured_answers_and_engineering_reports_in_words():
    assert describe(GATES) == {
        "kind": "engineering", "state": 0, "moving_cm": 30, "moving_energy": 0, "static_cm": 30, "static_energy": 13,
        "detection_cm": 0, "max_moving_gate": 8, "max_static_gate": 8, "moving_energies": [19, 14, 7, 2, 5, 7, 3, 4, 5],
        "static_energies": [0, 0, 13, 6, 5, 5, 5, 5, 5], "light": 98, "out": 0,
    }  # fmt: skip
    assert describe(FIRMWARE)["version"] == "V1.07.22091516"
    assert describe(PARAMETERS).items() >= {
        "max_gate": 8, "max_moving_gate": 8, "max_static_gate": 8, "hold_s": 5,
        "moving_sensitivity": [50, 50, 40, 30, 20, 15, 15, 15, 15],
        "static_sensitivity": [0, 0, 40, 40, 30, 30, 20, 20, 20],
    }.items()  # fmt: skip
    assert describe("fdfcfbfa0a00a501 0000 8f272eb80f65 04030201")["value"] == "8f272eb80f65"


def test_published_commands_are_built():
    wanted = "fdfcfbfa1400600000000800000001000800000002000500000004030201"
    assert commands.set_gates(8, 8, 5).to_bytes().hex() == wanted
    wanted = "fdfcfbfa140064000000ffff00000100280000000200280000000403 0201".replace(" ", "")
    assert commands.set_sensitivity(commands.ALL_GATES, 40, 40).to_bytes().hex() == wanted
    with pytest.raises(ValueError, match="0 to 8"):
        commands.set_gates(9, 8, 5)
    with pytest.raises(ValueError, match="0 to 100"):
        commands.set_sensitivity(3, 101, 0)


@pytest.mark.parametrize("text", [PARAMETERS, FIRMWARE])
def test_an_answer_of_another_length_makes_no_sense(text):
    frame = frame_of(text)
    parse = commands.parse_firmware if text == FIRMWARE else commands.parse_parameters
    with pytest.raises(FrameError, match="bytes, not"):
        parse(Command(frame.code, frame.value + b"\0"))


@pytest.mark.parametrize(("old", "new"), [("aa08", "ab08"), ("aa08", "aa09"), ("aa0808", "aa0809")])
def test_parameters_that_no_radar_has_make_no_sense(old, new):
    with pytest.raises(FrameError, match=r"parameters begin with|gate 9"):
        commands.parse_parameters(frame_of(PARAMETERS.replace(old, new)))


distances = st.integers(0, 1000).map(lambda cm: cm.to_bytes(2, "little"))
energies = st.integers(0, 100).map(lambda energy: bytes([energy]))
basics = st.tuples(
    st.integers(0, 6).map(lambda s: bytes([s])), distances, energies, distances, energies, distances
).map(b"".join)
engineering = st.tuples(
    basics, st.lists(st.integers(0, 8), min_size=2, max_size=2).map(bytes),
    st.lists(st.integers(0, 100), min_size=18, max_size=18).map(bytes), st.binary(min_size=2, max_size=2),
).map(b"".join)  # fmt: skip
reports = basics.map(lambda data: Report(BASIC, data)) | engineering.map(lambda data: Report(ENGINEERING, data))
answer_frames = st.builds(Command, st.integers(0x100, 0x1FF), st.binary(min_size=2, max_size=62))


@given(st.lists(reports | answer_frames, max_size=5), st.data())
def test_frames_come_back_whole_however_they_are_cut(frames, data):
    stream = b"".join(frame.to_bytes() for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    decoder = FrameDecoder()
    edges = zip([0, *cuts], [*cuts, len(stream)], strict=True)
    assert [frame for a, b in edges for frame in decoder.feed(stream[a:b])] == frames


@given(st.builds(Command, st.integers(0, 0xFF), st.binary(max_size=62)))
def test_commands_come_back_whole(command):
    assert FrameDecoder("to_reader").feed(command.to_bytes()) == [command]


@given(st.lists(st.sampled_from(["f4f3f2f1", "fdfcfbfa", "0d0002aa", "4000", "ff01", "f4", "fd", "00"]), max_size=200))
def test_what_waits_is_never_more_than_one_command(pieces):
    decoder = FrameDecoder()
    for piece in pieces:
        decoder.feed(bytes.fromhex(piece))
        assert len(decoder._buffer) <= 74


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
    async with asyncio.timeout(5):
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
    async with simulated(device, tmp_path / "port"), asyncio.timeout(5):
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
