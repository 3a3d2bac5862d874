"""The M100 driver over a real pty."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout
from readers.magicrf_m100.reader import M100Reader
from readers.magicrf_m100.scan import NOTICE
from readers.magicrf_m100.settings import M100Settings
from readers.magicrf_m100.vigil import Patience
from readers.model import Chunk, Read, Scanned
from readers.ports import SerialPort
from tests.readers.fake_m100 import EPC, NO_TAG, TAG, FakeM100, frame
from tests.readers.peers import Peer
from tests.support.patience import WAIT_S

SETTINGS = M100Settings(region="us", power_dbm=26.0)
SOON = Patience(answer_s=0.1, order_ended_s=0.02, rearm_s=0.05, dead_s=0.25)
NOW_NS = 1_700_000_000_000_000_000
READ = Read(EPC, "r-1", 1, -55, NOW_NS, True)


@asynccontextmanager
async def opened(module: FakeM100, settings: M100Settings = SETTINGS, patience: Patience = SOON):
    async with (
        Peer(module.script) as peer,
        SerialPort(peer.path, 115200) as port,
        M100Reader("r-1", port, settings, lambda: NOW_NS, patience) as reader,
    ):
        yield reader, peer


async def take_reads(reader: M100Reader, count: int) -> list[Read]:
    reads: list[Read] = []
    async with asyncio.timeout(WAIT_S):
        async for read in reader.reads():
            reads.append(read)
            if len(reads) == count:
                break
    return reads


async def take_chunks(reader: M100Reader, count: int) -> list[Read]:
    """The same by the wire scan."""
    ring = ReadRing(100)
    stream = WireScan(reader.wire, {1: 0}, ring, Tally())
    async with asyncio.timeout(WAIT_S):
        async for chunk in reader.chunks():
            reader.scanned(stream.take(chunk))
            if len(ring) >= count:
                break
    columns = ring.front(count)
    return [
        Read(epc.tobytes()[:size], "r-1", 1, cdbm / 100, at_ns, bool(crc_ok))
        for epc, size, cdbm, at_ns, crc_ok in zip(
            columns.epc, columns.epc_len, columns.rssi_cdbm, columns.t_ns, columns.crc_ok, strict=True
        )
    ]


@pytest.fixture(params=[take_reads, take_chunks])
def take(request: pytest.FixtureRequest):
    if request.param is take_chunks:  # compiled before the clock runs
        WireScan(NOTICE, {1: 0}, ReadRing(1), Tally()).take(Chunk(TAG, NOW_NS))
    return request.param


async def test_it_sets_the_module_up_and_reports_tags(take):
    module = FakeM100(lambda _: [NO_TAG, TAG, NO_TAG, TAG])
    async with opened(module) as (reader, peer):
        assert await take(reader, 2) == [READ, READ]
        assert reader.module == "M100 V1.00"
        assert (module.region, module.power, module.orders) == (b"\x02", (2600).to_bytes(2, "big"), [10000])
        assert reader.health.empty_polls == 2
        assert reader.health.discarded_bytes == 0
        assert bytes.fromhex("bb00ad0001ffad7e") in peer.heard
        assert bytes.fromhex("bb000e00021020407e") in peer.heard


async def test_leaving_stops_the_inventory():
    module = FakeM100()
    async with Peer(module.script) as peer:
        async with SerialPort(peer.path, 115200) as port, M100Reader("r-1", port, SETTINGS, lambda: 0):
            peer.heard.clear()
        await peer.hears(bytes.fromhex("bb00280000287e"))


async def test_a_device_left_streaming_is_stopped_and_its_old_reads_are_dropped(take):
    module = FakeM100()
    obey, waiting = module._obey, [TAG * 40]
    module._obey = lambda command, payload: (
        ([waiting.pop()] if command == 0x28 and waiting else []) + obey(command, payload)
    )
    async with opened(module) as (reader, _):
        assert await take(reader, 1) == [READ]
        assert reader.health.frames < 40
        assert module.commands[0] == 0x28


async def test_a_read_with_a_wrong_tag_crc_says_so(take):
    wrong = frame(2, 0x22, TAG[5:-4] + b"\x00\x00")
    async with opened(FakeM100(lambda _: [wrong])) as (reader, _):
        [read] = await take(reader, 1)
        assert (read.epc, read.crc_ok) == (EPC, False)


async def test_garbage_and_impossible_frames_cost_nothing_but_counters(take):
    impossible = frame(2, 0x22, b"\xc9\x28" + TAG[7:-2])
    async with opened(FakeM100(lambda _: [b"\xbb\x00noise", TAG, impossible, TAG])) as (reader, _):
        assert await take(reader, 2) == [READ, READ]
        assert (reader.health.bad_frames, reader.health.discarded_bytes) == (1, 7)


async def test_silence_brings_out_what_a_cut_off_frame_had_hidden(take):
    patience = Patience(order_ended_s=0.02, rearm_s=0.03, dead_s=90)
    async with opened(FakeM100(lambda _: [b"\xbb\x02\x22\x00\x40", TAG, TAG]), patience=patience) as (reader, _):
        assert await take(reader, 2) == [READ, READ]
        assert reader.health.discarded_bytes == 5


async def test_a_notice_that_began_while_setting_up_is_not_lost(take):
    module = FakeM100(lambda _: [TAG[9:]])
    module.answers[0x12].append(TAG[:9])
    async with opened(module) as (reader, _):
        assert await take(reader, 1) == [READ]
        assert reader.health.discarded_bytes == 0


async def test_a_chunk_that_nobody_accounts_for_is_a_mistake_of_ours():
    async with opened(FakeM100()) as (reader, _):
        with pytest.raises(ValueError, match="scanned"):
            async for _ in reader.chunks():
                pass


async def test_the_end_of_an_order_is_followed_by_the_next(take):
    settings = M100Settings(region="us", power_dbm=26.0, poll_count=3)
    module = FakeM100(lambda _: [TAG, NO_TAG, NO_TAG])
    async with opened(module, settings, Patience(order_ended_s=0.02, rearm_s=60, dead_s=90)) as (reader, _):
        assert len(await take(reader, 3)) == 3
        assert module.orders == [3, 3, 3]


async def test_silence_in_the_middle_of_an_order_is_answered_by_a_new_one(take):
    module = FakeM100(lambda order: [] if order == 1 else [TAG])
    async with opened(module) as (reader, _):
        assert await take(reader, 1) == [READ]
        assert reader.health.rearms == 1


async def test_a_module_that_lost_power_does_not_go_on_in_its_default_region(take):
    """Brown-out: the port stays, the module is silent, and knows nothing any more of region and power."""
    module = FakeM100()
    set_up_as = []
    module.on_poll = lambda _: set_up_as.append((module.region, module.power)) or [TAG]
    async with opened(module) as (reader, _):
        assert await take(reader, 1) == [READ]
        module.region, module.power = b"\x01", (2000).to_bytes(2, "big")
        assert await take(reader, 1) == [READ]
        assert set_up_as == [(b"\x02", (2600).to_bytes(2, "big"))] * 2


async def test_a_dead_module_is_a_timeout_although_the_port_is_open(take):
    async with opened(FakeM100(lambda _: [])) as (reader, _):
        with pytest.raises(ReaderTimeout, match="no sign of life"):
            await take(reader, 1)
        assert reader.health.rearms >= 2
        assert reader.health.frames > 0
        assert reader.health.signs_of_life == 0, "answers to orders are no proof that it reads"


async def test_a_consumer_that_was_busy_for_long_does_not_call_a_living_module_dead(take):
    patience = Patience(rearm_s=0.02, dead_s=0.03)
    async with opened(FakeM100(), patience=patience) as (reader, _):
        async with asyncio.timeout(WAIT_S):
            while not reader._port._buffer:
                await asyncio.sleep(0.001)
        time.sleep(0.05)  # longer than dead_s, with a read waiting
        assert await take(reader, 1) == [READ]


async def test_what_still_waits_in_the_system_counts_as_heard_before_the_deadline(take):
    patience = Patience(rearm_s=0.02, dead_s=0.03)
    async with opened(FakeM100(lambda _: []), patience=patience) as (reader, peer):
        peer.say(TAG)
        time.sleep(0.05)  # longer than dead_s, and the port has had no turn to take the read in
        assert await take(reader, 1) == [READ]


async def test_a_module_that_only_babbles_is_dead_too(take):
    module = FakeM100(lambda _: [])
    async with opened(module) as (reader, peer):

        async def babble() -> None:
            while True:
                peer.say(b"\x55" * 10)
                await asyncio.sleep(0.005)

        noise = asyncio.create_task(babble())
        with pytest.raises(ReaderTimeout):
            await take(reader, 1)
        noise.cancel()


async def test_empty_polls_are_a_sign_of_life(take):
    module = FakeM100(lambda _: [NO_TAG])
    async with opened(module) as (reader, _):
        waiting = asyncio.create_task(take(reader, 1))
        async with asyncio.timeout(WAIT_S):
            while reader.health.empty_polls < 8:  # longer than dead_s
                await asyncio.sleep(0.01)
        assert reader.health.signs_of_life == reader.health.empty_polls
        assert not waiting.done()
        waiting.cancel()


async def test_reports_are_signs_of_life_parsed_or_not(take):
    async with opened(FakeM100(lambda _: [TAG, NO_TAG])) as (reader, _):
        await take(reader, 1)
        counted = reader.health.signs_of_life
        assert counted
        chunks = reader.chunks()
        await anext(chunks)
        reader.scanned(Scanned(reads=3, bad_frames=1, discarded_bytes=0, others=(NO_TAG,)))
        await anext(chunks)
        assert reader.health.signs_of_life == counted + 5
        await chunks.aclose()


async def test_a_refused_region_is_said_with_the_module_s_code():
    module = FakeM100()
    module.answers[0x07] = [bytes.fromhex("bb01ff000117187e")]
    with pytest.raises(ReaderRefused, match="refuses region us: error 0x17, command_error") as caught:
        async with opened(module):
            pass
    assert caught.value.code == 0x17


async def test_a_power_the_module_cannot_do_is_refused():
    module = FakeM100()
    module.answers[0xB7] = [bytes.fromhex("bb01b7000207d0917e")]
    with pytest.raises(ReaderRefused, match="asked for 26 dBm, the module is at 20 dBm; set power_dbm"):
        async with opened(module):
            pass


async def test_a_region_that_does_not_stick_is_refused():
    module = FakeM100()
    module.answers[0x08] = [frame(1, 0x08, b"\x03")]
    with pytest.raises(ReaderRefused, match="asked for region us"):
        async with opened(module):
            pass


async def test_a_refused_poll_ends_the_reads(take):
    module = FakeM100(lambda _: [bytes.fromhex("bb01ff000117187e")])
    async with opened(module) as (reader, _):
        with pytest.raises(ReaderRefused, match="poll order"):
            await take(reader, 1)


async def test_nothing_there_is_a_timeout_that_says_what_to_check():
    module = FakeM100()
    module.answers.clear()
    with pytest.raises(ReaderTimeout, match="no answer at any baud rate; check power"):
        async with opened(module):
            pass


async def test_the_first_command_after_sleep_may_go_unanswered():
    module = FakeM100()
    answers = iter([[], module.answers[0x03], module.answers[0x03]])
    obey = module._obey
    module._obey = lambda command, payload: next(answers) if command == 0x03 else obey(command, payload)
    async with opened(module) as (reader, _):
        assert reader.module == "M100 V1.00"


async def test_a_clone_with_a_strange_name_reads_all_the_same():
    module = FakeM100()
    module.answers[0x03] = [frame(1, 0x03, b"\0M100 \xb0\xe6")]
    async with opened(module) as (reader, _):
        assert reader.module == "M100 \ufffd\ufffd"


async def test_answers_behind_queued_notices_and_noise_are_found():
    module = FakeM100()
    occupied = frame(1, 0xFF, b"\x20")
    module.answers[0x03] = [TAG, NO_TAG, occupied, b"\xbb\x00\x03\x00\x40", *module.answers[0x03]]
    async with opened(module) as (reader, _):
        assert reader.module == "M100 V1.00"


async def test_a_fixed_channel_is_set_with_hopping_off():
    settings = M100Settings(region="us", power_dbm=20.0, hopping=False, channel=7)
    module = FakeM100()
    async with opened(module, settings) as (_, peer):
        assert bytes.fromhex("bb00ad000100ae7e") in peer.heard
        assert bytes.fromhex("bb00ab000107b37e") in peer.heard


async def test_without_a_select_one_that_somebody_left_is_switched_off():
    async with opened(FakeM100()) as (_, peer):
        assert bytes.fromhex("bb0012000101147e") in peer.heard


async def test_a_select_makes_the_tags_of_a_shop_the_only_ones():
    settings = M100Settings(region="us", power_dbm=20.0, select="3034257b", select_bits=30)
    module = FakeM100()
    async with opened(module, settings) as (_, peer):
        assert frame(0, 0x0C, bytes.fromhex("01000000201e00 3034257b")) in peer.heard
        assert frame(0, 0x12, b"\x00") in peer.heard
        assert module.commands.index(0x0C) < module.commands.index(0x12), "the one resets the other"


async def test_hopping_between_some_channels():
    settings = M100Settings(region="us", power_dbm=20.0, hop_channels=(1, 2, 3, 4, 5))
    async with opened(FakeM100(), settings) as (_, peer):
        assert bytes.fromhex("bb00a90006050102030405c37e") in peer.heard
        assert bytes.fromhex("bb00ad0001ffad7e") in peer.heard


async def test_occupied_channels_are_a_warning_and_no_refusal(take):
    occupied = frame(1, 0xFF, b"\x20")
    async with opened(FakeM100(lambda _: [occupied, TAG, occupied, TAG])) as (reader, _):
        assert await take(reader, 2) == [READ, READ]
        assert reader.health.alarms == 2
        assert "every channel is occupied" in reader.health.alarm


async def test_a_module_that_is_always_occupied_is_not_alive(take):
    module = FakeM100(lambda _: [frame(1, 0xFF, b"\x20")] * 3)
    async with opened(module) as (reader, _):
        with pytest.raises(ReaderTimeout, match="no sign of life"):
            await take(reader, 1)


async def test_unplugged_and_plugged_in_again(take):
    module = FakeM100()
    async with opened(module) as (reader, peer):
        assert await take(reader, 1) == [READ]
        peer.unplug()
        with pytest.raises(ReaderDisconnected, match="check the cable"):
            await take(reader, 1)
    async with opened(module) as (reader, _):
        assert await take(reader, 1) == [READ]


async def test_cancelling_while_waiting_stops_the_module_and_ends_soon(take):
    module = FakeM100(lambda _: [NO_TAG])
    async with Peer(module.script) as peer:

        async def run() -> None:
            async with SerialPort(peer.path, 115200) as port, M100Reader("r-1", port, SETTINGS, lambda: 0) as reader:
                await take(reader, 1)

        running = asyncio.create_task(run())
        async with asyncio.timeout(WAIT_S):
            while not module.orders:
                await asyncio.sleep(0.005)
        peer.heard.clear()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await peer.hears(bytes.fromhex("bb00280000287e"))
