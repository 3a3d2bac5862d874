"""Firmware of an RDM6300: while a card lies on the coil, its number in ASCII again and again; it never listens.

02, ten hex digits (version and four bytes of number), two of XOR over the five bytes, 03.  Source: RDM6300 data sheet.
"""

from collections.abc import Callable
from dataclasses import dataclass

Coil = Callable[[int], int | None]
"""The 40 bits of the card that lies there at a time in UTC ns; None where there is none."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make of the reader.

    Args:
        repeat_s: between two reports of a card that stays.
        line_end: what some firmwares put behind a report.
    """

    repeat_s: float = 0.05
    line_end: bytes = b""


class Rdm6300Device:
    """One reader on its line."""

    baud = 9600

    def __init__(self, coil: Coil, *, firmware: Firmware | None = None) -> None:
        self.firmware = firmware or Firmware()
        self._coil = coil
        self._next_ns = 0

    def feed(self, _data: bytes, _now_ns: int) -> bytes:
        """It has no ear."""
        return b""

    def tick(self, now_ns: int) -> bytes:
        """The card's report, when one is due."""
        card = self._coil(now_ns)
        if card is None or now_ns < self._next_ns:
            return b""
        self._next_ns = now_ns + int(self.firmware.repeat_s * 1e9)
        return report(card) + self.firmware.line_end


def report(card: int) -> bytes:
    """What the reader says of a card of 40 bits."""
    check = 0
    for shift in range(0, 40, 8):
        check ^= card >> shift & 0xFF
    return b"\x02%010X%02X\x03" % (card, check)
