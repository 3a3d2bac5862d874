"""The R2000 driver against its simulator over a real pty."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout
from readers.model import Read
from readers.r2000_a0.codec import Frame
from readers.r2000_a0.reader import R2000Reader
from readers.r2000_a0.settings import R2000Settings
from simulators.r2000_a0 import R2000Device
from simulators.r2000_a0.settings import CHANNELS, CHINA, FCC, Firmware
from tests.readers.r2000_a0.rig import (
    EPCS,
    LATER,
    NOW_NS,
    SOON,
    FakeField,
    open_scan,
    opened,
    powered,
    take_chunks,
    take_reads,
)
from tests.support.patience import WAIT_S, eventually
from tests.support.patient_loop import working_ns

SETTINGS = R2000Settings(region="us", power_dbm=27)
BOTH = R2000Settings(region="us", power_dbm=27, active_antennas=(1, 2))


@pytest.fixture(params=[take_reads, take_chunks])
def take(request: pytest.FixtureRequest):
    if request.param is take_chunks:
        open_scan(R2000Reader.wire)  # compiled before the clock runs
    return request.param


def spy(device: R2000Device) -> list[tuple[int, bytes]]:
    """Every command the device obeys from now on."""
    obeyed: list[tuple[int, bytes]] = []
    obey = device._obey
    device._obey = lambda command, now_ns: obeyed.append((command.code, command.data)) or obey(command, now_ns)
    return obeyed


async def test_one_antenna_is_read_round_after_round(tmp_path, take):
    device = R2000Device([FakeField(EPCS[0])])
    obeyed = spy(device)
    async with powered(device, tmp_path) as line, opened(line, SETTINGS) as reader:
        assert await take(reader, 3) == [Read(EPCS[0], "r-1", 1, -60, NOW_NS)] * 3
        assert reader.module == "R2000 firmware 8.2, address 1"
        assert obeyed.count((0x74, b"\x00")) == 1
        assert device.settings.powers_dbm == bytes([27] * 4)
        assert reader.health.signs_of_life >= 5  # reports and ends
        assert (reader.health.temperature_c, reader.health.alarms) == (41, 0)


async def test_an_empty_field_is_a_sign_of_life(tmp_path, take):
    async with powered(R2000Device([FakeField()]), tmp_path) as line, opened(line, SETTINGS) as reader:
        reading = asyncio.create_task(take(reader, 1))
        await eventually(lambda: reader.health.empty_polls >= 5 or reading.done())
        assert reader.health.signs_of_life >= 5
        assert reader.health.rearms == 0
        reading.cancel()


async def test_several_antennas_take_turns_inside_one_order(tmp_path, take):
    device = R2000Device([FakeField(EPCS[0]), None, FakeField(EPCS[1])])
    settings = R2000Settings(region="us", power_dbm=(27, 20), active_antennas=(3, 1))
    obeyed = spy(device)
    async with powered(device, tmp_path) as line, opened(line, settings) as reader:
        assert [(read.antenna, read.epc) for read in await take(reader, 4)] == [(3, EPCS[1]), (1, EPCS[0])] * 2
        assert device.settings.powers_dbm == bytes([20, 30, 27, 30])
        assert (0x8A, bytes.fromhex("0201 0001 ff00 ff00 0001")) in obeyed


async def test_eight_ports_have_their_own_order_and_their_own_bit(tmp_path, take):
    device = R2000Device([None] * 4 + [FakeField(EPCS[n]) for n in range(4)], firmware=Firmware(ports=8))
    settings = R2000Settings(region="us", power_dbm=27, ports=8, active_antennas=(5, 6, 7, 8))
    async with powered(device, tmp_path) as line, opened(line, settings) as reader:
        reads = await take(reader, 4)
        assert [(read.antenna, read.epc, read.rssi_dbm) for read in reads] == [
            (number, epc, -60) for number, epc in zip((5, 6, 7, 8), EPCS, strict=True)
        ]


async def test_with_a_session_each_antenna_gets_its_own_order(tmp_path, take):
    device = R2000Device([FakeField(EPCS[0]), FakeField(EPCS[1])])
    settings = R2000Settings(
        region="us", power_dbm=27, active_antennas=(1, 2), session=1, target="B", min_return_loss_db=0
    )
    obeyed = spy(device)
    async with powered(device, tmp_path) as line, opened(line, settings) as reader:
        assert [read.antenna for read in await take(reader, 4)] == [1, 2, 1, 2]
    orders = [command for command in obeyed if command[0] in (0x74, 0x8B)]
    order = (0x8B, b"\x01\x01\x01")
    assert orders[:6] == [(0x74, b"\x00"), order, (0x74, b"\x01"), order, (0x74, b"\x00"), order]


async def test_a_missing_antenna_is_an_alarm_and_no_end_for_the_other(tmp_path, take):
    device = R2000Device([FakeField(EPCS[0]), None])
    settings = R2000Settings(region="us", power_dbm=27, active_antennas=(1, 2), min_return_loss_db=0)
    async with powered(device, tmp_path) as line, opened(line, settings) as reader:
        assert {read.antenna for read in await take(reader, 5)} == {1}
        assert (reader.health.alarms, reader.health.alarm) == (1, "antenna 2 is missing; check plug and cable")
        device.fields[1] = FakeField(EPCS[1])
        async with asyncio.timeout(WAIT_S):
            async for read in reader.reads():
                if read.antenna == 2:
                    break


async def test_without_any_antenna_it_is_refused_not_silent(tmp_path, take):
    device = R2000Device([])
    async with powered(device, tmp_path) as line, opened(line, BOTH) as reader:
        with pytest.raises(ReaderRefused, match="antennas 1, 2 are missing: nothing to read with"):
            await take(reader, 1)


async def test_the_only_antenna_missing_is_refused(tmp_path, take):
    async with powered(R2000Device([]), tmp_path) as line, opened(line, SETTINGS) as reader:
        with pytest.raises(ReaderRefused, match="antenna 1 is missing"):
            await take(reader, 1)
        assert reader.health.signs_of_life == 0


async def test_an_antenna_that_cannot_even_be_chosen_leaves_the_others(tmp_path):
    """Some makes refuse to choose a missing antenna rather than to look for tags with it."""
    device = R2000Device([FakeField(EPCS[0]), None])
    obey = device._obey
    missing = Frame(1, 0x74, b"\x22").to_bytes()
    device._obey = lambda command, now: (
        missing if (command.code, command.data) == (0x74, b"\x01") else obey(command, now)
    )
    settings = R2000Settings(region="us", power_dbm=27, active_antennas=(1, 2), session=0)
    async with powered(device, tmp_path) as line, opened(line, settings) as reader:
        assert {read.antenna for read in await take_reads(reader, 5)} == {1}
        assert reader.health.alarm == "antenna 2 is missing; check plug and cable"


async def test_heat_and_power_thrown_back_are_warnings(tmp_path):
    device = R2000Device([FakeField(EPCS[0]), FakeField()], firmware=Firmware(temperature_c=70, return_loss_db={2: 3}))
    async with powered(device, tmp_path) as line, opened(line, BOTH) as reader:
        await take_reads(reader, 2)
        assert reader.health.temperature_c == 70
        assert reader.health.alarms == 2
        assert reader.health.alarm == "the reader is at 70 degrees C; give it air or less power"


async def test_frost_is_no_warning(tmp_path):
    device = R2000Device([FakeField(EPCS[0])], firmware=Firmware(temperature_c=-7))
    async with powered(device, tmp_path) as line, opened(line, SETTINGS) as reader:
        assert (reader.health.temperature_c, reader.health.alarms) == (-7, 0)


@pytest.mark.parametrize("answer", [Frame(1, 0x7B, b"\x11").to_bytes(), b""])
async def test_a_reader_that_does_not_tell_its_temperature_reads_all_the_same(tmp_path, answer):
    device = R2000Device([FakeField(EPCS[0])])
    obey = device._obey
    device._obey = lambda command, now: answer if command.code == 0x7B else obey(command, now)
    patience = replace(LATER, answer_s=0.1, temperature_s=0)
    async with powered(device, tmp_path) as line, opened(line, SETTINGS, patience) as reader:
        obeyed = spy(device)
        assert await take_reads(reader, 3) == [Read(EPCS[0], "r-1", 1, -60, NOW_NS)] * 3
        assert reader.health.temperature_c is None
        assert 0x7B not in {code for code, _ in obeyed}, "asked once, not before every order"


async def test_no_tag_said_as_an_error_is_an_empty_round_and_no_failure(tmp_path, take):
    device = R2000Device([FakeField()])
    empty = Frame(1, 0x89, b"\x36").to_bytes()
    end = device._end_order
    device._end_order = lambda now_ns: empty if end(now_ns) else b""
    async with powered(device, tmp_path) as line, opened(line, SETTINGS) as reader:
        reading = asyncio.create_task(take(reader, 1))
        await eventually(lambda: reader.health.empty_polls >= 5 or reading.done())
        assert reader.health.signs_of_life >= 5
        assert (reader.health.alarms, reader.health.rearms) == (0, 0)
        reading.cancel()


async def test_an_answer_to_another_question_is_none_to_ours(tmp_path):
    device = R2000Device([FakeField(EPCS[0])])
    say = device._say
    stray = Frame(1, 0x7E, b"\x05").to_bytes()
    device._say = lambda code, data: stray + say(code, data)
    async with powered(device, tmp_path) as line, opened(line, SETTINGS) as reader:
        assert reader.module == "R2000 firmware 8.2, address 1"
        assert await take_reads(reader, 1) == [Read(EPCS[0], "r-1", 1, -60, NOW_NS)]


async def test_only_what_differs_is_written_to_flash(tmp_path):
    device = R2000Device([FakeField(EPCS[0])])
    settings = R2000Settings(region="china", power_dbm=27, detector_db=3, beeper="off")
    writes = {0x62, 0x66, 0x76, 0x78}
    async with powered(device, tmp_path) as line:
        obeyed = spy(device)
        async with opened(line, settings):
            pass
        assert Counter(code for code, _ in obeyed if code in writes) == {0x62: 1, 0x76: 1, 0x78: 1}
        assert device.settings.region == bytes((CHINA, *CHANNELS[CHINA]))
        assert device.settings.detector_db == 3
        obeyed.clear()
        async with opened(line, settings):
            pass
        assert not writes & {code for code, _ in obeyed}


async def test_a_part_of_the_region_is_set_as_channels(tmp_path):
    device = R2000Device([FakeField(EPCS[0])])
    settings = R2000Settings(region="us", power_dbm=27, first_mhz=915.0)
    async with powered(device, tmp_path) as line, opened(line, settings):
        assert device.settings.region == bytes((FCC, 33, 59))


async def test_a_power_it_cannot_do_is_refused(tmp_path):
    device = R2000Device([FakeField()], firmware=Firmware(most_dbm=26))
    async with powered(device, tmp_path) as line:
        with pytest.raises(ReaderRefused, match="refuses power_dbm: error 0x48, power_out_of_range") as caught:
            async with opened(line, SETTINGS):
                pass
    assert caught.value.code == 0x48


async def test_a_power_that_does_not_stick_is_refused(tmp_path):
    device = R2000Device([FakeField()])
    obey = device._obey
    done = Frame(1, 0x76, b"\x10").to_bytes()
    device._obey = lambda command, now: done if command.code == 0x76 else obey(command, now)
    async with powered(device, tmp_path) as line:
        with pytest.raises(ReaderRefused, match="asked for 27 dBm, antenna 1 is at 30 dBm"):
            async with opened(line, SETTINGS):
                pass


async def test_a_region_that_does_not_stick_is_refused(tmp_path):
    device = R2000Device([FakeField()])
    obey = device._obey
    done = Frame(1, 0x78, b"\x10").to_bytes()
    device._obey = lambda command, now: done if command.code == 0x78 else obey(command, now)
    async with powered(device, tmp_path) as line:
        with pytest.raises(ReaderRefused, match="asked for region europe, the reader is in 0x01073b"):
            async with opened(line, R2000Settings(region="europe", power_dbm=27)):
                pass


async def test_eight_ports_configured_as_four_are_refused_with_the_remedy(tmp_path):
    device = R2000Device([FakeField()], firmware=Firmware(ports=8))
    device.settings.powers_dbm = bytes(range(20, 28))
    async with powered(device, tmp_path) as line:
        with pytest.raises(ReaderRefused, match="the reader has 8 ports; set ports = 8"):
            async with opened(line, SETTINGS):
                pass


async def test_broadcast_is_answered_with_the_real_address_and_another_s_address_not_at_all(tmp_path):
    device = R2000Device([FakeField(EPCS[0])], firmware=Firmware(address=9))
    async with powered(device, tmp_path) as line:
        async with opened(line, SETTINGS) as reader:
            assert reader.module.endswith("address 9")
            await take_reads(reader, 1)
        with pytest.raises(ReaderTimeout, match="no answer at any baud rate; check power, wiring and address"):
            async with opened(line, R2000Settings(region="us", power_dbm=27, address=1)):
                pass


async def test_a_reader_found_at_the_other_speed_is_moved_to_the_wanted_one(tmp_path):
    device = R2000Device([FakeField(EPCS[0])], baud=38400, firmware=Firmware(start_ns=50_000_000))
    async with powered(device, tmp_path) as line, opened(line, SETTINGS) as reader:
        assert device.baud == 115200
        assert await take_reads(reader, 1) == [Read(EPCS[0], "r-1", 1, -60, NOW_NS)]


async def test_unplugged_and_plugged_in_again(tmp_path, take):
    device = R2000Device([FakeField(EPCS[0])])
    async with powered(device, tmp_path) as line:
        async with opened(line, SETTINGS) as reader:
            await take(reader, 2)
            line.unplug()
            with pytest.raises(ReaderDisconnected, match="check the cable"):
                await take(reader, 1000)
        line.plug()
        async with opened(line, SETTINGS) as reader:
            assert await take(reader, 1) == [Read(EPCS[0], "r-1", 1, -60, NOW_NS)]


async def test_a_stuck_reader_is_ordered_anew_then_given_up(tmp_path, take):
    device = R2000Device([FakeField(EPCS[0])], firmware=Firmware(stuck_after_rounds=3))
    async with powered(device, tmp_path) as line, opened(line, SETTINGS, SOON) as reader:
        with pytest.raises(ReaderTimeout, match=r"no sign of a round for 0\.5 s"):
            await take(reader, 1000)
        assert reader.health.rearms >= 2
        assert reader.health.signs_of_life <= 6, "answers to questions are no proof that it reads"


async def test_a_reader_that_lost_power_is_set_up_again(tmp_path, take):
    device = R2000Device([None, FakeField(EPCS[0])], firmware=Firmware(keeps_settings=False, start_ns=100_000_000))
    settings = R2000Settings(region="europe", power_dbm=20, active_antennas=(2,), repeat=200)  # a second
    async with powered(device, tmp_path) as line, opened(line, settings, replace(SOON, round_s=0.001)) as reader:
        await take(reader, 2)
        assert device._order, "in the middle of it"
        device.power_cycle(working_ns())
        assert device.settings.region[0] == FCC
        field = device.fields[1]
        rounds = field.rounds
        await take(reader, 3)
        assert field.rounds > rounds
        assert reader.health.rearms == 1
        assert (device.settings.region[0], field.power_dbm) == (2, 20)


async def test_a_lost_end_of_a_round_costs_a_pause_and_nothing_else(tmp_path, take):
    device = R2000Device([FakeField(EPCS[0])])
    patience = replace(SOON, silent_s=0.3, dead_s=0.1)  # however short, one new order goes before giving up
    async with powered(device, tmp_path) as line, opened(line, SETTINGS, patience) as reader:
        await take(reader, 2)
        end = device._end_order
        device._end_order = lambda now_ns: end(now_ns)[1:]
        waiting = asyncio.create_task(take(reader, 3))
        await eventually(lambda: reader.health.rearms)
        device._end_order = end
        assert await waiting == [Read(EPCS[0], "r-1", 1, -60, NOW_NS)] * 3
        assert reader.health.discarded_bytes > 0


async def test_a_long_order_may_be_silent_for_long(tmp_path):
    settings = R2000Settings(region="us", power_dbm=27, repeat=100)  # half a second in an empty field
    async with powered(R2000Device([FakeField()]), tmp_path) as line, opened(line, settings, SOON) as reader:
        waiting = asyncio.create_task(take_reads(reader, 1))
        await eventually(lambda: reader.health.empty_polls or waiting.done())
        assert reader.health.rearms == 0
        waiting.cancel()


async def test_garbage_between_reports_costs_nothing_but_counters(tmp_path, take):
    device = R2000Device([FakeField(EPCS[0])])
    say = device._say
    impossible = Frame(1, 0x89, b"\x04\x28\x00" + EPCS[1] + b"\x45").to_bytes()
    device._say = lambda code, data: (
        b"\xa0\x02noise" + impossible + say(code, data) if len(data) > 9 else say(code, data)
    )
    async with powered(device, tmp_path) as line, opened(line, SETTINGS) as reader:
        assert await take(reader, 3) == [Read(EPCS[0], "r-1", 1, -60, NOW_NS)] * 3
        assert reader.health.bad_frames >= 2
        assert reader.health.discarded_bytes >= 14


async def test_a_reader_left_in_a_long_order_by_a_crashed_host_is_waited_for(tmp_path):
    device = R2000Device([FakeField(EPCS[0])])
    async with powered(device, tmp_path) as line:
        device.feed(Frame(255, 0x89, b"\x28").to_bytes(), 0)  # 40 rounds of 5 ms
        device._reset = lambda now_ns: pytest.fail("started anew without need")
        async with opened(line, SETTINGS) as reader:
            await take_reads(reader, 1)


async def test_a_reader_that_goes_on_and_on_is_started_anew(tmp_path):
    device = R2000Device([FakeField(EPCS[0])], firmware=Firmware(start_ns=50_000_000))
    async with powered(device, tmp_path) as line:
        device.feed(Frame(255, 0x89, b"\xc8").to_bytes(), 0)  # 200 rounds of 5 ms, longer than anybody waits
        resets = []
        reset = device._reset
        device._reset = lambda now_ns: resets.append(now_ns) or reset(now_ns)
        async with opened(line, SETTINGS) as reader:
            assert await take_reads(reader, 1) == [Read(EPCS[0], "r-1", 1, -60, NOW_NS)]
        assert resets


async def test_nothing_there_is_a_timeout_that_says_what_to_check(tmp_path):
    device = R2000Device([FakeField()])
    device.feed = lambda data, now_ns: b""
    async with powered(device, tmp_path) as line:
        with pytest.raises(ReaderTimeout, match="no answer at any baud rate"):
            async with opened(line, SETTINGS):
                pass
