"""MagicRF M100 UHF module, frame layer: bytes <-> frames.

    0xBB | type u8 | command u8 | length u16be | payload | checksum u8 | 0x7E

Checksum: low byte of the sum of type..payload.  Nothing is escaped: 0xBB and 0x7E occur anywhere, so the length ends a
frame.  Source: M100 & QM100 user protocol, frame definition.
"""

from dataclasses import dataclass
from enum import IntEnum

from readers.framing import BAD_CHECK, Broken, Sound, StreamDecoder

HEADER, TRAILER = 0xBB, 0x7E
HEAD, OVERHEAD = 5, 7
MAX_PAYLOAD = 512
"""Longer than any answer of the manual; bounds how long a false header can hold up what follows it."""


class FrameType(IntEnum):
    """Who speaks, and why."""

    COMMAND = 0
    ANSWER = 1
    NOTICE = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of either side.

    Args:
        type: a `FrameType`.
        command: the command, or the one that is answered; 0xFF answers with an error.
    """

    type: int
    command: int
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        body = bytes([self.type, self.command]) + len(self.payload).to_bytes(2, "big") + self.payload
        return bytes([HEADER]) + body + bytes([sum(body) & 0xFF, TRAILER])


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames with a right checksum."""

    def _seek(self, buffer: bytearray, start: int) -> int:
        at = buffer.find(HEADER, start)
        return len(buffer) if at < 0 else at

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        here = len(buffer) - start
        if here > 1 and buffer[start + 1] > FrameType.NOTICE:
            return Broken(f"no frame type 0x{buffer[start + 1]:02x}")
        if here < HEAD:
            return None
        length = buffer[start + 3] << 8 | buffer[start + 4]
        if length > MAX_PAYLOAD:
            return Broken(f"length {length}, more than any frame has")
        size = OVERHEAD + length
        if here < size:
            return None
        end = start + size
        if buffer[end - 1] != TRAILER:
            return Broken(f"ends in 0x{buffer[end - 1]:02x}, not 0x7e")
        computed = sum(buffer[start + 1 : end - 2]) & 0xFF
        if buffer[end - 2] != computed:
            return Broken(f"checksum {buffer[end - 2]:02x}, computed {computed:02x}", BAD_CHECK)
        return Sound(Frame(buffer[start + 1], buffer[start + 2], bytes(buffer[start + HEAD : end - 2])), size)
