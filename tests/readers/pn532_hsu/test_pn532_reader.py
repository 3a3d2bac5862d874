"""The PN532 driver against its simulator over a real pty."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from readers import registry
from readers.card_number import CARD_RSSI_DBM, nfc_card
from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout, SettingsError
from readers.model import Read
from readers.pn532_hsu.reader import Patience, Pn532Reader, Pn532Settings
from readers.ports import SerialPort
from simulators.pn532_hsu import Card, Pn532Device
from simulators.pn532_hsu.device import Firmware, answer
from tests.readers.simulated import simulated
from tests.readers.vectors import load
from tests.support.patience import WAIT_S, eventually

UID = bytes.fromhex("078cfc4f")
CARD = Card(UID)
NOW_NS = 1_700_000_000_000_000_000
READ = Read(nfc_card(UID), "r-1", 1, CARD_RSSI_DBM, NOW_NS)
SOON = Patience(answer_s=0.3, dead_polls=3)
OFTEN = Pn532Settings(poll_ms=10)
POLL, SAM, RF = 0x4A, 0x14, 0x32


class Desk:
    """The card in front of the antenna."""

    def __init__(self, card: Card | None = CARD) -> None:
        self.card = card

    def __call__(self, _now_ns: int) -> Card | None:
        return self.card


@asynccontextmanager
async def opened(path, desk, *, device: Pn532Device | None = None, settings=OFTEN, patience=SOON, **make):
    device = device or Pn532Device(desk, firmware=Firmware(**make))
    async with (
        simulated(device, path / "port") as line,
        SerialPort(path / "port", 115200) as port,
        Pn532Reader("r-1", port, settings, lambda: NOW_NS, patience) as reader,
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


@asynccontextmanager
async def reading(reader):
    """Reads go into a list while the test does something else."""
    reads: list[Read] = []

    async def collect() -> None:
        async for read in reader.reads():
            reads.append(read)

    task = asyncio.create_task(collect())
    try:
        yield reads
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_it_wakes_the_chip_sets_it_up_and_reads_a_card_at_every_poll(tmp_path):
    async with opened(tmp_path, Desk()) as (reader, line):
        assert reader.module == "PN532 1.6"
        assert line.device.commands == [SAM, 0x02, RF]
        assert await take(reader, 3) == [READ] * 3
        assert line.device.commands[3:] == [POLL, RF] * 3, "the field goes off after every card"
        assert (reader.health.signs_of_life, reader.health.empty_polls) == (3, 0)
        assert reader.health.discarded_bytes == 0


async def test_polls_without_a_card_are_signs_of_life(tmp_path):
    desk = Desk(None)
    async with opened(tmp_path, desk) as (reader, _), reading(reader) as reads:
        await eventually(lambda: reader.health.empty_polls >= 5)
        assert (reads, reader.health.signs_of_life) == ([], reader.health.empty_polls)
        desk.card = CARD
        await eventually(lambda: len(reads) >= 2)
        assert set(reads) == {READ}


async def test_polls_keep_their_distance(tmp_path):
    device, polled_at_ns = Pn532Device(Desk()), []
    start_poll = device._start_poll
    device._start_poll = lambda now_ns: (polled_at_ns.append(now_ns), start_poll(now_ns))
    async with opened(tmp_path, None, device=device, settings=Pn532Settings(poll_ms=40)) as (reader, _):
        await take(reader, 11)
    assert polled_at_ns[-1] - polled_at_ns[0] > 200_000_000, "ten distances of 40 ms, less what the first was late"


@pytest.mark.parametrize(
    "card",
    [
        Card(bytes.fromhex("04a1b2c3d4e5f6"), b"\x00\x44", 0x00),
        Card(bytes.fromhex("04a1b2c3d4e5f6"), b"\x03\x44", 0x20, b"\x06\x75\x77\x81\x02\x80"),
        Card(bytes(range(1, 11)), b"\x00\x84", 0x08),
    ],
)
async def test_longer_uids_and_cards_with_an_ats_are_cards_too(tmp_path, card):
    async with opened(tmp_path, Desk(card)) as (reader, _):
        [read] = await take(reader, 1)
        assert read.epc == nfc_card(card.uid)
        assert reader.health.bad_frames == 0


async def test_a_uid_that_is_drawn_anew_never_becomes_a_read(tmp_path):
    desk = Desk(Card(None))
    async with opened(tmp_path, desk) as (reader, _), reading(reader) as reads:
        await eventually(lambda: reader.health.random_uids >= 3)
        assert reads == []
        desk.card = CARD
        await eventually(lambda: reads)
        assert set(reads) == {READ}


async def test_an_answer_that_makes_no_sense_is_counted(tmp_path):
    device = Pn532Device(Desk(Card(b"\x01\x02\x03\x04\x05")))
    async with opened(tmp_path, None, device=device) as (reader, _), reading(reader) as reads:
        await eventually(lambda: reader.health.bad_frames >= 2)
        assert reads == []


async def test_a_uid_that_no_card_may_have_is_counted_and_not_told(tmp_path, caplog):
    caplog.set_level(0)
    async with opened(tmp_path, Desk(Card(b"\x88\x02\x03\x04"))) as (reader, _), reading(reader) as reads:
        await eventually(lambda: reader.health.bad_frames >= 2)
        assert reads == []
    assert "88020304" not in caplog.text


async def test_a_chip_left_polling_by_a_crashed_host_is_stopped(tmp_path):
    desk = Desk(None)
    device = Pn532Device(desk)
    device.feed(b"\x55" + bytes.fromhex("0000ff04fcd44a0100e100"), 0)
    async with opened(tmp_path, desk, device=device) as (reader, _), reading(reader) as reads:
        await eventually(lambda: reader.health.empty_polls >= 2)
        assert reads == []


async def test_a_chip_that_lost_its_power_is_woken_and_set_up_again(tmp_path):
    desk = Desk(None)
    async with opened(tmp_path, desk) as (reader, line), reading(reader) as reads:
        await eventually(lambda: reader.health.empty_polls >= 2)
        line.device.power_cycle()
        polls = reader.health.empty_polls
        await eventually(lambda: reader.health.empty_polls >= polls + 2)
        assert reader.health.rearms == 1
        desk.card = CARD
        await eventually(lambda: reads)


async def test_a_chip_that_answers_all_but_polls_is_dead(tmp_path):
    async with opened(tmp_path, Desk(None), heeds_retries=False) as (reader, _):
        with pytest.raises(ReaderTimeout, match="3 polls in a row not answered"):
            await take(reader, 1)
        assert reader.health.rearms == 2
        assert reader.health.signs_of_life == 0


async def test_a_chip_that_falls_silent_is_dead(tmp_path):
    async with opened(tmp_path, Desk()) as (reader, line):
        await take(reader, 1)
        line.device.feed = lambda *_: b""
        with pytest.raises(ReaderTimeout):
            await take(reader, 1)


async def test_nothing_there_says_what_to_check(tmp_path):
    device = Pn532Device(Desk())
    device.feed = lambda *_: b""
    with pytest.raises(ReaderTimeout, match="check power, wiring, baud rate, and that its switches say HSU"):
        async with opened(tmp_path, None, device=device):
            pass


async def test_another_chip_is_refused_by_its_name(tmp_path):
    with pytest.raises(ReaderRefused, match=r"the chip is a PN533 1\.6 and not a PN532"):
        async with opened(tmp_path, Desk(), version=b"\x33\x01\x06\x07"):
            pass


async def test_a_chip_that_does_not_understand_says_so(tmp_path):
    device = Pn532Device(Desk())
    device._configure = lambda _: None
    obey = device._obey
    device._obey = lambda body, now: obey(b"\xd4\x99" if body[1:2] == b"\x4a" else body, now)
    async with opened(tmp_path, None, device=device) as (reader, _):
        with pytest.raises(ReaderRefused, match="does not understand command 0x4a"):
            await take(reader, 1)


async def test_garbage_between_frames_costs_only_counters(tmp_path):
    device = Pn532Device(Desk())
    feed = device.feed
    device.feed = lambda data, now: b"\x00\x00\xff\x09" + feed(data, now)
    async with opened(tmp_path, None, device=device) as (reader, _):
        assert await take(reader, 2) == [READ] * 2
        assert reader.health.discarded_bytes >= 8


async def test_leaving_ends_the_poll_and_the_field(tmp_path):
    desk = Desk()
    device = Pn532Device(desk)
    async with simulated(device, tmp_path / "port"):
        async with SerialPort(tmp_path / "port", 115200) as port, Pn532Reader("r-1", port, OFTEN, lambda: 0, SOON):
            device.commands.clear()
        await eventually(lambda: device.commands == [RF])


async def test_unplugged_and_plugged_in_again(tmp_path):
    async with opened(tmp_path, Desk()) as (reader, line):
        await take(reader, 1)
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await take(reader, 500)
    async with opened(tmp_path, Desk()) as (reader, _):
        assert await take(reader, 1) == [READ]


async def test_it_is_opened_by_name(tmp_path):
    device = Pn532Device(Desk())
    async with (
        simulated(device, tmp_path / "port"),
        registry.open_reader("pn532-hsu", "r-1", str(tmp_path / "port"), {"poll_ms": 20}, lambda: NOW_NS) as reader,
    ):
        assert await take(reader, 1) == [READ]


@pytest.mark.parametrize("stanza", [{"poll_ms": 1000}, {"poll_ms": 5}, {"poll_s": 1}])
def test_a_wrong_setting_is_named(stanza):
    with pytest.raises(SettingsError, match="poll_"):
        registry.check_reader("pn532-hsu", stanza)


def test_the_simulator_says_what_was_captured():
    published = [vector.raw for vector in load("pn532-hsu")]
    assert answer(0x32) in published
    assert answer(0x4A, b"\x00") in published
    assert answer(0x4A, b"\x01" + Pn532Device(Desk())._select(CARD)) in published
