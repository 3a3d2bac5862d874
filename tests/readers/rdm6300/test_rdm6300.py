"""The RDM6300: its frames, and its driver against its simulator over a real pty."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers import registry
from readers.capture import describe_capture, find_protocol
from readers.card_number import CARD_RSSI_DBM, em4100_card
from readers.errors import ReaderDisconnected
from readers.model import Read
from readers.ports import SerialPort
from readers.rdm6300.codec import Frame, FrameDecoder
from readers.rdm6300.reader import Rdm6300Reader, Rdm6300Settings
from simulators.rdm6300 import Rdm6300Device
from simulators.rdm6300.device import Firmware, report
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

CARD = 0x6F007B3972
REPORT = bytes.fromhex("0236463030374233393732354603")
NOW_NS = 1_700_000_000_000_000_000
READ = Read(em4100_card(8075634), "r-1", 1, CARD_RSSI_DBM, NOW_NS)


class Coil:
    """A card, when there is one."""

    def __init__(self, card: int | None = CARD) -> None:
        self.card = card

    def __call__(self, _now_ns: int) -> int | None:
        return self.card


@asynccontextmanager
async def opened(path, coil, **make):
    device = Rdm6300Device(coil, firmware=Firmware(**{"repeat_s": 0.005, **make}))
    async with (
        simulated(device, path / "port") as line,
        SerialPort(path / "port", 9600) as port,
        Rdm6300Reader("r-1", port, Rdm6300Settings(), lambda: NOW_NS) as reader,
    ):
        yield reader, line


async def take(reader, count: int) -> list[Read]:
    reads: list[Read] = []
    async with asyncio.timeout(WAIT_S):
        async for read in reader.reads():
            reads.append(read)
            if len(reads) == count:
                break
    return reads


def test_the_simulator_says_what_was_captured():
    assert report(CARD) == REPORT


@given(st.builds(Frame, st.integers(0, 0xFF), st.integers(0, 0xFFFFFFFF)), st.integers(0, 14))
def test_every_frame_comes_back(frame, cut):
    decoder = FrameDecoder()
    raw = frame.to_bytes()
    assert decoder.feed(raw[:cut]) + decoder.feed(raw[cut:]) == [frame]
    assert report(frame.version << 32 | frame.number) == raw


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (REPORT.lower(), "capitals"),
        (REPORT[:-1] + b"\x04", "ends in 0x04"),
        (REPORT[:-2] + b"E\x03", "checksum 5e, computed 5f"),
    ],
)
def test_a_broken_frame_says_why_and_no_digit_of_the_card(raw, why):
    [record] = describe_capture(find_protocol("rdm6300", "from_reader"), [raw])
    assert (record["valid"], why in record["why"]) == (False, True)
    assert "7b39" not in record["why"].lower()


def test_a_line_end_behind_a_frame_is_no_loss():
    decoder = FrameDecoder()
    assert len(decoder.feed((REPORT + b"\r\n") * 3)) == 3
    assert decoder.discarded_bytes == 0
    decoder.feed(b"?\r\n")
    assert decoder.discarded_bytes == 1


def test_a_frame_shows_nobody_the_number():
    assert "8075634" not in repr(Frame(0x6F, 8075634))


@pytest.mark.parametrize("line_end", [b"", b"\r\n"])
async def test_a_card_that_stays_is_read_again_and_again(tmp_path, line_end):
    async with opened(tmp_path, Coil(), line_end=line_end) as (reader, _):
        assert await take(reader, 3) == [READ] * 3
        assert (reader.health.signs_of_life, reader.health.discarded_bytes) == (None, 0)


async def test_a_card_that_comes_later_is_read(tmp_path):
    coil = Coil(None)
    async with opened(tmp_path, coil) as (reader, _):
        waiting = asyncio.create_task(take(reader, 1))
        await asyncio.sleep(0)
        coil.card = CARD
        assert await waiting == [READ]


async def test_garbage_costs_only_counters(tmp_path):
    async with opened(tmp_path, Coil(), line_end=b"\x02?") as (reader, _):
        assert await take(reader, 4) == [READ] * 4
        assert reader.health.discarded_bytes >= 4


async def test_half_a_frame_does_not_hide_the_next_card(tmp_path):
    coil = Coil(None)
    async with opened(tmp_path, coil) as (reader, line):
        waiting = asyncio.create_task(take(reader, 1))
        line._fifo += REPORT[:7]
        async with asyncio.timeout(WAIT_S):
            while not reader.health.discarded_bytes:
                await asyncio.sleep(0.005)
        coil.card = CARD
        assert await waiting == [READ]


async def test_unplugged_and_plugged_in_again(tmp_path):
    async with opened(tmp_path, Coil()) as (reader, line):
        await take(reader, 1)
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await take(reader, 500)
    async with opened(tmp_path, Coil()) as (reader, _):
        assert await take(reader, 1) == [READ]


async def test_it_is_opened_by_name(tmp_path):
    device = Rdm6300Device(Coil(), firmware=Firmware(repeat_s=0.005))
    async with (
        simulated(device, tmp_path / "port"),
        registry.open_reader("rdm6300", "r-1", str(tmp_path / "port"), {"baud": 9600}, lambda: NOW_NS) as reader,
    ):
        assert await take(reader, 1) == [READ]
