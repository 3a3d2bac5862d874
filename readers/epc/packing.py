"""How the "+" schemes pack text: six encodings, named on the tag by a three-bit indicator.

The length of the text stands before it on the tag, so leading zeros stay.
Source: GS1 TDS 2.3, section 14.5.6, table E (indicators), tables 14-5 to 14-9 (alphabets), table B (sizes).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Protocol

from readers.epc.bits import EpcError
from readers.epc.text import ALPHANUMERIC, COMPONENT

_UNUSED = "\0"


class Packing(Protocol):
    """One encoding."""

    @property
    def alphabet(self) -> str:
        """The characters it can carry."""

    def bits(self, length: int) -> int:
        """How many bits a text of `length` characters takes."""

    def pack(self, text: str) -> int:
        """A text of the alphabet, not empty, as a number of `bits(len(text))` bits."""

    def unpack(self, value: int, length: int) -> str:
        """The text of `length` characters that a number holds.

        Raises:
            EpcError: no text gives this number.
        """


@dataclass(frozen=True, slots=True)
class Decimal:
    """Digits as one integer of ceil(length x log2 10) bits (14.5.6.1)."""

    alphabet: str = digits

    def bits(self, length: int) -> int:
        """As `Packing`."""
        return int(10**length - 1).bit_length()

    def pack(self, text: str) -> int:
        """As `Packing`."""
        return int(text)

    def unpack(self, value: int, length: int) -> str:
        """As `Packing`."""
        text = f"{value:0{length}d}"
        if len(text) != length:
            raise EpcError(f"{text} has more than {length} digits")
        return text


@dataclass(frozen=True, slots=True)
class PerCharacter:
    """Each character by itself, as its place in the alphabet (14.5.6.2 to 14.5.6.4, 14.5.6.6).

    Args:
        width: bits of a character.
    """

    alphabet: str
    width: int

    def bits(self, length: int) -> int:
        """As `Packing`."""
        return self.width * length

    def pack(self, text: str) -> int:
        """As `Packing`."""
        value = 0
        for char in text:
            value = value << self.width | self.alphabet.index(char)
        return value

    def unpack(self, value: int, length: int) -> str:
        """As `Packing`."""
        codes = [value >> self.width * place & (1 << self.width) - 1 for place in reversed(range(length))]
        text = "".join(self.alphabet[code] for code in codes)
        if _UNUSED in text:
            raise EpcError(f"{codes[text.index(_UNUSED)]:#x} is no character")
        return text


@dataclass(frozen=True, slots=True)
class UrnCode40:
    """Three characters in 16 bits, 1600 a + 40 b + c + 1, counted from 1; the pad is 0 (14.5.6.5)."""

    alphabet: str = ascii_uppercase + "-.:" + digits

    def bits(self, length: int) -> int:
        """As `Packing`."""
        return -(-length // 3) * 16

    def pack(self, text: str) -> int:
        """As `Packing`."""
        value = 0
        for start in range(0, len(text), 3):
            codes = [self.alphabet.index(char) + 1 for char in text[start : start + 3]] + [0, 0]
            value = value << 16 | 1600 * codes[0] + 40 * codes[1] + codes[2] + 1
        return value

    def unpack(self, value: int, length: int) -> str:
        """As `Packing`."""
        text = ""
        for shift in range(self.bits(length) - 16, -1, -16):
            group = (value >> shift & 0xFFFF) - 1
            codes = (group // 1600, group // 40 % 40, group % 40)
            text += "".join(self.alphabet[code - 1] for code in codes if 0 < code <= len(self.alphabet))
        if len(text) != length or self.pack(text) != value:  # a pad inside, or a number that no three characters give
            raise EpcError("three characters of URN code 40 are none")
        return text


_ASCII = "".join(chr(code) if chr(code) in ALPHANUMERIC | COMPONENT else _UNUSED for code in range(128))
PACKINGS: Mapping[int, Packing] = {
    0: Decimal(),
    1: PerCharacter(digits + "ABCDEF", 4),
    2: PerCharacter(digits + "abcdef", 4),
    3: PerCharacter(ascii_uppercase + ascii_lowercase + digits + "-_", 6),
    4: PerCharacter(_ASCII, 7),
    5: UrnCode40(),
}
"""By indicator; 6 and 7 are reserved."""


def shortest_packing(text: str) -> int:
    """The indicator of the encoding that takes fewest bits; among equals the lowest, as the standard leaves it open."""
    able = [indicator for indicator, packing in PACKINGS.items() if set(text) <= set(packing.alphabet)]
    return min(able, key=lambda indicator: PACKINGS[indicator].bits(len(text)))
