"""Frames of a UHFReader as its firmware sees them: whole sound commands in, answers out.

    Len | Adr | Cmd | data | CRC low | CRC high              from the host
    Len | Adr | reCmd | Status | data | CRC low | CRC high   from the reader

Len counts all behind itself.  Source: UHFReader18 manual V2.0, data block format; "the gap between two bytes must be
less than 15 ms".
"""

from dataclasses import dataclass

GAP_NS = 15_000_000
UNSOUND = 0x00
_POLYNOMIAL = 0x8408
_LEAST = 4


@dataclass(frozen=True, slots=True)
class Command:
    """What the host sent; its code is `UNSOUND` where the CRC was wrong."""

    address: int
    code: int
    data: bytes


def crc(body: bytes) -> bytes:
    """The check behind `body`, low byte first."""
    value = 0xFFFF
    for byte in body:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value.to_bytes(2, "little")


def answer(address: int, code: int, status: int, data: bytes = b"") -> bytes:
    """A frame from the reader."""
    body = bytes((len(data) + 5, address, code, status)) + data
    return body + crc(body)


class CommandReceiver:
    """The reader's receive buffer.  What stops half-way for longer than the gap is forgotten."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last_byte_ns = 0

    def feed(self, data: bytes, now_ns: int) -> list[Command]:
        """Commands that `data` completes; the first byte is taken for a length, whatever it is."""
        if now_ns - self._last_byte_ns > GAP_NS:
            self._buffer.clear()
        self._last_byte_ns = now_ns
        self._buffer += data
        commands: list[Command] = []
        while self._buffer:
            length = self._buffer[0]
            if length < _LEAST:
                self._buffer.clear()
                break
            if len(self._buffer) <= length:
                break
            body, check = bytes(self._buffer[: length - 1]), bytes(self._buffer[length - 1 : length + 1])
            del self._buffer[: length + 1]
            commands.append(Command(body[1], body[2] if crc(body) == check else UNSOUND, body[3:]))
        return commands
