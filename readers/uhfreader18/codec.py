"""UHFReader18 / UHFReader288, frame layer: bytes <-> frames.

    Len u8 | Adr u8 | Cmd u8 | Data | CRC u16le                  the host's
    Len u8 | Adr u8 | Cmd u8 | Status u8 | Data | CRC u16le      the reader's

Len counts every byte behind itself.  CRC-16: polynomial 0x8408 reflected, preset 0xFFFF, not inverted, over Len..Data.
There is no start byte, so a frame stands wherever a plausible Len is followed by a right CRC.  A false Len holds up what
follows it for up to 255 bytes: `flush` when the line is quiet lets it out.
Source: UHFReader18 manual V2.0, data block format; captures of both families.
"""

from binascii import crc_hqx
from dataclasses import dataclass

from readers.framing import BAD_CHECK, NO_START, Broken, Direction, Sound, StreamDecoder

CHECK_SIZE = 2
COMMAND_LENGTH, ANSWER_LENGTH = 4, 5
"""The Len of the shortest frame of the host, and of the reader."""
MAX_LENGTH = 255
ANY_ADDRESS = 0xFF
"""Every reader takes a command to this address; the answer carries the reader's own."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of either side.

    Args:
        command: the command, or the one that is answered; 0xEE reports a tag unasked.
        status: an answer's; None in a command.
    """

    address: int
    command: int
    data: bytes = b""
    status: int | None = None

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire.

        Raises:
            ValueError: more data than Len can count.
        """
        told = b"" if self.status is None else bytes([self.status])
        length = COMMAND_LENGTH + len(told) + len(self.data)
        if length > MAX_LENGTH:
            raise ValueError(f"{len(self.data)} bytes of data do not fit into a frame")
        body = bytes([length, self.address, self.command]) + told + self.data
        return body + checksum(body)


def checksum(body: bytes | bytearray) -> bytes:
    """The two check bytes behind `body`, as on the wire.

    A reflected CRC is the plain one of the mirrored bytes, mirrored; the plain one is in the standard library.
    """
    crc = crc_hqx(body.translate(_REVERSED), 0xFFFF)
    return bytes([_REVERSED[crc >> 8], _REVERSED[crc & 0xFF]])


class FrameDecoder(StreamDecoder[Frame]):
    """Feed any slices, get whole frames with a right CRC.

    Args:
        direction: whose frames; the wire does not tell commands from answers.
    """

    def __init__(self, direction: Direction = "from_reader") -> None:
        super().__init__()
        self._answers = direction == "from_reader"
        self._least = ANSWER_LENGTH if self._answers else COMMAND_LENGTH

    def _seek(self, buffer: bytearray, start: int) -> int:  # noqa: ARG002  any byte may be a Len
        return start

    def _examine(self, buffer: bytearray, start: int) -> Sound[Frame] | Broken | None:
        length = buffer[start]
        if length < self._least:
            return Broken(f"length {length}, less than any frame has", NO_START)
        end = start + 1 + length
        if len(buffer) < end:
            return None
        told, computed = buffer[end - CHECK_SIZE : end], checksum(buffer[start : end - CHECK_SIZE])
        if told != computed:
            return Broken(f"CRC {told.hex()}, computed {computed.hex()}", BAD_CHECK)
        body = bytes(buffer[start + 3 : end - CHECK_SIZE])
        address, command = buffer[start + 1], buffer[start + 2]
        if self._answers:
            return Sound(Frame(address, command, body[1:], body[0]), length + 1)
        return Sound(Frame(address, command, body), length + 1)
