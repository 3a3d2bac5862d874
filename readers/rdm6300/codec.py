"""RDM6300 card reader: bytes <-> frames.

    0x02 | version, 2 hex digits | number, 8 hex digits | XOR of the five bytes, 2 hex digits | 0x03

Digits are capitals.  Some firmwares add CR LF behind a frame, which is no loss.  Source: RDM6300 data sheet; captures.
"""

from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from readers.framing import BAD_CHECK, Broken, Sound, StreamDecoder

HEADER, TRAILER = 0x02, 0x03
SIZE = 14
_DIGITS = frozenset(b"0123456789ABCDEF")


@dataclass(frozen=True, slots=True)
class Frame:
    """One report of the card on the coil.

    Args:
        version: the card's first byte, version or customer.
        number: its 32 bits.
    """

    version: int = field(repr=False)
    number: int = field(repr=False)

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        body = bytes([self.version]) + self.number.to_bytes(4, "big")
        digits = (body + bytes([reduce(xor, body)])).hex().upper().encode("ascii")
        return bytes([HEADER]) + digits + bytes([TRAILER])


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames with a right check."""

    def _seek(self, buffer: bytearray, start: int) -> int:
        at = buffer.find(HEADER, start)
        return len(buffer) if at < 0 else at

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        digits = buffer[start + 1 : start + SIZE - 1]
        if not _DIGITS.issuperset(digits):
            return Broken("other than hex digits in capitals between 0x02 and 0x03")
        if len(buffer) - start < SIZE:
            return None
        if buffer[start + SIZE - 1] != TRAILER:
            return Broken(f"ends in 0x{buffer[start + SIZE - 1]:02x}, not 0x03")
        *body, check = bytes.fromhex(digits.decode("ascii"))
        computed = reduce(xor, body)
        if check != computed:
            return Broken(f"checksum {check:02x}, computed {computed:02x}", BAD_CHECK)
        return Sound(Frame(body[0], int.from_bytes(body[1:], "big")), SIZE)

    def _skip(self, at: int, length: int, broken: Broken) -> None:
        super()._skip(at, length, broken)
        self.discarded_bytes -= sum(byte in b"\r\n" for byte in self._buffer[at : at + length])
