"""The Mercury driver against a simulated module, over a real pty whose two ends must agree on the speed."""

import asyncio
import random
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout, SettingsError
from readers.mercury import statuses
from readers.mercury.codec import Answer
from readers.mercury.patience import Patience
from readers.mercury.reader import MercuryReader
from readers.mercury.scan import STREAM
from readers.mercury.settings import MercurySettings
from readers.model import Chunk, Read, Scanned
from readers.ports import SerialPort
from readers.registry import check_reader
from simulators.faults import FaultyDevice
from simulators.mercury.device import MercuryDevice
from simulators.mercury.settings import Firmware
from simulators.pty_host import PtyLine
from simulators.scene_file import FaultPlan
from simulators.scene_radio import Answer as TagAnswer
from simulators.scene_radio import Round
from tests.readers.peers import Peer
from tests.support.patience import WAIT_S
from tests.support.patient_loop import working_ns

MS = 1_000_000
HASTE = 20
"""How much faster than ours the module's clock runs: its keep-alives come twenty times a second."""
SETTINGS = MercurySettings(region="eu3", power_dbm=25.0)
SOON = Patience(answer_s=0.4, quiet_ms=20, hush_ms=100, rearm_s=0.5, dead_s=1.5)
NOW_NS = 1_700_000_000_000_000_000
EPC = bytes.fromhex("000000000000000000001545")
READ = Read(EPC, "r-1", 1, -60, NOW_NS, True)


class Tags:
    """A field with these tags, each heard at -60 dBm, a round a tenth of a second."""

    def __init__(self, *epcs: bytes) -> None:
        self.epcs = epcs
        self.powers_dbm: list[float] = []

    def inventory(self, now_ns, power_dbm, takes_part):
        self.powers_dbm.append(power_dbm)
        answers = tuple(TagAnswer(now_ns + 10 * MS, epc, -60.2) for epc in self.epcs if takes_part(epc))
        return Round(answers, now_ns + 100 * MS)


@asynccontextmanager
async def plugged(device: MercuryDevice, folder: Path):
    """The module at its port, its clock in haste."""
    line = PtyLine(device, folder / "module", minds_baud=True)
    line.plug()

    async def run() -> None:
        while True:
            line.step(working_ns() * HASTE)
            await asyncio.sleep(0.001)

    running = asyncio.create_task(run())
    try:
        yield line
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        line.unplug()


@asynccontextmanager
async def opened(line: PtyLine, settings: MercurySettings = SETTINGS, patience: Patience = SOON):
    async with (
        SerialPort(line.link, settings.baud) as port,
        MercuryReader("r-1", port, settings, lambda: NOW_NS, patience) as reader,
    ):
        yield reader


async def take_reads(reader: MercuryReader, count: int) -> list[Read]:
    reads: list[Read] = []
    async with asyncio.timeout(WAIT_S):
        async for read in reader.reads():
            reads.append(read)
            if len(reads) == count:
                break
    return reads


async def take_chunks(reader: MercuryReader, count: int) -> list[Read]:
    """The same by the wire scan."""
    ring = ReadRing(1000)
    stream = WireScan(reader.wire, {number: number for number in range(1, 17)}, ring, Tally())
    async with asyncio.timeout(WAIT_S):
        async for chunk in reader.chunks():
            reader.scanned(stream.take(chunk))
            if len(ring) >= count:
                break
    columns = ring.front(count)
    return [
        Read(epc.tobytes()[:size], "r-1", int(antenna), cdbm / 100, at_ns, bool(crc_ok))
        for epc, size, antenna, cdbm, at_ns, crc_ok in zip(
            columns.epc, columns.epc_len, columns.antenna, columns.rssi_cdbm, columns.t_ns, columns.crc_ok, strict=True
        )
    ]


@pytest.fixture(params=[take_reads, take_chunks])
def take(request: pytest.FixtureRequest):
    if request.param is take_chunks:  # compiled before the clock runs
        WireScan(STREAM, {1: 0}, ReadRing(1), Tally()).take(Chunk(TAG, NOW_NS))
    return request.param


async def read_until(take, reader: MercuryReader, done) -> None:
    """Take reads in the background until `done()`."""
    reading = asyncio.create_task(take(reader, 1_000_000))
    async with asyncio.timeout(WAIT_S):
        while not done() and not reading.done():
            await asyncio.sleep(0.002)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading


async def test_it_boots_the_module_sets_it_up_and_reports_tags(take, tmp_path):
    field = Tags(EPC)
    device = MercuryDevice([field])
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        assert await take(reader, 3) == [READ] * 3
        assert reader.module == "M6e Nano, firmware 01.07.02.00"
        assert set(field.powers_dbm) == {25.0}
        told = device._settings
        assert (told.region, told.protocol, told.antennas, told.read_filter) == (0x08, 5, (1,), False)
        assert told.gen2_options == {0: b"\x00", 1: b"\x01\x00", 0x12: b"\x00"}
        assert reader.health.bad_frames == 0
        assert reader.health.temperature_c == 30


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


async def stream_like_a_crashed_host_left_it(device: MercuryDevice, line: PtyLine, baud: int) -> None:
    """A host that sets the module up, moves it to `baud`, and is gone without a word."""
    async with SerialPort(line.link, baud) as port:
        reader = MercuryReader("r-0", port, MercurySettings(region="eu3", power_dbm=10.0, baud=baud), lambda: 0, SOON)
        await reader.__aenter__()
    assert device._stream is not None
    assert device.baud == baud


async def test_an_opening_cut_short_once_the_stream_was_ordered_stops_it(tmp_path):
    """An agent that is told to end while it opens must not leave the module transmitting for nobody."""
    device = MercuryDevice([Tags(EPC)])
    control = device._control_stream
    device._control_stream = lambda parameters, now_ns: control(parameters, now_ns) and b""  # the answer gets lost

    async def open_it() -> None:
        async with opened(line, patience=replace(SOON, answer_s=30, quiet_ms=60, hush_ms=300)):
            pass

    async with plugged(device, tmp_path) as line, asyncio.timeout(WAIT_S):
        opening = asyncio.create_task(open_it())
        while device._stream is None:
            await asyncio.sleep(0.001)
        opening.cancel()
        await asyncio.wait([opening])
        while device._stream is not None:
            await asyncio.sleep(0.001)


async def test_a_clone_that_is_deaf_to_questions_for_its_temperature_reads_all_the_same(tmp_path):
    device = MercuryDevice([Tags(EPC)])
    answer = device._answer
    device._answer = lambda command, now_ns: b"" if command.opcode == 0x72 else answer(command, now_ns)
    async with plugged(device, tmp_path) as line, opened(line) as reader:
        assert await take_reads(reader, 1) == [READ]


async def test_a_module_left_streaming_is_stopped_and_set_up_anew(take, tmp_path):
    field = Tags(EPC)
    device = MercuryDevice([field])
    async with plugged(device, tmp_path) as line:
        await stream_like_a_crashed_host_left_it(device, line, 115200)
        async with opened(line) as reader:
            assert await take(reader, 2) == [READ, READ]
            assert field.powers_dbm[-1] == 25.0


@pytest.mark.parametrize("left_at", [921600, 19200])
async def test_a_module_left_streaming_at_another_speed_is_found_and_moved_to_ours(tmp_path, left_at):
    device = MercuryDevice([Tags(EPC)])
    async with plugged(device, tmp_path) as line:
        await stream_like_a_crashed_host_left_it(device, line, left_at)
        async with opened(line) as reader:
            assert await take_reads(reader, 2) == [READ, READ]
            assert device.baud == 115200


async def test_a_module_fresh_from_power_is_moved_to_the_speed_of_the_settings(tmp_path):
    device = MercuryDevice([Tags(EPC)])
    settings = MercurySettings(region="eu3", power_dbm=25.0, baud=460800)
    async with plugged(device, tmp_path) as line, opened(line, settings) as reader:
        assert await take_reads(reader, 1) == [READ]
        assert device.baud == 460800


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


async def test_an_old_complaint_is_no_reason_for_a_new_silence(take):
    async with scripted(Answer(0x22, 0x0504).to_bytes(), TAG) as (reader, _):
        with pytest.raises(ReaderTimeout, match="check power and wiring"):
            await take(reader, 1_000_000)
        assert reader.health.alarms == 1
        assert "too hot" in reader.health.alarm


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


async def test_nothing_there_is_a_timeout_that_says_what_to_check():
    patience = replace(SOON, answer_s=0.01, quiet_ms=1)
    async with Peer() as peer, SerialPort(peer.path, 115200) as port:
        with pytest.raises(ReaderTimeout, match="no answer at any baud rate; check power"):
            await MercuryReader("r-1", port, SETTINGS, lambda: 0, patience).__aenter__()


REFUSED = {
    "region": (MercurySettings(region="jp", power_dbm=20.0), "region jp is not among those of this module: na, prc, eu3, na2"),
    "power": (MercurySettings(region="na", power_dbm=30.0), "power_dbm = 30: this module does 0 to 27 dBm"),
    "antenna": (MercurySettings(region="na", power_dbm=20.0, active_antennas=(1, 4)), "no port 4; this module has 1, 2$"),
    "hop table": (MercurySettings(region="eu3", power_dbm=20.0, hop_khz=(902_750,)), "refuses hop_khz: .* invalid_freq"),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "words"), REFUSED.values(), ids=REFUSED)
async def test_what_the_module_cannot_do_is_refused_on_opening(tmp_path, settings, words):
    async with plugged(MercuryDevice([Tags(), Tags()]), tmp_path) as line:
        with pytest.raises(ReaderRefused, match=words):
            async with opened(line, settings):
                pass


async def test_a_module_without_a_stream_is_refused_by_name(tmp_path):
    firmware = Firmware(hardware=bytes.fromhex("01000003"), streams=False)
    async with plugged(MercuryDevice([Tags()], firmware=firmware), tmp_path) as line:
        with pytest.raises(ReaderRefused, match=r"M5e Compact, firmware .*: it cannot stream") as caught:
            async with opened(line):
                pass
        assert caught.value.code == 0x0101


def obedient():
    """A module that does whatever it is asked, each answer behind a queued keep-alive."""
    version = Answer(0x03, 0, bytes.fromhex("1212020030000002201709290107020000000010"))
    answers = {
        0x0C: Answer(0x0C, 0, b"\x12"),
        0x71: Answer(0x71, 0, b"\x08"),
        0x67: Answer(0x67, 0, b"\x08"),
        0x61: Answer(0x61, statuses.UNIMPLEMENTED),  # as a clone may say
        0x62: Answer(0x62, 0, bytes.fromhex("010a8c0a8c0000")),
        0x72: Answer(0x72, 0, b"\x00\x1e"),  # no byte that is a temperature
        0x03: version,
    }

    def answer(data: bytes) -> list[bytes]:
        opcode = data[2]
        if opcode == 0x2F and data[5] == 2:
            return []
        return [KEEP_ALIVE + answers.get(opcode, Answer(opcode)).to_bytes()]

    return answer


KEEP_ALIVE = Answer(0x22, 0x0400).to_bytes()
TAG = bytes.fromhex("ff2822000010001b01ff0101c4110e16400000012700000500000f00803000000000000000000000001545e94a561d")
STATUS_REPORT = bytes.fromhex("ff0b2200008800011b0282008200011c1d49")


@asynccontextmanager
async def scripted(*said: bytes, patience: Patience = SOON):
    async with (
        Peer(obedient()) as peer,
        SerialPort(peer.path, 115200) as port,
        MercuryReader("r-1", port, SETTINGS, lambda: NOW_NS, patience) as reader,
    ):
        peer.say(b"".join(said))
        yield reader, peer


async def test_captured_frames_become_reads_and_health(take):
    async with scripted(KEEP_ALIVE, STATUS_REPORT, TAG) as (reader, _):
        assert await take(reader, 1) == [READ]
        assert reader.health.temperature_c == 28
        assert reader.health.signs_of_life == 2


async def test_contradicting_records_and_noise_cost_nothing_but_counters(take):
    xpc_of_nothing = Answer(
        0x22, 0, bytes.fromhex("10001b0046") + b"\x01\xc4\x11\x05\x00\x20\x02\x00\x00\x00"
    ).to_bytes()
    async with scripted(b"\xff" + TAG, xpc_of_nothing, b"\xff\x10noise", TAG) as (reader, _):
        assert await take(reader, 2) == [READ, READ]
        assert (reader.health.bad_frames, reader.health.discarded_bytes) == (1, 8)


async def test_a_stray_header_does_not_hold_up_what_follows_it(take):
    patience = Patience(answer_s=0.4, quiet_ms=20, rearm_s=60, dead_s=90)
    async with scripted(b"\xff" + TAG, patience=patience) as (reader, _):
        assert await take(reader, 1) == [READ]


async def test_a_wrong_tag_crc_is_said(take):
    wrong = Answer(0x22, 0, TAG[5:-4] + b"\x00\x00").to_bytes()
    async with scripted(wrong) as (reader, _):
        [read] = await take(reader, 1)
        assert (read.epc, read.crc_ok) == (EPC, False)


async def test_a_stream_that_the_module_ends_with_an_error_is_refused(take):
    async with scripted(Answer(0x22, 0x0405).to_bytes()) as (reader, _):
        with pytest.raises(ReaderRefused, match="refuses to go on reading: status 0x0405, radio_off") as caught:
            await take(reader, 1)
        assert caught.value.code == 0x0405


async def test_a_late_answer_to_a_stop_is_none_to_a_start():
    obeys = obedient()

    def script(data: bytes) -> list[bytes]:
        starts = data[2] == 0x2F and data[5] == 1
        return [Answer(0x2F, 0, b"\x02").to_bytes(), Answer(0x2F, 0x0405).to_bytes()] if starts else obeys(data)

    async with Peer(script) as peer, SerialPort(peer.path, 115200) as port:
        with pytest.raises(ReaderRefused, match="refuses to read without end: status 0x0405"):
            await MercuryReader("r-1", port, SETTINGS, lambda: 0, SOON).__aenter__()


async def test_a_full_tag_buffer_and_an_ended_search_are_no_errors(take):
    ended = Answer(0x22, 0, bytes.fromhex("00001b0000000003")).to_bytes()
    full = (Answer(0x22, 0x0601).to_bytes(), Answer(0x22, 0x0601, TAG[5:-2]).to_bytes())
    async with scripted(*full, ended, TAG) as (reader, _):
        assert await take(reader, 1) == [READ]
        assert reader.health.signs_of_life == 2


async def test_a_consumer_that_was_busy_for_long_does_not_call_a_living_module_dead(take):
    patience = Patience(answer_s=0.4, quiet_ms=20, rearm_s=0.02, dead_s=0.03)
    async with scripted(TAG, patience=patience) as (reader, _):
        async with asyncio.timeout(WAIT_S):
            while not reader._port._buffer:
                await asyncio.sleep(0.001)
        time.sleep(0.05)  # longer than dead_s, with a read waiting
        assert await take(reader, 1) == [READ]


async def test_a_module_that_only_babbles_is_dead(take):
    async with scripted() as (reader, peer):

        async def babble() -> None:
            while True:
                peer.say(b"\x55" * 10)
                await asyncio.sleep(0.005)

        noise = asyncio.create_task(babble())
        with pytest.raises(ReaderTimeout):
            await take(reader, 1)
        noise.cancel()


async def test_the_wire_scan_may_take_the_stream_and_tells_what_else_there_was():
    async with scripted(TAG) as (reader, _):
        chunks = reader.chunks()
        chunk = await anext(chunks)
        assert chunk.data == TAG
        hot = Answer(0x22, 0x0504).to_bytes()
        reader.scanned(Scanned(reads=3, bad_frames=1, discarded_bytes=5, others=(KEEP_ALIVE, STATUS_REPORT, hot)))
        health = reader.health
        assert (health.signs_of_life, health.bad_frames, health.discarded_bytes, health.alarms) == (5, 1, 5, 1)
        assert health.temperature_c == 28
        await chunks.aclose()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"region": "europe"}, "region 'europe' is none of na, eu, "),
        ({"active_antennas": []}, "active_antennas must name one or more"),
        ({"active_antennas": [1, 1]}, "active_antennas must name one or more"),
        ({"active_antennas": [17]}, "active_antennas"),
        ({"baud": 14400}, "baud"),
        ({"power_dbm": 40}, "power_dbm"),
        ({"hop_khz": [100]}, "hop_khz"),
        ({"hop_khz": [865_700] * 63}, "hop_khz"),
    ],
)
def test_settings_that_can_never_work_are_refused_before_anything_opens(changed, words):
    stanza = {"region": "eu3", "power_dbm": 25.0} | changed
    with pytest.raises(SettingsError, match=words):
        check_reader("mercury", stanza)
    check_reader("mercury", {"region": "eu3", "power_dbm": 25.0})
