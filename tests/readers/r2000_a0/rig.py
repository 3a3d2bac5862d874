"""A simulated reader at the end of a real pty, moved by the real clock."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.model import Chunk, Read
from readers.ports import SerialPort
from readers.r2000_a0.dialogue import Patience
from readers.r2000_a0.reader import R2000Reader
from readers.r2000_a0.settings import R2000Settings
from readers.wire_format import WireFormat
from simulators.pty_host import PtyLine
from simulators.r2000_a0 import R2000Device
from simulators.scene_radio import Answer, Epc, Round
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

MS = 1_000_000
SOON = Patience(calm_s=0.6, answer_s=0.25, silent_s=0.1, round_s=0.05, dead_s=0.5, temperature_s=60)
LATER = replace(SOON, silent_s=5, dead_s=30)
"""For tests in which nobody is silent but a busy machine."""
NOW_NS = 1_700_000_000_000_000_000
EPCS = [Epc(bytes.fromhex(f"e20030166613012115507{n:03x}")) for n in range(4)]


async def take_reads(reader: R2000Reader, count: int) -> list[Read]:
    """So many reads."""
    reads: list[Read] = []
    async with asyncio.timeout(WAIT_S):
        async for read in reader.reads():
            reads.append(read)
            if len(reads) == count:
                break
    return reads


async def take_chunks(reader: R2000Reader, count: int) -> list[Read]:
    """The same by the wire scan."""
    ring, stream = open_scan(reader.wire)
    async with asyncio.timeout(WAIT_S):
        async for chunk in reader.chunks():
            reader.scanned(stream.take(chunk))
            if len(ring) >= count:
                break
    rows = ring.front(count)
    columns = zip(rows.epc, rows.epc_len, rows.antenna, rows.rssi_cdbm, rows.t_ns, strict=True)
    return [
        Read(epc.tobytes()[:size], "r-1", antenna + 1, cdbm / 100, at_ns) for epc, size, antenna, cdbm, at_ns in columns
    ]


def open_scan(wire: WireFormat) -> tuple[ReadRing, WireScan]:
    """A scan of one reader with eight antennas, compiled."""
    ring = ReadRing(100)
    antennas = {number: number - 1 for number in range(1, 9)}
    WireScan(wire, antennas, ReadRing(1), Tally()).take(Chunk(b"\xa0\x04\x01\x89\x11\xc1", 0))
    return ring, WireScan(wire, antennas, ring, Tally())


class FakeField:
    """Rounds of 5 ms with these tags, each heard at -60 dBm after 2 ms."""

    def __init__(self, *tags: Epc) -> None:
        self.tags, self.rounds, self.power_dbm = tags, 0, 0.0

    def inventory(self, now_ns: int, power_dbm: float, takes_part: Callable[[Epc], bool]) -> Round:
        self.rounds += 1
        self.power_dbm = power_dbm
        answers = tuple(Answer(now_ns + 2 * MS, epc, -60.2) for epc in self.tags if takes_part(epc))
        return Round(answers, now_ns + 5 * MS)


def powered(device: R2000Device, folder: Path) -> AbstractAsyncContextManager[PtyLine]:
    """The device at its port `folder / "r-1"`, running."""
    return simulated(device, folder / "r-1", minds_baud=True)


@asynccontextmanager
async def opened(line: PtyLine, settings: R2000Settings, patience: Patience = LATER) -> AsyncIterator[R2000Reader]:
    """The driver on a line's port."""
    async with (
        SerialPort(line.link, 115200) as port,
        R2000Reader("r-1", port, settings, lambda: NOW_NS, patience) as reader,
    ):
        yield reader
