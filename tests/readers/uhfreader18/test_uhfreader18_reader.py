"""The UHFReader18 and UHFReader288 drivers against their simulator over a real pty."""

import asyncio
import time
from dataclasses import replace

import msgspec
import pytest

from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout
from readers.model import Read
from readers.ports import SerialPort
from readers.registry import READERS
from readers.uhfreader18.reader import UhfReader18, UhfReader288
from simulators.uhfreader18.firmware import ACTIVE_MODE, ANSWER_MODE, UHFREADER18, UHFREADER288, Memory
from simulators.uhfreader18.frames import answer
from tests.readers.peers import Peer
from tests.readers.simulated import simulated
from tests.readers.uhfreader18.rig import (
    DIALECTS,
    EPCS,
    NOW_NS,
    SETTINGS_18,
    SETTINGS_288,
    SOON,
    FakeField,
    Wrapped,
    compile_scan,
    device_of,
    opened,
    take_chunks,
    take_reads,
)

BOTH = pytest.mark.parametrize(("settings", "firmware"), DIALECTS, ids=["18", "288"])
READ = Read(EPCS[0], "r-1", 1, -60, NOW_NS)


def changed(settings, **keys):
    return msgspec.structs.replace(settings, **keys)


@pytest.fixture(params=[take_reads, take_chunks])
def take(request: pytest.FixtureRequest):
    if request.param is take_chunks:
        compile_scan()
    return request.param


async def until(done) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.002)


@BOTH
async def test_polls_report_the_tags_and_the_reader_is_set_as_wanted(take, settings, firmware, tmp_path):
    field = FakeField(EPCS[0])
    device = device_of(firmware, field)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        assert await take(reader, 3) == [READ] * 3
        assert (field.power_dbm, device.memory.scan_time_100ms) == (20, 3)
        assert device.memory.band == bytes([0x40 | 14, 0x00])
        assert (reader.health.rearms, reader.health.bad_frames, reader.health.alarms) == (0, 0, 0)
        assert reader.health.signs_of_life >= 3


async def test_the_older_family_carries_the_signal_strength_it_is_told_to(take, tmp_path):
    device = device_of(UHFREADER18, FakeField(EPCS[0]))
    settings = changed(SETTINGS_18, assumed_dbm=-47.5)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        assert (await take(reader, 1))[0].rssi_dbm == -47.5
        assert reader.module == "UHFReader18 firmware 5.02, address 0"


async def test_antennas_are_polled_in_turn(take, tmp_path):
    device = device_of(UHFREADER288, FakeField(EPCS[0]), None, FakeField(EPCS[1]))
    settings = changed(SETTINGS_288, active_antennas=(3, 1))
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        assert [(read.antenna, read.epc) for read in await take(reader, 4)] == [(3, EPCS[1]), (1, EPCS[0])] * 2


@BOTH
async def test_an_empty_field_is_a_sign_of_life(take, settings, firmware, tmp_path):
    device = device_of(firmware, FakeField())
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        reading = asyncio.create_task(take(reader, 1))
        await until(lambda: reader.health.empty_polls >= 3 or reading.done())
        assert reader.health.signs_of_life == reader.health.empty_polls
        assert (reader.health.rearms, reader.health.bad_frames) == (0, 0)
        reading.cancel()


@pytest.mark.parametrize(
    ("settings", "firmware", "word"),
    [(SETTINGS_18, UHFREADER288, "uhfreader288"), (SETTINGS_288, UHFREADER18, "uhfreader18")],
)
async def test_a_reader_of_the_other_family_is_refused_by_name_and_left_as_it_is(settings, firmware, word, tmp_path):
    device = device_of(firmware, FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"):
        with pytest.raises(ReaderRefused, match=rf'type byte 0x\d\w\); set type = "{word}"'):
            async with opened(tmp_path / "r-1", settings):
                pass
    assert device.memory == Memory()


async def test_a_type_byte_nobody_knows_is_a_warning(tmp_path):
    device = device_of(replace(UHFREADER18, type=0x42), FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_18) as reader:
        assert await take_reads(reader, 1) == [READ]
        assert "0x42" in reader.health.alarm


@pytest.mark.parametrize("deaf", [False, True], ids=["that still answers", "too busy to answer"])
@BOTH
async def test_a_reader_left_in_active_mode_by_a_crash_is_stopped(settings, firmware, deaf, tmp_path):
    memory = Memory(mode=ACTIVE_MODE)
    made = replace(firmware, lost_orders=5 * deaf, hears_mode_only=deaf)
    tags = EPCS[: 3 if deaf else 1]  # three fill the line
    device = device_of(made, FakeField(*tags), memory=memory)
    async with simulated(device, tmp_path / "r-1"):
        await until(lambda: device._round_ends_ns > 0)
        async with opened(tmp_path / "r-1", settings) as reader:
            assert memory.mode == ANSWER_MODE
            assert [read.epc for read in await take_reads(reader, len(tags))] == tags


@BOTH
async def test_active_mode_streams_until_the_driver_leaves(take, settings, firmware, tmp_path):
    device = device_of(firmware, FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"):
        async with opened(tmp_path / "r-1", changed(settings, mode="active")) as reader:
            assert device.memory.mode == ACTIVE_MODE
            assert await take(reader, 20) == [READ] * 20
        await until(lambda: device.memory.mode == ANSWER_MODE)


@BOTH
async def test_in_active_mode_an_empty_field_is_asked_about(take, settings, firmware, tmp_path):
    device = device_of(firmware, FakeField())
    async with (
        simulated(device, tmp_path / "r-1"),
        opened(tmp_path / "r-1", changed(settings, mode="active")) as reader,
    ):
        reading = asyncio.create_task(take(reader, 1))
        await until(lambda: reader.health.signs_of_life >= 12 or reading.done())  # longer than dead_s
        assert not reading.done()
        reading.cancel()


@BOTH
async def test_a_reader_that_has_left_the_active_mode_is_sent_back(take, settings, firmware, tmp_path):
    field = FakeField()
    device = device_of(firmware, field)
    async with (
        simulated(device, tmp_path / "r-1"),
        opened(tmp_path / "r-1", changed(settings, mode="active")) as reader,
    ):
        device.memory.mode = ANSWER_MODE
        field.tags.append(EPCS[0])
        assert await take(reader, 1) == [READ]
        assert reader.health.rearms == 1


@BOTH
async def test_a_reader_that_announces_more_and_sends_no_more_is_polled_on(take, settings, firmware, tmp_path):
    device = device_of(replace(firmware, ends_with_more=True), FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        assert await take(reader, 3) == [READ] * 3
        assert reader.health.rearms == 0


@BOTH
async def test_an_inventory_of_several_frames_is_taken_whole(take, settings, firmware, tmp_path):
    device = device_of(firmware, FakeField(*EPCS))
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        assert [read.epc for read in await take(reader, 80)] == EPCS * 2
        assert (reader.health.rearms, reader.health.discarded_bytes) == (0, 0)


async def test_a_reader_that_only_acknowledges_reports_its_tags_later(take, tmp_path):
    device = device_of(replace(UHFREADER18, acknowledges=True), FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_18) as reader:
        assert await take(reader, 2) == [READ] * 2
        assert (reader.health.rearms, reader.health.bad_frames) == (0, 0)


@BOTH
async def test_a_false_length_in_the_noise_holds_up_nothing(take, settings, firmware, tmp_path):
    """A byte that announces 240 more would swallow the answer, and with it the poll."""
    device = Wrapped(device_of(firmware, FakeField(EPCS[0])), lambda said: b"\xf0" + said)
    never = replace(SOON, answer_s=60.0)
    async with (
        simulated(device, tmp_path / "r-1"),
        asyncio.timeout(10),
        opened(tmp_path / "r-1", settings, never) as reader,
    ):
        assert await take(reader, 3) == [READ] * 3
        assert reader.health.discarded_bytes >= 3


async def test_a_frame_whose_rest_came_while_we_were_busy_is_not_cut_in_two():
    frame = answer(0, 0xEE, 0, EPCS[0])
    async with Peer() as peer, SerialPort(peer.path, 57600) as port:
        reader = UhfReader18("r-1", port, SETTINGS_18, lambda: NOW_NS, SOON)
        soon_s = asyncio.get_running_loop().time() + 10
        peer.say(frame[:9])
        assert await reader._receive_until(soon_s) == []
        peer.say(frame[9:])
        time.sleep(2 * SOON.quiet_s)
        assert [got.to_bytes() for got in await reader._receive_until(soon_s)] == [frame]


async def test_an_empty_end_behind_frames_with_tags_is_no_empty_poll(take, tmp_path):
    empty = answer(0, 1, 1, b"\x01\x00")

    def split(said: bytes) -> bytes:
        return answer(0, 1, 3, said[4:-2]) + empty if said[2] == 1 else said

    device = Wrapped(device_of(UHFREADER288, FakeField(EPCS[0])), split)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_288) as reader:
        assert await take(reader, 3) == [READ] * 3
        assert (reader.health.empty_polls, reader.health.rearms) == (0, 0)


async def test_broken_frames_are_counted_and_polls_go_on(take, tmp_path):
    broken = iter([True, False])
    device = device_of(UHFREADER288, FakeField(EPCS[0]))
    inside = answer(0, 1, 1, b"\x01\x02" + b"\x0c" + EPCS[0] + b"\x45")  # says two tags, has one
    wrapped = Wrapped(device, lambda said: inside if said[2] == 1 and next(broken, False) else said)
    async with simulated(wrapped, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_288) as reader:
        assert await take(reader, 1) == [READ]
        assert reader.health.bad_frames == 1


async def test_a_tag_seen_by_two_antennas_is_a_read_for_each(take, tmp_path):
    device = device_of(UHFREADER288, FakeField(EPCS[0]))
    both = answer(0, 1, 1, b"\x05\x01\x0c" + EPCS[0] + b"\x45")
    wrapped = Wrapped(device, lambda said: both if said[2] == 1 else said)
    async with simulated(wrapped, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_288) as reader:
        assert await take(reader, 2) == [READ, replace(READ, antenna=3)]


async def test_an_antenna_that_is_not_connected_is_one_warning_and_the_others_go_on(take, tmp_path):
    device = device_of(UHFREADER288, FakeField(EPCS[0]), None)
    settings = changed(SETTINGS_288, active_antennas=(1, 2))
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        assert await take(reader, 4) == [READ] * 4
        assert (reader.health.alarms, reader.health.alarm) == (1, "antenna 2 is not connected; check plug and cable")


async def test_without_any_antenna_it_gives_up_and_says_which(tmp_path):
    device = device_of(UHFREADER288, None)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_288) as reader:
        with pytest.raises(ReaderTimeout, match="antenna 1 is not connected"):
            await take_reads(reader, 1)


async def test_an_antenna_the_reader_has_not_is_refused(tmp_path):
    device = device_of(UHFREADER288, FakeField(EPCS[0]))
    settings = changed(SETTINGS_288, active_antennas=(2,))
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        with pytest.raises(ReaderRefused, match="0xff, parameter_error; has it an antenna 2") as caught:
            await take_reads(reader, 1)
    assert caught.value.code == 0xFF


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"region": "taiwan"}, "refuses region taiwan: status 0xff, parameter_error"),
        ({"power_dbm": 33}, "refuses power_dbm = 33: status 0xff"),
    ],
)
async def test_what_the_reader_cannot_do_is_refused(keys, words, tmp_path):
    async with simulated(device_of(UHFREADER18, FakeField()), tmp_path / "r-1"):
        with pytest.raises(ReaderRefused, match=words):
            async with opened(tmp_path / "r-1", changed(SETTINGS_18, **keys)):
                pass


@pytest.mark.parametrize(
    ("forgets", "words"), [("power_dbm", "the reader is at 26 dBm; set power_dbm"), ("band", "asked for region europe")]
)
async def test_a_setting_that_does_not_stick_is_refused(forgets, words, tmp_path):
    device = device_of(UHFREADER18, FakeField())

    class Forgetful(Memory):
        def __setattr__(self, name, value):
            if name != forgets or not hasattr(self, "heartbeat_pauses"):
                super().__setattr__(name, value)

    device.memory = Forgetful()
    async with simulated(device, tmp_path / "r-1"):
        with pytest.raises(ReaderRefused, match=words):
            async with opened(tmp_path / "r-1", SETTINGS_18):
                pass


async def test_nothing_is_written_that_is_so_already(tmp_path):
    device = device_of(UHFREADER18, FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"):
        async with opened(tmp_path / "r-1", SETTINGS_18):
            pass
        obeyed = []
        handlers = device._handlers
        device._handlers = {
            code: lambda *given, code=code: obeyed.append(code) or handlers[code](*given) for code in handlers
        }
        async with opened(tmp_path / "r-1", SETTINGS_18) as reader:
            assert await take_reads(reader, 1) == [READ]
    assert obeyed == [0x21, 0x35, 0x21]


async def test_a_fixed_channel_is_the_highest_and_the_lowest(tmp_path):
    device = device_of(UHFREADER18, FakeField())
    settings = changed(SETTINGS_18, region="us", channel=7)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings):
        assert device.memory.band == bytes([0x07, 0x87])


async def test_a_command_that_was_heard_wrongly_is_said_again(tmp_path):
    wrong = iter([True, True])
    unknown = answer(0, 0x00, 0xFE)
    device = Wrapped(device_of(UHFREADER18, FakeField(EPCS[0])), lambda said: unknown if next(wrong, False) else said)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_18) as reader:
        assert reader.module == "UHFReader18 firmware 5.02, address 0"


@pytest.mark.parametrize("baud", [9600, 115200])
async def test_a_reader_at_another_speed_is_found_and_told_of(baud, tmp_path):
    device = device_of(UHFREADER18, FakeField(EPCS[0]), memory=Memory(baud=baud))
    patience = replace(SOON, answer_s=0.2)
    async with (
        simulated(device, tmp_path / "r-1", minds_baud=True),
        opened(tmp_path / "r-1", SETTINGS_18, patience) as reader,
    ):
        assert await take_reads(reader, 1) == [READ]
        assert reader.health.alarm == f"the reader is at {baud} baud, not at 57600; set baud = {baud}"
        assert device.memory.baud == baud


async def test_a_reader_left_streaming_at_another_speed_is_found_and_stopped(tmp_path):
    device = device_of(UHFREADER18, FakeField(EPCS[0]), memory=Memory(baud=115200, mode=ACTIVE_MODE))
    patience = replace(SOON, answer_s=0.2)
    async with (
        simulated(device, tmp_path / "r-1", minds_baud=True),
        opened(tmp_path / "r-1", SETTINGS_18, patience) as reader,
    ):
        assert await take_reads(reader, 1) == [READ]
        assert device.memory.mode == ANSWER_MODE


async def test_nothing_there_is_a_timeout_that_says_what_to_check():
    async with Peer() as peer:
        with pytest.raises(ReaderTimeout, match="no answer at any baud rate; check power, wiring and address"):
            async with opened(peer.path, SETTINGS_18, replace(SOON, answer_s=0.02)):
                pass


@pytest.mark.parametrize("mode", ["poll", "active"])
@BOTH
async def test_a_reader_that_falls_silent_is_dead_although_the_port_is_open(take, settings, firmware, mode, tmp_path):
    silent = []
    device = Wrapped(device_of(firmware, FakeField(EPCS[0])), lambda said: b"" if silent else said)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", changed(settings, mode=mode)) as reader:
        assert await take(reader, 1) == [READ]
        silent.append(True)
        with pytest.raises(ReaderTimeout, match="check power and baud rate"):
            await take(reader, 10_000)


@BOTH
async def test_a_polled_reader_that_somebody_sends_into_active_mode_is_opened_anew(settings, firmware, tmp_path):
    device = device_of(firmware, FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"):
        async with opened(tmp_path / "r-1", settings) as reader:
            device.memory.mode = ACTIVE_MODE
            with pytest.raises(ReaderTimeout, match="no inventory"):
                await take_reads(reader, 10_000)
        async with opened(tmp_path / "r-1", settings) as reader:
            assert await take_reads(reader, 1) == [READ]


@BOTH
async def test_a_reader_that_only_babbles_is_dead_too(take, settings, firmware, tmp_path):
    babbles = []
    device = Wrapped(device_of(firmware, FakeField(EPCS[0])), lambda said: b"\x55" * 9 if babbles else said)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", settings) as reader:
        babbles.append(True)
        with pytest.raises(ReaderTimeout, match="no inventory"):
            await take(reader, 10_000)
        assert reader.health.discarded_bytes > 0


@BOTH
async def test_unplugged_and_plugged_in_again(settings, firmware, tmp_path):
    async with simulated(device_of(firmware, FakeField(EPCS[0])), tmp_path / "r-1") as line:
        async with opened(tmp_path / "r-1", settings) as reader:
            assert await take_reads(reader, 1) == [READ]
            line.unplug()
            with pytest.raises(ReaderDisconnected, match="check the cable"):
                await take_reads(reader, 10_000)
        line.plug()
        async with opened(tmp_path / "r-1", settings) as reader:
            assert await take_reads(reader, 1) == [READ]


@pytest.mark.parametrize("driver", [UhfReader18, UhfReader288])
def test_the_type_a_refusal_names_is_that_of_the_driver(driver):
    assert READERS[driver.dialect.type_name] == f"{driver.__module__}:{driver.__name__}"
