"""The UHFReader18 and UHFReader288 drivers against their simulator over a real pty."""

import asyncio
import time
from dataclasses import replace

import pytest

from readers import driver
from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout
from readers.ports import SerialPort
from readers.uhfreader18.reader import UhfReader18
from simulators.uhfreader18.firmware import ACTIVE_MODE, ANSWER_MODE, UHFREADER18, UHFREADER288
from simulators.uhfreader18.frames import answer
from tests.readers.peers import Peer
from tests.readers.simulated import simulated
from tests.readers.uhfreader18.rig import (
    BOTH,
    EPCS,
    NOW_NS,
    READ,
    SETTINGS_18,
    SETTINGS_288,
    SOON,
    FakeField,
    Wrapped,
    changed,
    compile_scan,
    device_of,
    opened,
    take_chunks,
    take_reads,
)
from tests.support.patience import WAIT_S, eventually

CURIOUS = replace(SOON, question_s=0.03, dead_s=0.3, heartbeat_dead_s=0.3)
MORTAL = replace(SOON, answer_s=0.1, dead_s=0.2, heartbeat_dead_s=0.3)


@pytest.fixture(autouse=True)
def _quick_stop(monkeypatch):
    """What stopping waits for is seen in the tests of opening; here it would be most of the time."""
    monkeypatch.setattr(driver, "STOP_QUIET_MS", 60)


@pytest.fixture(params=[take_reads, take_chunks])
def take(request: pytest.FixtureRequest):
    if request.param is take_chunks:
        compile_scan()
    return request.param


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
        await eventually(lambda: reader.health.empty_polls >= 2 or reading.done())
        assert reader.health.signs_of_life == reader.health.empty_polls
        assert (reader.health.rearms, reader.health.bad_frames) == (0, 0)
        reading.cancel()


@BOTH
async def test_active_mode_streams_until_the_driver_leaves(take, settings, firmware, tmp_path):
    device = device_of(firmware, FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"):
        async with opened(tmp_path / "r-1", changed(settings, mode="active")) as reader:
            assert device.memory.mode == ACTIVE_MODE
            assert await take(reader, 20) == [READ] * 20
        await eventually(lambda: device.memory.mode == ANSWER_MODE)


@BOTH
async def test_leaving_does_not_trust_that_one_order_is_heard(settings, firmware, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "STOP_QUIET_MS", 200)
    monkeypatch.setattr(driver, "STOP_LIMIT_MS", 300)
    device = device_of(replace(firmware, lost_orders=1), FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"):
        async with opened(tmp_path / "r-1", changed(settings, mode="active")) as reader:
            assert await take_reads(reader, 1) == [READ]
            device._lost_orders = 0
        await eventually(lambda: device.memory.mode == ANSWER_MODE)


@BOTH
async def test_in_active_mode_an_empty_field_is_asked_about(take, settings, firmware, tmp_path):
    device = device_of(firmware, FakeField())
    async with (
        simulated(device, tmp_path / "r-1"),
        opened(tmp_path / "r-1", changed(settings, mode="active"), CURIOUS) as reader,
    ):
        reading = asyncio.create_task(take(reader, 1))
        await eventually(lambda: reader.health.signs_of_life >= 12 or reading.done())  # longer than dead_s
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
        asyncio.timeout(WAIT_S),
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
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_288, MORTAL) as reader:
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
    ("settings", "firmware", "mode"),
    [(SETTINGS_18, UHFREADER18, "poll"), (SETTINGS_18, UHFREADER18, "active"), (SETTINGS_288, UHFREADER288, "active")],
    ids=["poll", "active 18", "active 288"],
)
async def test_a_reader_that_falls_silent_is_dead_although_the_port_is_open(take, settings, firmware, mode, tmp_path):
    silent = []
    device = Wrapped(device_of(firmware, FakeField(EPCS[0])), lambda said: b"" if silent else said)
    async with (
        simulated(device, tmp_path / "r-1"),
        opened(tmp_path / "r-1", changed(settings, mode=mode), MORTAL) as reader,
    ):
        assert await take(reader, 1) == [READ]
        silent.append(True)
        with pytest.raises(ReaderTimeout, match="check power and baud rate"):
            await take(reader, 10_000)


@BOTH
async def test_a_polled_reader_that_somebody_sends_into_active_mode_is_opened_anew(settings, firmware, tmp_path):
    device = device_of(firmware, FakeField(EPCS[0]))
    async with simulated(device, tmp_path / "r-1"):
        async with opened(tmp_path / "r-1", settings, MORTAL) as reader:
            device.memory.mode = ACTIVE_MODE
            with pytest.raises(ReaderTimeout, match="no inventory"):
                await take_reads(reader, 10_000)
        async with opened(tmp_path / "r-1", settings) as reader:
            assert await take_reads(reader, 1) == [READ]


async def test_a_reader_that_only_babbles_is_dead_too(take, tmp_path):
    babbles = []
    device = Wrapped(device_of(UHFREADER18, FakeField(EPCS[0])), lambda said: b"\x55" * 9 if babbles else said)
    async with simulated(device, tmp_path / "r-1"), opened(tmp_path / "r-1", SETTINGS_18, MORTAL) as reader:
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
