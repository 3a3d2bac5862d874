"""The values that cross from readers to the agent."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NewType

ReaderId = NewType("ReaderId", str)
Epc = NewType("Epc", bytes)
ClockNs = Callable[[], int]
"""UTC nanoseconds: the monotonic clock plus an offset fixed at start, so it never steps."""


@dataclass(frozen=True, slots=True)
class Read:
    """One report of one tag by one antenna.

    Args:
        antenna: counted from 1.
        read_at_ns: UTC, stamped where the bytes arrived.
        crc_ok: the tag's own CRC-16 over PC and EPC: right, wrong, or None where the reader does not report it.
    """

    epc: Epc
    reader_id: ReaderId
    antenna: int
    rssi_dbm: float
    read_at_ns: int
    crc_ok: bool | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a streaming reader as they came, unparsed, for the wire scan.

    Args:
        data: empty where the line has been quiet: an unfinished frame is then noise, and what it hid comes out.
        read_at_ns: UTC, stamped where the bytes arrived.
    """

    data: bytes
    read_at_ns: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the wire scan found in one chunk, together with what earlier chunks had left over.

    Args:
        reads: sound reports of a tag.
        bad_frames: reports whose check is right and whose contents are not.
        discarded_bytes: noise.
        others: every other sound frame, whole, in the order of the wire: answers, errors, signs of life.
    """

    reads: int
    bad_frames: int
    discarded_bytes: int
    others: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """One report of one scale.

    Args:
        grams: exact, as the device printed it, converted to grams.
        stable: the device's own word that the pan is at rest.
    """

    scale_id: ReaderId
    grams: Decimal
    stable: bool
    weighed_at_ns: int


@dataclass(frozen=True, slots=True)
class Proximity:
    """One report of one presence sensor: whether somebody or something is before it.  It knows nobody and counts nobody.

    Args:
        occupied: None while the sensor works and cannot tell: blinded, or calibrating itself.
        moving: None where the sensor cannot tell.
        distance_cm: to what is there; None where that is unknown.
        sensed_at_ns: UTC, stamped where the bytes arrived.
    """

    sensor_id: ReaderId
    occupied: bool | None
    moving: bool | None
    distance_cm: int | None
    sensed_at_ns: int


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """How a receipt printer is.

    Args:
        off_line: it prints nothing now; the others say why.
        error: the cutter or another part has failed, or it is too hot.
        paper_low: enough for this receipt, and not for many more; only where the printer has that sensor.
    """

    off_line: bool
    cover_open: bool
    error: bool
    paper_out: bool
    paper_low: bool

    @property
    def trouble(self) -> str:
        """Why nothing can be printed and what to do about it; empty where it can."""
        if self.cover_open:
            return "its cover is open; close it"
        if self.paper_out:
            return "it has no paper; put in a new roll"
        if self.error:
            return "it reports an error; clear the cutter, let it cool, switch it off and on"
        return "it is off-line; press its feed button or switch it off and on" if self.off_line else ""
