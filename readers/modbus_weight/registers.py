"""Modbus weighing transmitter: what its registers mean, by configuration, and whether that can be true.

Modbus defines registers of 16 bits and nothing beyond, so makers differ in which half of a 32-bit value comes first.  A
swapped value is rarely a weight: an integer leaves the range of the scale, a float is absurdly large, absurdly small or none.
Source: Modbus application protocol V1.1b3, section 4.2; register maps of Flintec FT-13, Eagle EI-1000.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from readers.errors import FrameError

ValueType = Literal["int16", "uint16", "int32", "uint32", "float32"]
Order = Literal["big", "little"]
ORDERS: tuple[Order, Order] = ("big", "little")
FORMATS: Mapping[ValueType, str] = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}
TINY, HUGE = 1e-12, 1e12
"""No transmitter shows so little, or so much: it is a float with its halves swapped."""
FLOAT32_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Status:
    """What a status register says.

    Args:
        stable: None where it does not tell.
    """

    stable: bool | None
    overload: bool
    fault: bool


@dataclass(frozen=True, slots=True)
class Value:
    """How a weight stands in the registers.

    Args:
        word_order: of a 32-bit value: `big`, the high word comes first.
        byte_order: inside a register: `big`, as Modbus says; some devices do not heed it.
        grams_per_count: exact.
        capacity_g: no weight can be beyond, in either direction.
    """

    value_type: ValueType
    word_order: Order
    byte_order: Order
    grams_per_count: Decimal
    capacity_g: Decimal

    def to_grams(self, registers: Sequence[int]) -> Decimal:
        """The weight, exact.

        Raises:
            FrameError: it cannot be one; the message names the word and byte order that would make it one.
        """
        number = self._number(registers, self.word_order, self.byte_order)
        grams = self._grams(number)
        if grams is not None:
            return grams
        shown = " ".join(f"{register:04x}" for register in registers)
        raise FrameError(
            f"registers {shown} read {number:.9g} as {self.value_type}, no weight up to {self.capacity_g:f} g: "
            + (" or ".join(self._other_orders(registers)) or "check address, value_type, scale and capacity_g")
        )

    def _other_orders(self, registers: Sequence[int]) -> Iterator[str]:
        """The orders that would make a weight of it, likeliest first."""
        for byte_order in (self.byte_order, *(order for order in ORDERS if order != self.byte_order)):
            for word_order in ORDERS[: len(registers)]:
                grams = self._grams(self._number(registers, word_order, byte_order))
                if grams is not None:
                    yield f'word_order = "{word_order}", byte_order = "{byte_order}" would read {grams:f} g'

    def _number(self, registers: Sequence[int], word_order: Order, byte_order: Order) -> float:
        words = registers if word_order == "big" else registers[::-1]
        packed = b"".join(word.to_bytes(2, byte_order) for word in words)
        (number,) = struct.unpack(FORMATS[self.value_type], packed)
        assert isinstance(number, int | float)
        return number

    def _grams(self, number: float) -> Decimal | None:
        if not math.isfinite(number) or 0 < abs(number) < TINY or abs(number) > HUGE:
            return None
        grams = _exact(number) * self.grams_per_count
        return grams if abs(grams) <= self.capacity_g else None


def register_count(value_type: ValueType) -> int:
    """How many registers a value takes."""
    return struct.calcsize(FORMATS[value_type]) // 2


def _exact(number: float) -> Decimal:
    """The number as its maker meant it: of a float32, the shortest decimal that is this float32."""
    if isinstance(number, int):
        return Decimal(number)
    packed = struct.pack(">f", number)
    for digits in range(1, FLOAT32_DIGITS):
        text = f"{number:.{digits}g}"
        if struct.pack(">f", float(text)) == packed:
            return Decimal(text)
    return Decimal(f"{number:.{FLOAT32_DIGITS}g}")
