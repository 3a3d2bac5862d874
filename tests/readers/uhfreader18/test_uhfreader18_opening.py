"""The UHFReader18 and UHFReader288 drivers find, stop and set up a reader, or say why not, over a real pty."""

import asyncio
from dataclasses import replace

import pytest

from readers import driver
from readers.errors import ReaderRefused, ReaderTimeout
from readers.registry import READERS
from readers.uhfreader18.reader import UhfReader18, UhfReader288
from simulators.uhfreader18.firmware import ACTIVE_MODE, ANSWER_MODE, UHFREADER18, UHFREADER288, Memory
from simulators.uhfreader18.frames import answer
from tests.readers.peers import Peer
from tests.readers.simulated import simulated
from tests.readers.uhfreader18.rig import (
    BOTH,
    EPCS,
    READ,
    SETTINGS_18,
    SETTINGS_288,
    SOON,
    FakeField,
    Wrapped,
    changed,
    device_of,
    opened,
    take_reads,
)
from tests.support.patience import eventually

HASTY = replace(SOON, answer_s=0.12)


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
async def test_a_reader_left_in_active_mode_by_a_crash_is_stopped(settings, firmware, deaf, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "STOP_LIMIT_MS", 300)
    memory = Memory(mode=ACTIVE_MODE)
    made = replace(firmware, lost_orders=5 * deaf, hears_mode_only=deaf)
    tags = EPCS[: 3 if deaf else 1]  # three fill the line
    device = device_of(made, FakeField(*tags), memory=memory)
    async with simulated(device, tmp_path / "r-1"):
        await eventually(lambda: device._round_ends_ns > 0)
        async with opened(tmp_path / "r-1", settings, HASTY) as reader:
            assert memory.mode == ANSWER_MODE
            assert [read.epc for read in await take_reads(reader, len(tags))] == tags


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


async def test_a_power_the_reader_does_not_know_is_not_taken_for_zero(tmp_path):
    device = device_of(UHFREADER18, FakeField())

    def unknown(said: bytes) -> bytes:
        return answer(0, 0x21, 0, said[4:10] + b"\0" + said[11:-2]) if said[2] == 0x21 else said

    async with (
        simulated(Wrapped(device, unknown), tmp_path / "r-1"),
        opened(tmp_path / "r-1", changed(SETTINGS_18, power_dbm=0)),
    ):
        assert device.memory.power_dbm == 0


@BOTH
async def test_a_start_that_is_given_up_halfway_leaves_no_reader_streaming(settings, firmware, tmp_path):
    memory = Memory()
    device = device_of(firmware, FakeField(EPCS[0]), memory=memory)

    def mute(said: bytes) -> bytes:
        """The order to stream is obeyed, and what the reader says then is lost."""
        return b"" if memory.mode == ACTIVE_MODE else said

    async with simulated(Wrapped(device, mute), tmp_path / "r-1"):

        async def enter() -> None:
            async with opened(tmp_path / "r-1", changed(settings, mode="active")):
                raise AssertionError("it was entered")

        entering = asyncio.create_task(enter())
        await eventually(lambda: memory.mode == ACTIVE_MODE)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        await eventually(lambda: memory.mode == ANSWER_MODE)


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
    async with (
        simulated(device, tmp_path / "r-1", minds_baud=True),
        opened(tmp_path / "r-1", SETTINGS_18, HASTY) as reader,
    ):
        assert await take_reads(reader, 1) == [READ]
        assert reader.health.alarm == f"the reader is at {baud} baud, not at 57600; set baud = {baud}"
        assert device.memory.baud == baud


async def test_a_reader_left_streaming_at_another_speed_is_found_and_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "STOP_LIMIT_MS", 300)
    device = device_of(UHFREADER18, FakeField(EPCS[0]), memory=Memory(baud=115200, mode=ACTIVE_MODE))
    async with (
        simulated(device, tmp_path / "r-1", minds_baud=True),
        opened(tmp_path / "r-1", SETTINGS_18, HASTY) as reader,
    ):
        assert await take_reads(reader, 1) == [READ]
        assert device.memory.mode == ANSWER_MODE


async def test_nothing_there_is_a_timeout_that_says_what_to_check():
    async with Peer() as peer:
        with pytest.raises(ReaderTimeout, match="no answer at any baud rate; check power, wiring and address"):
            async with opened(peer.path, SETTINGS_18, replace(SOON, answer_s=0.02)):
                pass


@pytest.mark.parametrize("made", [UhfReader18, UhfReader288])
def test_the_type_a_refusal_names_is_that_of_the_driver(made):
    assert READERS[made.dialect.type_name] == f"{made.__module__}:{made.__name__}"
