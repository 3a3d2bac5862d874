"""Frames of the Mercury modules as their firmware sees them: whole sound commands in, answers out.

    host    FF | length | opcode | parameters | CRC, high byte first
    module  FF | length | opcode | status, high byte first | data | CRC

The length counts parameters or data alone; the CRC covers everything but the FF.
Source: M5e user manual, overview of the communication protocol and CRC calculation.
"""

from dataclasses import dataclass

from simulators.receive_buffer import NO_FRAME, ReceiveBuffer

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


class CommandReceiver(ReceiveBuffer[Command]):
    """The module's receive buffer."""

    head = 0xFF

    def _size(self, begun: bytearray) -> int | None:
        if len(begun) < _AROUND:
            return None
        return _AROUND + begun[1] if begun[1] <= MAX_PARAMETERS else NO_FRAME

    def _command(self, frame: bytes) -> Command | None:
        is_sound = crc(frame[1:-2]) == int.from_bytes(frame[-2:], "big")
        return Command(frame[2], frame[3:-2]) if is_sound else None
