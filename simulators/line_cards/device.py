"""Firmware of a card reader that types what is on the card, once for every touch; it never listens.

The card's 32 bits are printed on it as ten decimal digits, and on many as `123,14706`: the third byte from the left and
the last two.  ID-12 and ID-20 frame ten hex digits and their XOR between STX and CR LF ETX.
Source: listings of keyboard-wedge readers; ID-12 data sheet.
"""

from collections.abc import Callable

from simulators.rdm6300.device import Coil, report

Typed = Callable[[int], bytes]
"""What is typed for a card of 40 bits."""


class LineCardDevice:
    """One reader on its line.

    Args:
        coil: the card that lies there.
        typed: how this make writes it.
    """

    baud = 9600

    def __init__(self, coil: Coil, typed: Typed) -> None:
        self._coil, self._typed = coil, typed
        self._there: int | None = None

    def feed(self, _data: bytes, _now_ns: int) -> bytes:
        """It has no ear."""
        return b""

    def tick(self, now_ns: int) -> bytes:
        """A line for a card that has just come."""
        before, self._there = self._there, self._coil(now_ns)
        return b"" if self._there in (None, before) else self._typed(self._there)


def decimal(card: int) -> bytes:
    """Ten digits and CR LF."""
    return b"%010d\r\n" % (card & 0xFFFFFFFF)


def hex_and_enter(card: int) -> bytes:
    """Eight hex digits and CR, as a keyboard would."""
    return b"%08X\r" % (card & 0xFFFFFFFF)


def facility(card: int) -> bytes:
    """The short form, and LF."""
    return b"%03d,%05d\n" % (card >> 16 & 0xFF, card & 0xFFFF)


def id_12(card: int) -> bytes:
    """An ID-12 or ID-20."""
    return report(card)[:-1] + b"\r\n\x03"
