"""Finding and setting up a Mercury module, over a real pty whose two ends must agree on the speed."""

import asyncio
from dataclasses import replace

import pytest

from readers.errors import ReaderRefused, ReaderTimeout, SettingsError
from readers.mercury.reader import MercuryReader
from readers.mercury.settings import MercurySettings
from readers.ports import SerialPort
from readers.registry import check_reader
from simulators.mercury.device import MercuryDevice
from simulators.mercury.settings import Firmware
from simulators.pty_host import PtyLine
from tests.readers.mercury.rig import EPC, READ, SETTINGS, SOON, Tags, opened, plugged, take_reads
from tests.readers.peers import Peer
from tests.support.patience import WAIT_S


async def stream_like_a_crashed_host_left_it(device: MercuryDevice, line: PtyLine, baud: int) -> None:
    """A host that sets the module up, moves it to `baud`, and is gone without a word."""
    async with SerialPort(line.link, baud) as port:
        reader = MercuryReader("r-0", port, MercurySettings(region="eu3", power_dbm=10.0, baud=baud), lambda: 0, SOON)
        await reader.__aenter__()
    assert device._stream is not None
    assert device.baud == baud


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
