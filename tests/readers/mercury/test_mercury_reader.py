"""The Mercury driver against a simulated module, over a real pty whose two ends must agree on the speed."""

import asyncio
import random
from dataclasses import replace

import pytest

from readers.errors import ReaderDisconnected, ReaderTimeout
from readers.mercury.settings import MercurySettings
from simulators.faults import FaultyDevice
from simulators.mercury.device import MercuryDevice
from simulators.mercury.settings import Firmware
from simulators.scene_file import FaultPlan
from tests.readers.mercury.rig import EPC, READ, Tags, opened, plugged, read_until, take_reads
from tests.support.patience import WAIT_S


async def test_antennas_take_turns_and_reads_name_theirs(take, tmp_path):
    settings = MercurySettings(region="na", power_dbm=20.0, active_antennas=(1, 3), session=1, target="AB", q=5)
    device = MercuryDevice([Tags(b"\x00\x01"), Tags(b"\x00\x02"), Tags(b"\x00\x03")])
    async with plugged(device, tmp_path) as line, opened(line, settings) as reader:
        reads = await take(reader, 6)
        assert {(read.antenna, read.epc) for read in reads} == {(1, b"\x00\x01"), (3, b"\x00\x03")}
        assert device._settings.gen2_options == {0: b"\x01", 1: b"\x00\x00", 0x12: b"\x01\x05"}


async def test_the_sixteenth_antenna_has_no_room_for_its_number(take, tmp_path):
    settings = MercurySettings(region="eu3", power_dbm=20.0, active_antennas=(9, 16))
    async with plugged(MercuryDevice([Tags(EPC)] * 16), tmp_path) as line, opened(line, settings) as reader:
        assert [read.antenna for read in await take(reader, 4)] == [9, 16, 9, 16]


async def test_leaving_stops_the_stream(take, tmp_path):
    device = MercuryDevice([Tags(EPC)])
    async with plugged(device, tmp_path) as line:
        async with opened(line) as reader:
            await take(reader, 1)
        async with asyncio.timeout(WAIT_S):
            while device._stream is not None:
                await asyncio.sleep(0.002)


async def test_keep_alives_of_an_empty_field_are_signs_of_life_and_silence_counts_from_the_last(take, tmp_path):
    device = MercuryDevice([Tags()])
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        await read_until(take, reader, lambda: reader.health.empty_polls >= 40)  # longer than dead_s
        assert reader.health.signs_of_life == reader.health.empty_polls
        assert reader.health.rearms == 0
        polls = reader.health.empty_polls
        device.power_cycle()
        await read_until(take, reader, lambda: reader.health.empty_polls > polls)
        assert reader.health.rearms == 1


async def test_brown_out_looks_like_silence_and_is_started_again_from_scratch(take, tmp_path):
    field = Tags(EPC)
    device = MercuryDevice([field])
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        assert await take(reader, 1) == [READ]
        device.power_cycle()
        assert await take(reader, 3) == [READ] * 3
        assert reader.health.rearms == 1
        assert set(field.powers_dbm) == {25.0}
        assert device._settings.region == 0x08


async def test_brown_out_at_a_speed_that_was_not_the_module_s_own_is_mended_by_opening_again(tmp_path):
    device = MercuryDevice([Tags(EPC)])
    settings = MercurySettings(region="eu3", power_dbm=25.0, baud=460800)
    async with plugged(device, tmp_path) as line:
        async with opened(line, settings) as reader:
            await take_reads(reader, 1)
            device.power_cycle()
            with pytest.raises(ReaderTimeout, match="no answer to what runs"):
                await take_reads(reader, 1_000_000)
        async with opened(line, settings) as reader:
            assert await take_reads(reader, 1) == [READ]


async def test_a_supply_that_gives_way_at_each_start_is_dead(take, tmp_path):
    device = MercuryDevice([Tags(EPC)], firmware=Firmware(brown_out_above_cdbm=2000))
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        with pytest.raises(ReaderTimeout, match=r"no sign of life for 1.5 s; check power"):
            await take(reader, 1)
        assert reader.health.rearms >= 2
        assert reader.health.signs_of_life == 0


async def test_too_hot_is_an_alarm_and_no_sign_that_it_reads(take, tmp_path):
    device = MercuryDevice([Tags(EPC)])
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        await take(reader, 1)
        device.temperature_c = 90
        lives = reader.health.signs_of_life
        with pytest.raises(ReaderTimeout, match=r"no sign of life for 1.5 s; too hot, .* lower power_dbm or cool it"):
            await take(reader, 1_000_000)
        assert reader.health.alarms > 0
        assert reader.health.temperature_c == 90
        assert reader.health.signs_of_life - lives < 30


async def test_a_bad_antenna_is_an_alarm_and_the_others_go_on(take, tmp_path):
    settings = MercurySettings(region="eu3", power_dbm=25.0, active_antennas=(1, 2))
    device = MercuryDevice([Tags(EPC), Tags(EPC)], firmware=Firmware(bad_antennas=frozenset({2})))
    async with plugged(device, tmp_path) as line, opened(line, settings) as reader:
        assert await take(reader, 5) == [READ] * 5
        assert reader.health.alarms >= 3
        assert "check antenna and cable" in reader.health.alarm


async def test_a_temperature_in_the_stream_is_health_and_no_tag(take, tmp_path):
    device = MercuryDevice([Tags()])
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        device.temperature_c = -5
        await read_until(take, reader, lambda: reader.health.temperature_c == -5)
        assert reader.health.temperature_c == -5
        assert reader.health.bad_frames == 0


@pytest.mark.parametrize("firmware", [Firmware(confirms=False), Firmware(only_metadata=0x01FF)])
async def test_a_module_that_streams_no_temperature_or_no_short_records_streams_all_the_same(take, tmp_path, firmware):
    device = MercuryDevice([Tags(EPC)], firmware=replace(firmware, reports_temperature=False))
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        assert await take(reader, 1) == [READ]


async def test_a_line_that_drops_and_alters_bytes_costs_reads_and_never_alters_one(take, tmp_path):
    device = MercuryDevice([Tags(EPC)])
    plan = FaultPlan(drop_rate=0.002, corrupt_rate=0.002, garbage_rate=0.002, split_rate=0.2)
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        line.device = FaultyDevice(device, plan, random.Random(1))
        assert await take(reader, 100) == [READ] * 100
        assert reader.health.discarded_bytes > 0


async def test_unplugged_and_plugged_in_again(take, tmp_path):
    async with plugged(MercuryDevice([Tags(EPC)]), tmp_path) as line:
        async with opened(line) as reader:
            await take(reader, 1)
            line.unplug()
            with pytest.raises(ReaderDisconnected, match="check the cable"):
                await take(reader, 1_000_000)
        line.plug()
        async with opened(line) as reader:
            assert await take(reader, 1) == [READ]
