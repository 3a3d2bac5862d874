"""A simulated Mercury module at a pty, and a scripted one; reads by the driver, and by the wire scan."""

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.mercury import statuses
from readers.mercury.codec import Answer
from readers.mercury.patience import Patience
from readers.mercury.reader import MercuryReader
from readers.mercury.settings import MercurySettings
from readers.model import Read
from readers.ports import SerialPort
from simulators.mercury.device import MercuryDevice
from simulators.pty_host import PtyLine
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
KEEP_ALIVE = Answer(0x22, 0x0400).to_bytes()
TAG = bytes.fromhex("ff2822000010001b01ff0101c4110e16400000012700000500000f00803000000000000000000000001545e94a561d")
STATUS_REPORT = bytes.fromhex("ff0b2200008800011b0282008200011c1d49")


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


async def read_until(take, reader: MercuryReader, done) -> None:
    """Take reads in the background until `done()`."""
    reading = asyncio.create_task(take(reader, 1_000_000))
    async with asyncio.timeout(WAIT_S):
        while not done() and not reading.done():
            await asyncio.sleep(0.002)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading


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


@asynccontextmanager
async def scripted(*said: bytes, patience: Patience = SOON):
    async with (
        Peer(obedient()) as peer,
        SerialPort(peer.path, 115200) as port,
        MercuryReader("r-1", port, SETTINGS, lambda: NOW_NS, patience) as reader,
    ):
        peer.say(b"".join(said))
        yield reader, peer
