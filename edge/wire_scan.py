"""A streaming reader's bytes on their way into the ring: the scanner of `hotpath/scan.py` with its memory."""

from collections.abc import Mapping

import numpy as np

from edge.health import Tally
from edge.read_ring import ReadRing
from hotpath import scan, wire_layout
from hotpath._jit import bind
from hotpath.crc16 import make_reflected_table, make_table
from readers.model import Chunk, Scanned
from readers.wire_format import MARKED_BYTES, TagReport, WireFormat

MAX_OTHERS = 256
CHECKS = {
    "sum8": wire_layout.SUM8,
    "negated_sum8": wire_layout.NEGATED_SUM8,
    "crc16_8408": wire_layout.CRC16,
    "mercury": wire_layout.MERCURY,
}
TAG_LENGTHS = {"rest": wire_layout.REST, "bytes": wire_layout.BYTES, "bits": wire_layout.BITS}
_PADDING = bytes(wire_layout.PADDING)


class WireScan:
    """One reader's stream, from its opening to its end.

    Args:
        antennas: the engine's index of each of the reader's antennas, by number.
        ring: takes the reads.
        tally: counts those of antennas nobody configured, and those the ring has overwritten.
        reader_id: whose they are, for the tally.
    """

    def __init__(
        self, wire: WireFormat, antennas: Mapping[int, int], ring: ReadRing, tally: Tally, reader_id: str = ""
    ) -> None:
        self._ring, self._tally, self._reader_id, self._rest = ring, tally, reader_id, b""
        self._wire = make_wire(wire, antennas)
        self._rows = make_rows(ring)
        self._others = np.zeros((MAX_OTHERS, 2), np.int64)
        self._counts = np.zeros(wire_layout.TALLIES, np.int64)
        view = np.frombuffer(_PADDING, np.uint8)
        self._scan = bind(scan.scan, self._wire, view, 0, 0, 0, 0, 0, self._rows, 0, 0, self._others, self._counts)

    def take(self, chunk: Chunk) -> Scanned:
        """Put a chunk's reads into the ring; what it holds besides is for the driver.  An unfinished frame waits."""
        data = b"".join((self._rest, chunk.data, _PADDING))
        view, end, quiet = np.frombuffer(data, np.uint8), len(data) - wire_layout.PADDING, int(not chunk.data)
        at, done, reads, more = 0, 0, 0, True
        others: list[bytes] = []
        self._counts.fill(0)
        while more:
            row, stop = self._ring.room()
            at, last, found, done = self._scan(
                self._wire,
                view,
                at,
                done,
                end,
                quiet,
                chunk.read_at_ns,
                self._rows,
                row,
                stop,
                self._others,
                self._counts,
            )
            reads += last - row
            self._tally.dropped_reads += self._ring.wrote(last - row)
            if found:
                others += [data[begin : begin + size] for begin, size in self._others[:found].tolist()]
            more = last == stop or found == MAX_OTHERS
        self._rest = data[at:end]
        bad_frames, discarded_bytes, unknown = self._counts.tolist()
        if unknown:
            self._tally.unknown_antenna += unknown
            self._tally.unnamed.add(self._reader_id)
        return Scanned(reads + unknown, bad_frames, discarded_bytes, tuple(others))


def make_wire(wire: WireFormat, antennas: Mapping[int, int]) -> wire_layout.Wire:
    """The constants of a driver as the kernel takes them.

    Args:
        antennas: as `WireScan` has them.
    """
    frame = np.zeros(1, wire_layout.FRAME)
    for name in wire_layout.FRAME.fields or ():
        value = CHECKS[wire.check] if name == "check" else getattr(wire, name)
        frame[name] = wire_layout.NONE if value is None else value
    reports = np.zeros(len(wire.reports), wire_layout.REPORT)
    for row, report in zip(reports, wire.reports, strict=True):
        _fill_report(row, report)
    indices = np.full(256, wire_layout.NO_NAME, np.int32)
    for name_byte, number in wire.antennas.items():
        indices[name_byte] = antennas.get(number, wire_layout.NO_ANTENNA)
    gen2 = make_table(0x1021)
    return wire_layout.Wire(
        frame, reports, indices, make_reflected_table(0x8408) if wire.check == "crc16_8408" else gen2, gen2
    )


def _fill_report(row: np.void, report: TagReport) -> None:
    masks, marks = np.zeros((2, MARKED_BYTES), np.uint8)
    for mark in report.marks:
        masks[mark.at - report.marks_at] |= mark.mask
        marks[mark.at - report.marks_at] |= mark.value
    for number, (mask, value) in enumerate(zip(masks.view(np.uint64), marks.view(np.uint64), strict=True)):
        row[f"mask_{number}"], row[f"marks_{number}"] = mask, value
    for field in (
        "marks_at", "size_min", "tag_at", "after_tags", "loose", "embedded_data", "behind_data", "epc_min", "tag_crc",
        "after_epc", "antenna_at", "antenna_mask", "antenna_rssi_mask", "antenna_bits",
    ):  # fmt: skip
        row[field] = getattr(report, field)
    row["count_at"] = wire_layout.NONE if report.count_at is None else report.count_at
    row["tag_length"] = TAG_LENGTHS[report.tag_length]
    row["pc_size"], row["xpc"] = 2 * report.has_pc, report.has_xpc
    row["rssi_behind_epc"] = report.rssi_at == "behind_epc"
    row["rssi_at"] = report.rssi_at if isinstance(report.rssi_at, int) else 2 * report.tag_crc
    row["rssi_mask"] = 0 if report.rssi_at is None else report.rssi_mask
    row["rssi_flip"] = 0x80 * report.rssi_signed
    row["rssi_add"] = round(100 * report.rssi_add_db) - 100 * 0x80 * report.rssi_signed


def make_rows(ring: ReadRing) -> wire_layout.Rows:
    """The ring's columns, whole, as the kernel takes them."""
    columns = ring.columns
    return wire_layout.Rows(
        columns.t_ns, columns.antenna, columns.epc, columns.epc_len, columns.rssi_cdbm, columns.crc_ok
    )
