"""Mercury UHF modules, frame layer: bytes <-> frames.

    host to module   0xFF | length u8 | opcode u8 |              payload | CRC u16be
    module to host   0xFF | length u8 | opcode u8 | status u16be | payload | CRC u16be

The length counts the payload only.  Nothing in a frame tells its direction, so a listener must know who speaks.

The CRC is not the CCITT one, though it shares its polynomial 0x1021 and preset 0xFFFF: the vendor shifts the message's
bits in at the bottom of the register and appends no sixteen zeroes.  So the last two bytes go in plain, and the rest is a
CCITT CRC whose preset has been through two bytes more.  Source: Mercury API, serial_reader.c (`tm_crc`); held to more than
thirty published frames.
"""

from binascii import crc_hqx
from dataclasses import dataclass

from readers.framing import BAD_CHECK, Broken, Sound, StreamDecoder

HEADER = 0xFF
PRESET = 0x1D0F
"""The CCITT CRC, from 0, of the vendor's preset FF FF."""
COMMAND_OVERHEAD, ANSWER_OVERHEAD = 5, 7
MAX_COMMAND, MAX_ANSWER = 250, 248
"""The longest payloads (M5e manual, overview of the protocol).  So the 0xFF of a frame is never a length, and a stray 0xFF
before it is told at once; as a length it would hold up 262 bytes."""
MAX_STATUS_CLASS = 0x7F
"""The high byte of a status: the vendor uses 00 to 06 and 7F."""


def checksum(body: bytes | bytearray) -> int:
    """The CRC of a frame's bytes from its length to the end of its payload, at least two."""
    return crc_hqx(body[:-2], PRESET) ^ (body[-2] << 8 | body[-1])


@dataclass(frozen=True, slots=True)
class Command:
    """What the host asks."""

    opcode: int
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        return _framed(bytes([len(self.payload), self.opcode]) + self.payload)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the module says: the answer to a command, or a part of the stream.

    Args:
        opcode: the command's.
        status: 0 is done; see `statuses.py`.
    """

    opcode: int
    status: int = 0
    payload: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame as it goes over the wire."""
        return _framed(bytes([len(self.payload), self.opcode]) + self.status.to_bytes(2, "big") + self.payload)


class CommandDecoder(StreamDecoder[Command]):
    """What hosts say, from any slices."""

    def _seek(self, buffer: bytearray, start: int) -> int:
        return _next_header(buffer, start)

    def _examine(self, buffer: bytearray, start: int) -> Sound[Command] | Broken | None:
        size = _sound_size(buffer, start, COMMAND_OVERHEAD, MAX_COMMAND)
        if not isinstance(size, int):
            return size
        return Sound(Command(buffer[start + 2], bytes(buffer[start + 3 : start + size - 2])), size)


class AnswerDecoder(StreamDecoder[Answer]):
    """What modules say, from any slices."""

    def _seek(self, buffer: bytearray, start: int) -> int:
        return _next_header(buffer, start)

    def _examine(self, buffer: bytearray, start: int) -> Sound[Answer] | Broken | None:
        if len(buffer) - start > 3 and buffer[start + 1] <= MAX_ANSWER and buffer[start + 3] > MAX_STATUS_CLASS:
            return Broken(f"no status 0x{buffer[start + 3]:02x}..")
        size = _sound_size(buffer, start, ANSWER_OVERHEAD, MAX_ANSWER)
        if not isinstance(size, int):
            return size
        status = buffer[start + 3] << 8 | buffer[start + 4]
        return Sound(Answer(buffer[start + 2], status, bytes(buffer[start + 5 : start + size - 2])), size)


def _framed(body: bytes) -> bytes:
    return bytes([HEADER]) + body + checksum(body).to_bytes(2, "big")


def _next_header(buffer: bytearray, start: int) -> int:
    at = buffer.find(HEADER, start)
    return len(buffer) if at < 0 else at


def _sound_size(buffer: bytearray, start: int, overhead: int, most: int) -> int | Broken | None:
    """The size of the frame at `start`, if its CRC is right; None while it is not all here."""
    if len(buffer) - start < 2:
        return None
    length = buffer[start + 1]
    if length > most:
        return Broken(f"length {length}, more than any frame has")
    size = overhead + length
    end = start + size
    if end > len(buffer):
        return None
    computed, check = checksum(buffer[start + 1 : end - 2]), buffer[end - 2] << 8 | buffer[end - 1]
    return size if check == computed else Broken(f"CRC {check:04x}, computed {computed:04x}", BAD_CHECK)
