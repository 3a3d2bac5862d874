"""R2000 class UHF reader, frame layer: bytes <-> frames.

    0xA0 | length u8 | address u8 | command u8 | data | check u8

The length counts what follows it; the check makes the sum of a whole frame 0.  Nothing is escaped, so 0xA0 occurs
anywhere and the length ends a frame.  Source: UHF RFID Reader Serial Interface Protocol V3.7, section 1.
"""

from dataclasses import dataclass

from readers.framing import BAD_CHECK, Broken, Sound, StreamDecoder

HEADER = 0xA0
BROADCAST = 0xFF
"""The address that every reader obeys and none answers with."""
MIN_LENGTH, OVERHEAD = 3, 2
MAX_DATA = 0xFF - MIN_LENGTH
DATA_AT = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of either side; the frame itself does not tell which.

    Args:
        address: whom a command is for, or who answers: 0..254, or `BROADCAST`.
        command: what is asked, or what is answered.
        data: at most `MAX_DATA` bytes.
    """

    address: int
    command: int
    data: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        body = bytes([HEADER, len(self.data) + MIN_LENGTH, self.address, self.command]) + self.data
        return body + bytes([-sum(body) & 0xFF])


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames with a right check."""

    def _seek(self, buffer: bytearray, start: int) -> int:
        at = buffer.find(HEADER, start)
        return len(buffer) if at < 0 else at

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        here = len(buffer) - start
        if here < OVERHEAD:
            return None
        length = buffer[start + 1]
        if length < MIN_LENGTH:
            return Broken(f"length {length}, less than any frame has")
        size = OVERHEAD + length
        if here < size:
            return None
        end = start + size
        computed = -sum(buffer[start : end - 1]) & 0xFF
        if buffer[end - 1] != computed:
            return Broken(f"check {buffer[end - 1]:02x}, computed {computed:02x}", BAD_CHECK)
        return Sound(Frame(buffer[start + 2], buffer[start + 3], bytes(buffer[start + DATA_AT : end - 1])), size)
