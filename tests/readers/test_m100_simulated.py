"""The M100 driver against its simulator: what a fake of a few lines cannot show."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from readers.errors import SettingsError
from readers.magicrf_m100.reader import M100Reader
from readers.magicrf_m100.settings import M100Settings
from readers.magicrf_m100.vigil import Patience
from readers.ports import SerialPort
from readers.registry import check_reader
from simulators.magicrf_m100 import M100Device
from simulators.magicrf_m100.settings import Firmware, Select
from simulators.scene_radio import Answer, Epc, Round
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

MS = 1_000_000
OURS = Epc(bytes.fromhex("3034257bf400cb0000000001"))
THEIRS = Epc(bytes.fromhex("e28011600000000000000001"))
SOON = Patience(answer_s=0.15, order_ended_s=0.05, rearm_s=0.2, dead_s=1.0)


class FakeField:
    """Rounds of 5 ms in which both tags take part."""

    def inventory(self, now_ns, power_dbm, takes_part):
        answers = tuple(Answer(now_ns + 2 * MS, epc, -55.0) for epc in (OURS, THEIRS) if takes_part(epc))
        return Round(answers, now_ns + 5 * MS)


@asynccontextmanager
async def opened(device: M100Device, folder: Path, **settings: object) -> AsyncIterator[M100Reader]:
    wanted = M100Settings(region="us", power_dbm=20.0, **settings)
    async with (
        simulated(device, folder / "r-1", minds_baud=True) as line,
        SerialPort(line.link, wanted.baud) as port,
        M100Reader("r-1", port, wanted, lambda: 0, SOON) as reader,
    ):
        yield reader


async def epcs(reader: M100Reader, count: int) -> list[bytes]:
    found: list[bytes] = []
    async with asyncio.timeout(WAIT_S):
        async for read in reader.reads():
            found.append(read.epc)
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize("left_at", [57600, 9600])
async def test_a_module_left_at_another_speed_is_found_and_moved(tmp_path, left_at):
    device = M100Device(FakeField())
    device.baud = left_at
    async with opened(device, tmp_path) as reader:
        assert device.baud == 115200
        assert await epcs(reader, 2)


async def test_a_module_left_polling_at_another_speed_is_stopped_there(tmp_path):
    device = M100Device(FakeField())
    device.baud = 38400
    device.feed(bytes.fromhex("bb002700032200004c7e"), 0)
    async with opened(device, tmp_path) as reader:
        assert device.baud == 115200
        assert await epcs(reader, 2)


async def test_a_stop_that_gets_lost_is_given_again_before_anything_is_set(tmp_path):
    device = M100Device(FakeField())
    device.feed(bytes.fromhex("bb002700032200004c7e"), 0)
    answer, polled_when_set = device._answer, []

    def hard_of_hearing(command, now_ns):
        if command.code == 0x28 and stops.pop():
            return b""
        if command.code not in (0x03, 0x28):
            polled_when_set.append(device._polls_left != 0)
        return answer(command, now_ns)

    stops, device._answer = [False, False, True], hard_of_hearing
    async with opened(device, tmp_path) as reader:
        assert await epcs(reader, 2)
    assert not any(polled_when_set[:-1]), "the last one is the order to poll"


@pytest.mark.parametrize("target", ["A", "B"])
@pytest.mark.parametrize("session", [0, 2])
async def test_select_leaves_the_tags_that_begin_so(tmp_path, session, target):
    select = {"select": "3034257b", "select_bits": 31, "session": session, "target": target}
    async with opened(M100Device(FakeField()), tmp_path, **select) as reader:
        assert await epcs(reader, 6) == [OURS] * 6


async def test_without_select_a_mask_that_somebody_left_hides_nothing(tmp_path):
    device = M100Device(FakeField())
    device._settings.select = Select(bytes.fromhex("01000000200800e2"), mode=0)
    async with opened(device, tmp_path) as reader:
        assert {OURS, THEIRS} == set(await epcs(reader, 6))


async def test_occupied_channels_do_not_end_the_reading(tmp_path):
    async with opened(M100Device(FakeField(), firmware=Firmware(occupied_every=2)), tmp_path) as reader:
        await epcs(reader, 8)
        assert reader.health.alarms >= 2


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"hopping": False, "channel": 52}, "region us has channels 0 to 51, no 52"),
        ({"region": "europe", "hop_channels": [0, 15]}, "region europe has channels 0 to 14, no 15"),
        ({"hop_channels": [7] * 300}, "hop_channels names 7 twice"),
        ({"hopping": False, "channel": 0, "hop_channels": [1]}, "`hop_channels` goes with"),
        ({"select": "303"}, "^select: "),
        ({"select": "00" * 13}, "^select: "),
        ({"select": "30", "select_bits": 9}, "select_bits is more than `select` has"),
        ({"select_bits": 1}, "select_bits is more than `select` has"),
        ({"baud": 14400}, "^baud: "),
    ],
)
def test_what_the_module_cannot_do_is_refused_before_anything_opens(keys, message):
    with pytest.raises(SettingsError, match=message):
        check_reader("magicrf-m100", {"region": "us", "power_dbm": 26.0} | keys)
