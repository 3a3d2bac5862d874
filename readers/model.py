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
