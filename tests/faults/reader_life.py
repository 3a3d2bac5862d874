"""A process that reads a serial port at full rate, for the rig to stop and to slow down: the real port, the real scan."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from edge.health import Tally
from edge.kernels import cache_folder, prepare_kernels
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from readers.magicrf_m100.scan import NOTICE
from readers.model import Chunk
from readers.ports import SerialPort
from tests.faults.truth import TruthWriter

EPC_BYTES = 12


@dataclass(frozen=True, slots=True)
class ReaderPlan:
    """What the process does.

    Args:
        busy_s: for so long it takes nothing from the port, after each of its first `stalls` seconds.
        room: bytes that wait for it in its own memory.
    """

    port: Path
    truth: Path
    room: int
    busy_s: float = 0.0
    stalls: int = 0


def live_as_reader(plan: ReaderPlan) -> None:
    """Until killed."""
    asyncio.run(_live(plan))


async def _live(plan: ReaderPlan) -> None:
    truth, ring = TruthWriter(plan.truth), ReadRing(1 << 16)
    prepare_kernels(cache_folder(), lambda *_: None)
    scan = WireScan(NOTICE, {1: 0}, ring, Tally())
    taken, stalls, due_s = 0, 0, time.monotonic() + 1
    async with SerialPort(plan.port, 115_200, buffer_bytes=plan.room) as port:
        truth.note("open")
        while True:
            data = await port.receive()
            taken += len(data)
            found = scan.take(Chunk(data, time.time_ns()))
            numbers: list[int] = []
            while waiting := len(ring):
                front = ring.front(waiting)
                numbers += [int.from_bytes(epc.tobytes()[:EPC_BYTES]) for epc in front.epc]
                ring.done(len(front))
            truth.note("got", taken, port.overrun_bytes, found.bad_frames, found.discarded_bytes, *numbers)
            if stalls < plan.stalls and time.monotonic() > due_s:
                stalls, due_s = stalls + 1, time.monotonic() + plan.busy_s + 1
                await asyncio.sleep(plan.busy_s)
