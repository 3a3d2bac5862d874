"""ESC/POS receipt printer: bytes <-> orders of the host, and the printer's status bytes.

To the printer:    printable text up to a line feed | ESC, GS or DLE, a letter, parameters as the letter has them
From the printer:  one byte of status per question, with four fixed bits: 0..1..1.

Only the orders that a small receipt needs are known; anything else is no frame.  Nothing protects a byte on the way.
Source: ESC/POS programmer's manuals (Epson, Rongta RP32x, POS-80XX); status bits as independent drivers read them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from readers.framing import Broken, Direction, Sound, StreamDecoder

MAX_TEXT = 256
MAX_DATA = 512
"""Of a code; bounds how long a false length can hold up what follows it."""

LF = 0x0A
INITIALISE, CODE_PAGE, ALIGN, FEED = b"\x1b@", b"\x1bt", b"\x1ba", b"\x1bd"
SIZE, CUT, BARCODE_HEIGHT, BARCODE_WIDTH, BARCODE_TEXT = b"\x1d!", b"\x1dV", b"\x1dh", b"\x1dw", b"\x1dH"
BARCODE, QR, ASK_STATUS = b"\x1dk", b"\x1d(k", b"\x10\x04"

_PARAMETER: Mapping[bytes, range] = {
    CODE_PAGE: range(256),
    ALIGN: range(3),
    FEED: range(256),
    SIZE: range(0x78),
    CUT: range(2),
    BARCODE_HEIGHT: range(1, 256),
    BARCODE_WIDTH: range(1, 7),
    BARCODE_TEXT: range(4),
    ASK_STATUS: range(1, 5),
}
HEADS = (INITIALISE, *_PARAMETER, BARCODE, QR)
_FIXED_MASK, _FIXED = 0x93, 0x12


@dataclass(frozen=True, slots=True)
class Text:
    """One line to print, in the printer's code page, without its line feed."""

    data: bytes

    def to_bytes(self) -> bytes:
        """The line as it goes over the wire."""
        return self.data + bytes([LF])


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Args:
        head: one of `HEADS`.
        data: its parameters; of BARCODE the system and the data, of QR what follows the length.
    """

    head: bytes
    data: bytes = b""

    def to_bytes(self) -> bytes:
        """The order as it goes over the wire."""
        if self.head == BARCODE:
            return self.head + self.data[:1] + bytes([len(self.data) - 1]) + self.data[1:]
        if self.head == QR:
            return self.head + len(self.data).to_bytes(2, "little") + self.data
        return self.head + self.data


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to one question; which one it answers it does not say."""

    byte: int

    def to_bytes(self) -> bytes:
        """The byte as it goes over the wire."""
        return bytes([self.byte])


Frame = Text | Order | Status


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole orders, or status bytes with the right fixed bits.

    Args:
        direction: whose: the printer's status, or the host's orders.
    """

    def __init__(self, direction: Direction = "from_reader") -> None:
        super().__init__()
        self._from_printer = direction == "from_reader"

    def _seek(self, buffer: bytearray, start: int) -> int:
        may_begin = is_status if self._from_printer else _may_begin
        return next((at for at in range(start, len(buffer)) if may_begin(buffer[at])), len(buffer))

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        if self._from_printer:
            return Sound(Status(buffer[start]), 1)
        if _is_printable(buffer[start]):
            return _text(buffer, start)
        head = next((head for head in HEADS if buffer.startswith(head, start)), None)
        if head is None:
            here = bytes(buffer[start : start + 2])
            unfinished = any(head.startswith(here) for head in HEADS) and len(buffer) - start <= len(here)
            return None if unfinished else Broken(f"no order begins with {here.hex(' ')}")
        return _order(head, buffer, start)


def is_status(byte: int) -> bool:
    """Whether the four fixed bits of a status byte are right."""
    return byte & _FIXED_MASK == _FIXED


def _may_begin(byte: int) -> bool:
    return _is_printable(byte) or byte in (0x1B, 0x1D, 0x10)


def _is_printable(byte: int) -> bool:
    return byte >= 0x20 and byte != 0x7F  # the upper half is letters of the code page


def _text(buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
    stop = min(len(buffer), start + MAX_TEXT + 1)
    end = next((at for at in range(start, stop) if not _is_printable(buffer[at])), stop)
    if end - start > MAX_TEXT:
        return Broken(f"no line feed within {MAX_TEXT} characters")
    if end == len(buffer):
        return None
    if buffer[end] != LF:
        return Broken(f"byte 0x{buffer[end]:02x} inside a line of text")
    return Sound(Text(bytes(buffer[start:end])), end + 1 - start)


def _order(head: bytes, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
    at = start + len(head)
    if head == INITIALISE:
        return Sound(Order(head), len(head))
    if head in _PARAMETER:
        if at == len(buffer):
            return None
        allowed = _PARAMETER[head]
        if buffer[at] not in allowed:
            return Broken(f"parameter {buffer[at]} of {head.hex(' ')}; it has {allowed[0]} to {allowed[-1]}")
        return Sound(Order(head, bytes(buffer[at : at + 1])), len(head) + 1)
    if len(buffer) < at + 2:
        return None
    kind = bytes(buffer[at : at + 1]) if head == BARCODE else b""
    size = buffer[at + 1] if head == BARCODE else int.from_bytes(buffer[at : at + 2], "little")
    if not 0 < size <= MAX_DATA:
        return Broken(f"{size} bytes of a code; it has 1 to {MAX_DATA}")
    if len(buffer) < at + 2 + size:
        return None
    return Sound(Order(head, kind + bytes(buffer[at + 2 : at + 2 + size])), len(head) + 2 + size)
