"""A simulated UHFReader at the end of a real pty, and the driver on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.model import Chunk, Read
from readers.ports import SerialPort
from readers.uhfreader18.base import UhfReader
from readers.uhfreader18.reader import UhfReader18, UhfReader288
from readers.uhfreader18.rounds import Patience
from readers.uhfreader18.settings import Settings18, Settings288, UhfSettings
from simulators.scene_radio import Answer, Epc, Round
from simulators.uhfreader18 import UhfDevice
from simulators.uhfreader18.firmware import UHFREADER18, UHFREADER288, Firmware, Memory
from tests.support.patience import WAIT_S

MS = 1_000_000
SOON = Patience(answer_s=0.3, quiet_s=0.05, more_s=0.1, question_s=0.1, dead_s=0.6, heartbeat_dead_s=0.8)
NOW_NS = 1_700_000_000_000_000_000
EPCS = [Epc(bytes.fromhex(f"e20030166613012115507{n:03x}")) for n in range(40)]
SETTINGS_18 = Settings18(region="europe", power_dbm=20)
SETTINGS_288 = Settings288(region="europe", power_dbm=20)
READ = Read(EPCS[0], "r-1", 1, -60, NOW_NS)
BOTH = pytest.mark.parametrize(
    ("settings", "firmware"), [(SETTINGS_18, UHFREADER18), (SETTINGS_288, UHFREADER288)], ids=["18", "288"]
)


class FakeField:
    """Rounds of 5 ms with these tags, each heard at -60 dBm after 2 ms."""

    def __init__(self, *tags: Epc) -> None:
        self.tags, self.rounds, self.power_dbm = list(tags), 0, 0.0

    def inventory(self, now_ns: int, power_dbm: float, takes_part: Callable[[Epc], bool]) -> Round:
        self.rounds += 1
        self.power_dbm = power_dbm
        answers = tuple(Answer(now_ns + 2 * MS, epc, -60.2) for epc in self.tags if takes_part(epc))
        return Round(answers, now_ns + 5 * MS)


class Wrapped:
    """A device whose words pass through `change`."""

    def __init__(self, device: UhfDevice, change: Callable[[bytes], bytes]) -> None:
        self.device, self.change = device, change

    @property
    def baud(self) -> int:
        return self.device.baud

    def feed(self, data: bytes, now_ns: int) -> bytes:
        said = self.device.feed(data, now_ns)
        return self.change(said) if said else b""

    def tick(self, now_ns: int) -> bytes:
        said = self.device.tick(now_ns)
        return self.change(said) if said else b""


def device_of(firmware: Firmware, *fields: FakeField | None, memory: Memory | None = None) -> UhfDevice:
    return UhfDevice(fields, firmware=firmware, memory=memory or Memory())


@asynccontextmanager
async def opened(link: Path, settings: UhfSettings, patience: Patience = SOON) -> AsyncIterator[UhfReader]:
    """The driver that goes with the settings, on a port."""
    driver = UhfReader18 if isinstance(settings, Settings18) else UhfReader288
    async with (
        SerialPort(link, settings.baud) as port,
        driver("r-1", port, settings, lambda: NOW_NS, patience) as reader,
    ):
        yield reader


def changed(settings: UhfSettings, **keys) -> UhfSettings:
    return msgspec.structs.replace(settings, **keys)


def compile_scan() -> None:
    """Before the clock runs."""
    WireScan(UhfReader288.wire, {1: 1}, ReadRing(1), Tally()).take(Chunk(bytes(9), NOW_NS))


async def take_reads(reader: UhfReader, count: int) -> list[Read]:
    reads: list[Read] = []
    async with asyncio.timeout(WAIT_S):
        async for read in reader.reads():
            reads.append(read)
            if len(reads) == count:
                break
    return reads


async def take_chunks(reader: UhfReader18 | UhfReader288, count: int) -> list[Read]:
    """The same by the wire scan."""
    ring = ReadRing(100)
    stream = WireScan(reader.wire, {number: number for number in range(1, 9)}, ring, Tally())
    async with asyncio.timeout(WAIT_S):
        async for chunk in reader.chunks():
            reader.scanned(stream.take(chunk))
            if len(ring) >= count:
                break
    columns = ring.front(count)
    return [
        Read(Epc(epc.tobytes()[:size]), "r-1", int(antenna), cdbm / 100, int(at_ns))
        for epc, size, antenna, cdbm, at_ns in zip(
            columns.epc, columns.epc_len, columns.antenna, columns.rssi_cdbm, columns.t_ns, strict=True
        )
    ]
