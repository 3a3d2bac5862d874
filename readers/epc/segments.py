"""The coding methods of the schemes before TDS 2.0: fields of an EPC URI <-> bits.

Source: GS1 TDS 2.3, sections 14.3 (encoding) and 14.4 (decoding); the same in TDS 1.13.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from readers.epc.bits import BitReader, BitWriter, EpcError
from readers.epc.text import ALPHANUMERIC, COMPONENT, DIGITS, require, to_plain_integer

PREFIX_BITS = (40, 37, 34, 30, 27, 24, 20)
PREFIX_DIGITS = (12, 11, 10, 9, 8, 7, 6)
"""Of the company prefix by partition 0..6, the same in every scheme; partition 7 is invalid."""
_CAGE = frozenset("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ")
_SIX_BIT = {ord(char) & 0x3F: char for char in sorted(COMPONENT)}
_CAGE_PAD = ord(" ") & 0x3F


class Segment(Protocol):
    """A stretch of an EPC that carries some fields.

    Both ways a value that breaks a rule is refused: what `read` gives, `write` turns into the same bits.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Of its fields."""

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """Take the fields off the front.

        Raises:
            EpcError: these bits break a rule of the scheme.
        """

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """Append the fields.

        Raises:
            EpcError: a field that the scheme cannot carry.
        """


@dataclass(frozen=True, slots=True)
class Zeros:
    """Spare bits."""

    size_bits: int
    names: tuple[str, ...] = ()

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        if bits.take(self.size_bits):
            raise EpcError("the spare bits are not zero")
        return ()

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:  # noqa: ARG002  it has none
        """As `Segment`."""
        bits.put(0, self.size_bits)


@dataclass(frozen=True, slots=True)
class Integer:
    """A number without leading zeros (14.3.1); as a reference beside the company prefix, 14.3.4.

    Args:
        most_digits: the partition tables' limit, where the bits alone would allow more (CPI-96).
    """

    size_bits: int
    most_digits: int | None = None
    names: tuple[str, ...] = ("serial",)

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        return (self._short(str(bits.take(self.size_bits))),)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        value = to_plain_integer(fields[0])
        self._short(fields[0])
        bits.put(value, self.size_bits)

    def _short(self, text: str) -> str:
        if self.most_digits is not None and len(text) > self.most_digits:
            raise EpcError(f"{text} has more than {self.most_digits} digits")
        return text


@dataclass(frozen=True, slots=True)
class PaddedInteger:
    """A number of exactly so many digits, possibly none (14.3.3, 14.3.10)."""

    size_bits: int
    digits: int
    names: tuple[str, ...] = ()

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        value = bits.take(self.size_bits)
        if value >= 10**self.digits:
            raise EpcError(f"{value} has more than {self.digits} digits")
        return (f"{value:0{self.digits}d}" if self.digits else "",)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        require(fields[0], DIGITS, self.digits, self.digits)
        bits.put(int(fields[0] or "0"), self.size_bits)


@dataclass(frozen=True, slots=True)
class NumericString:
    """Digits whose leading zeros a 1 in front of them keeps (14.3.6)."""

    size_bits: int
    names: tuple[str, ...] = ("serial",)

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        digits = str(bits.take(self.size_bits))
        if digits[0] != "1" or digits == "1":
            raise EpcError(f"{digits} is not a 1 and then digits")
        return (digits[1:],)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        require(fields[0], DIGITS, 1, self._most_digits)
        bits.put(int("1" + fields[0]), self.size_bits)

    @property
    def _most_digits(self) -> int:
        return len(str((1 << self.size_bits) // 2)) - 1


@dataclass(frozen=True, slots=True)
class Text7:
    """Characters of 7 bits, filled up with zeros (14.3.2, 14.3.5)."""

    size_bits: int
    most_chars: int
    names: tuple[str, ...] = ("serial",)

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        value = bits.take(self.size_bits)
        codes = [value >> place & 0x7F for place in range(self.size_bits - 7, -1, -7)]
        text = "".join(map(chr, codes)).rstrip("\0")
        if value & (1 << self.size_bits % 7) - 1:
            raise EpcError("the bits behind the text are not zero")
        require(text, ALPHANUMERIC, 1, self.most_chars)
        return (text,)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        require(fields[0], ALPHANUMERIC, 1, self.most_chars)
        for char in fields[0]:
            bits.put(ord(char), 7)
        bits.put(0, self.size_bits - 7 * len(fields[0]))


@dataclass(frozen=True, slots=True)
class Text6:
    """Characters of 6 bits up to a zero (14.3.8, 14.3.9).

    Args:
        hash_places: in how many places from the front a `#` may stand.
    """

    least_chars: int
    most_chars: int
    hash_places: int
    names: tuple[str, ...] = ("serial",)

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        text = ""
        while code := bits.take(6):
            if code not in _SIX_BIT:
                raise EpcError(f"{code:#x} is no six-bit character")
            text += _SIX_BIT[code]
        self._check(text)
        return (text,)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        self._check(fields[0])
        for char in fields[0]:
            bits.put(ord(char) & 0x3F, 6)
        bits.put(0, 6)

    def _check(self, text: str) -> None:
        require(text, COMPONENT, self.least_chars, self.most_chars)
        if "#" in text[self.hash_places :]:
            raise EpcError(f"'#' in {text!r} may only lead an ADI serial number")


@dataclass(frozen=True, slots=True)
class Cage:
    """A CAGE code of five characters or a DoDAAC of six, without I and O (14.3.7)."""

    names: tuple[str, ...] = ("cage",)

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        codes = [bits.take(6) for _ in range(6)]
        text = "".join(_SIX_BIT.get(code, "?") for code in codes[codes[0] == _CAGE_PAD :])
        require(text, _CAGE, 5, 6)
        return (text,)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        require(fields[0], _CAGE, 5, 6)
        for char in fields[0].rjust(6):
            bits.put(ord(char) & 0x3F, 6)


@dataclass(frozen=True, slots=True)
class Partition:
    """Company prefix and a second field; the partition says how they share bits and digits.

    Args:
        size_bits, digits: of both together; what the prefix leaves is the second field's.
        second: makes the second field's segment of its bits and digits.
    """

    size_bits: int
    digits: int
    second: Callable[[int, int], Segment]
    names: tuple[str, ...]

    def read(self, bits: BitReader) -> tuple[str, ...]:
        """As `Segment`."""
        partition = bits.take(3)
        if partition == len(PREFIX_DIGITS):
            raise EpcError("partition 7 is not allowed")
        prefix, second = self._parts(partition)
        return prefix.read(bits) + second.read(bits)

    def write(self, bits: BitWriter, fields: tuple[str, ...]) -> None:
        """As `Segment`."""
        require(fields[0], DIGITS, PREFIX_DIGITS[-1], PREFIX_DIGITS[0])
        partition = PREFIX_DIGITS.index(len(fields[0]))
        bits.put(partition, 3)
        prefix, second = self._parts(partition)
        prefix.write(bits, fields[:1])
        second.write(bits, fields[1:])

    def _parts(self, partition: int) -> tuple[Segment, Segment]:
        prefix_bits, prefix_digits = PREFIX_BITS[partition], PREFIX_DIGITS[partition]
        second = self.second(self.size_bits - prefix_bits, self.digits - prefix_digits)
        return PaddedInteger(prefix_bits, prefix_digits), second
