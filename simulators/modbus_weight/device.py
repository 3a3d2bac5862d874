"""Firmware of a weighing transmitter with a Modbus RTU register map: 03 and 04 read it, nothing writes it.

By default the map is that of a Flintec FT-13: weight int32 at 0, status at 2, tare int32 at 3.  Makers differ in all of it.
Status bits here: 0 stable, 1 overload, 2 fault.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from simulators.modbus_rtu.slave import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    WELL_BEHAVED,
    Manners,
    Refusal,
    Slave,
)

READS = (3, 4)
LAYOUTS: Mapping[str, str] = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}
STABLE, OVERLOAD, FAULT = 1, 2, 4


class Reading(Protocol):
    """What the load cell says."""

    @property
    def grams(self) -> float: ...

    @property
    def stable(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Transmitter:
    """One make of the transmitter.

    Args:
        reads: the functions it offers.
        division_g: what one count of an integer weighs; of a float, one.
        low_word_first: 32-bit values come with their halves swapped.
        low_byte_first: registers come with their bytes swapped.
        broken: the load cell's wire is off: fault bit, and a float that is none.
    """

    unit: int = 1
    baud: int = 9600
    reads: tuple[int, ...] = READS
    address: int = 0
    value_type: str = "int32"
    division_g: float = 1.0
    low_word_first: bool = False
    low_byte_first: bool = False
    status_address: int = 2
    capacity_g: float = 15_000.0
    broken: bool = False


class ModbusWeightDevice(Slave):
    """One transmitter on its line.  `weigh` is asked for the load at a time in UTC ns."""

    def __init__(
        self, weigh: Callable[[int], Reading], *, make: Transmitter = Transmitter(), manners: Manners = WELL_BEHAVED
    ) -> None:
        super().__init__(make.unit, make.baud, manners)
        self.make = make
        self._weigh = weigh

    def obey(self, request: bytes, now_ns: int) -> bytes:
        """The registers asked for."""
        if request[0] not in self.make.reads:
            raise Refusal(ILLEGAL_FUNCTION)
        if len(request) != 5:
            raise Refusal(ILLEGAL_VALUE)
        _, address, count = struct.unpack(">BHH", request)
        if not 1 <= count <= 125:
            raise Refusal(ILLEGAL_VALUE)
        registers = self._registers(now_ns)
        if any(at not in registers for at in range(address, address + count)):
            raise Refusal(ILLEGAL_ADDRESS)
        words = b"".join(registers[at] for at in range(address, address + count))
        return bytes([request[0], len(words)]) + words

    def _registers(self, now_ns: int) -> dict[int, bytes]:
        reading, make = self._weigh(now_ns), self.make
        overload = reading.grams > make.capacity_g
        counts = float("nan") if make.broken else reading.grams / make.division_g
        if make.value_type != "float32":
            counts = 0 if make.broken else round(counts)
        words = _split(struct.pack(LAYOUTS[make.value_type], counts))
        if make.low_word_first:
            words.reverse()
        status = STABLE * reading.stable | OVERLOAD * overload | FAULT * make.broken
        registers = {make.status_address + 1 + number: b"\0\0" for number in range(2)}  # tare
        registers[make.status_address] = struct.pack(">H", status)
        registers |= enumerate(words, start=make.address)
        if make.low_byte_first:
            registers = {at: word[::-1] for at, word in registers.items()}
        return registers


def _split(packed: bytes) -> list[bytes]:
    return [packed[at : at + 2] for at in range(0, len(packed), 2)]
