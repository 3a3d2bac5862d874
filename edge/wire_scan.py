"""A streaming reader's bytes on their way into the ring: the scanner of `hotpath/scan.py` with its memory."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge.health import Tally
from edge.read_ring import ReadRing
from hotpath import scan
from readers.model import Chunk, Scanned
from readers.wire_format import WireFormat

MAX_OTHERS = 256
CHECKS = {"sum8": scan.SUM8}


class WireScan:
    """One reader's stream, from its opening to its end.

    Args:
        antennas: the engine's index of each of the reader's antennas, by number.
        ring: takes the reads.
        tally: counts those of antennas nobody configured, and those the ring has overwritten.
    """

    def __init__(self, wire: WireFormat, antennas: Mapping[int, int], ring: ReadRing, tally: Tally) -> None:
        self._ring, self._tally, self._rest = ring, tally, b""
        self._wire = make_wire(wire)
        self._rows = make_rows(ring)
        self._antennas = np.full(wire.antenna_mask + wire.antenna_first + 1, scan.NO_ANTENNA, np.int32)
        for number, index in antennas.items():
            if number < len(self._antennas):
                self._antennas[number] = index
        self._others = np.zeros((MAX_OTHERS, 2), np.int64)
        self._counts = np.zeros(scan.TALLIES, np.int64)

    def take(self, chunk: Chunk) -> Scanned:
        """Put a chunk's reads into the ring; what it holds besides is for the driver.  An unfinished frame waits."""
        data = self._rest + chunk.data
        view, quiet = np.frombuffer(data, np.uint8), int(not chunk.data)
        at, reads, others, more = 0, 0, [], True
        self._counts[:] = 0
        while more:
            row, stop = self._ring.room()
            at, last, found = scan.scan(
                self._wire, view, at, quiet, chunk.read_at_ns, self._antennas, self._rows, row, stop, self._others,
                self._counts,
            )  # fmt: skip
            reads += last - row
            self._tally.dropped_reads += self._ring.wrote(last - row)
            if found:
                others += [data[begin : begin + size] for begin, size in self._others[:found].tolist()]
            more = last == stop or found == MAX_OTHERS
        self._rest = data[at:]
        bad_frames, discarded_bytes, unknown = self._counts.tolist()
        self._tally.unknown_antenna += unknown
        return Scanned(reads + unknown, bad_frames, discarded_bytes, tuple(others))


def make_wire(wire: WireFormat) -> NDArray[np.void]:
    """The constants of a driver as the kernel takes them, scan.WIRE[1]."""
    made = np.zeros(1, scan.WIRE)
    for name in scan.WIRE.fields or ():
        value = CHECKS[wire.check] if name == "check" else getattr(wire, name)
        made[name] = scan.NONE if value is None else value
    return made


def make_rows(ring: ReadRing) -> scan.Rows:
    """The ring's columns, whole, as the kernel takes them."""
    columns = ring.columns
    return scan.Rows(columns.t_ns, columns.antenna, columns.epc, columns.epc_len, columns.rssi_cdbm, columns.crc_ok)
