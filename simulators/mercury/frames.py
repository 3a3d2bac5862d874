"""Frames of the Mercury modules as their firmware sees them: whole sound commands in, answers out.

    host    FF | length | opcode | parameters | CRC, high byte first
    module  FF | length | opcode | status, high byte first | data | CRC

The length counts parameters or data alone; the CRC covers everything but the FF.
Source: M5e user manual, overview of the communication protocol and CRC calculation.
"""

from dataclasses import dataclass

BROKEN_OFF_NS = 200_000_000  # a command that stops half-way is forgotten
MAX_PARAMETERS = 250
_AROUND = 5
_TABLE = tuple(0x1021 * i & 0xFFFF for i in range(16))


@dataclass(frozen=True, slots=True)
class Command:
    """One sound command of the host."""

    opcode: int
    parameters: bytes


def crc(data: bytes) -> int:
    """Half a byte at a time, the upper one first: what falls out at the top chooses what is mixed in."""
    register = 0xFFFF
    for byte in data:
        for nibble in (byte >> 4, byte & 0xF):
            out = register >> 12
            register = (register << 4 & 0xFFFF | nibble) ^ _TABLE[out]
    return register


def frame(opcode: int, status: int, data: bytes = b"") -> bytes:
    """A frame from the module."""
    body = bytes((len(data), opcode, status >> 8, status & 0xFF)) + data
    return b"\xff" + body + crc(body).to_bytes(2, "big")


class CommandReceiver:
    """The module's receive buffer."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._last_byte_ns = 0

    def feed(self, data: bytes, now_ns: int) -> list[Command]:
        """Commands that `data` completes."""
        if now_ns - self._last_byte_ns > BROKEN_OFF_NS:
            self._buffer.clear()
        self._last_byte_ns = now_ns
        self._buffer += data
        commands: list[Command] = []
        while (start := self._buffer.find(0xFF)) >= 0:
            del self._buffer[:start]
            if len(self._buffer) < _AROUND:
                return commands
            size = _AROUND + self._buffer[1]
            if size > _AROUND + MAX_PARAMETERS:
                del self._buffer[0]
            elif len(self._buffer) < size:
                return commands
            elif crc(bytes(self._buffer[1 : size - 2])) == int.from_bytes(self._buffer[size - 2 : size], "big"):
                commands.append(Command(self._buffer[2], bytes(self._buffer[3 : size - 2])))
                del self._buffer[:size]
            else:
                del self._buffer[0]
        self._buffer.clear()
        return commands
